"""`bundle` and `verify --bundle`: the same bytes for the same run, nothing private, nothing trusted."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from frontdoor_fakes import FACTS, KERNEL, FakeCoder, FakeEvaluator, accepted

from kernelwright.bundle import archive
from kernelwright.bundle.scrub import scrub
from kernelwright.cli import main
from kernelwright.harness.timing import Timings
from kernelwright.harness.verdict import Samples, Verdict

SECONDS = {"candidate": (1e-3, 1.1e-3, 0.9e-3), "eager": (2e-3, 2.3e-3, 1.9e-3)}
KEY = "sk-ant-0123456789abcdefghij"


def measured() -> Verdict:
    """An acceptance whose interval is that of its samples."""
    timings = Timings({name: list(values) for name, values in SECONDS.items()}, (2, 1))
    speedup = {"eager": timings.speedup("eager"), "compile": None}
    return replace(accepted(2.0), speedup=speedup, samples=Samples(SECONDS, (2, 1)))


@pytest.fixture
def run(
    tmp_path: Path,
    task_file: Path,
    evaluator: type[FakeEvaluator],
    cast: Callable[[FakeCoder], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A finished run with a champion, in a home folder of its own."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(FakeEvaluator, "evaluate", lambda self, candidate, **_: measured())
    cast(FakeCoder(KERNEL))
    out = tmp_path / "out"
    assert main(["optimize", str(task_file), "--out", str(out)]) == 0
    return next(out.glob("own_op/*/run.db")).parent


def bundle(run: Path, out: Path) -> Path:
    assert main(["bundle", str(run), "--out", str(out)]) == 0
    return out


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def write_tar(file: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more:
            tar.addfile(info)
    return file


def complaint(file: Path, capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    assert main(["verify", "--bundle", str(file)]) == 2
    found = capfd.readouterr()
    assert not found.out
    assert found.err.count("\n") == 1 and "Traceback" not in found.err, found.err
    return found.err


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    first, second = (bundle(run, tmp_path / name) for name in ("a.tar.gz", "b.tar.gz"))
    moved = tmp_path / "elsewhere" / run.name
    moved.parent.mkdir()
    run.rename(moved)
    assert first.read_bytes() == second.read_bytes() == bundle(moved, tmp_path / "c").read_bytes()


def test_what_it_holds(run: Path, tmp_path: Path) -> None:
    found = members(bundle(run, tmp_path / "a.tar.gz"))
    card = json.loads((run / "card.json").read_text())
    assert sorted(found) == sorted(
        [
            *("about.json", "card.json", "champion/kernel.py", "events.jsonl", "manifest.json"),
            *("samples.json", "task.py", f"candidates/{card['kernel']['candidate']}.py"),
        ]
    )
    about = json.loads(found["about.json"])
    assert about["environment"]["torch"] and about["device"]["name"] == FACTS.name
    assert [step["candidate"] for step in about["lineage"]] == [card["kernel"]["candidate"]]
    assert json.loads(found["samples.json"])["seconds"]["eager"] == list(SECONDS["eager"])
    kinds = [json.loads(line)["kind"] for line in found["events.jsonl"].splitlines()]
    assert kinds[:2] == ["run", "session"] and "stopped" in kinds
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        facts = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar}
    assert facts == {(0, 0, 0, "", "", 0o644)}


def test_nothing_private_gets_in(run: Path, tmp_path: Path) -> None:
    """Neither the home folder, where task and run lie, nor a key that somebody repeated."""
    with sqlite3.connect(run / "run.db") as log:
        said = json.dumps({"message": f"{KEY} at {tmp_path}/secret plan/x.py and /etc/own/file"})
        log.execute(
            "INSERT INTO events(time, kind, key, data) VALUES (1, 'failed', 'x', ?)", (said,)
        )
    assert str(tmp_path) in (run / "run.json").read_text()
    text = b"\n".join(members(bundle(run, tmp_path / "a.tar.gz")).values()).decode()
    for secret in (str(tmp_path), tmp_path.name, KEY, "/etc/own"):
        assert secret not in text
    assert "<path>/file" in text


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("cannot read /home/me/ops/x.py: no", "cannot read <path>/x.py: no"),
        ("mailbox:/srv/box?poll=1", "mailbox:<path>/box?poll=1"),
        ("command:~/bin/ask --now", "command:<path>/ask --now"),
        ("https://host.org/v1/x#m", "https://host.org/v1/x#m"),
        ("core/softmax at 3 GB/s, a / b, n/a", "core/softmax at 3 GB/s, a / b, n/a"),
        ("(/tmp/abc/kernel.cpp:3)", "(<path>/kernel.cpp:3)"),
    ],
)
def test_paths_are_taken_out(said: str, left: str) -> None:
    assert scrub(said) == left


def test_a_source_that_tells_of_home_is_left_out(run: Path, tmp_path: Path) -> None:
    with sqlite3.connect(run / "run.db") as log:
        row = ("ab" * 8, "cpp", "", f"open('{tmp_path}/x')")
        log.execute("INSERT INTO candidates VALUES (?, ?, ?, ?)", row)
    found = members(bundle(run, tmp_path / "a.tar.gz"))
    assert f"candidates/{'ab' * 8}.py" not in found
    assert json.loads(found["about.json"])["left_out"] == {"ab" * 8: "it names the home folder"}


def test_it_is_judged_again(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = bundle(run, run / "bundle.tar.gz")
    capfd.readouterr()
    assert main(["verify", "--bundle", str(file), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["verdict"] == "accepted"
    told = found["bundle"]
    assert told["sha256"] == archive.sha256_of(file)
    assert told["compared"]["eager"]["overlap"] is True
    assert told["from_samples"] is True and told["same_machine"] is True
    assert main(["verify", "--bundle", str(file)]) == 0
    assert "the intervals overlap" in capfd.readouterr().out


def test_another_machine_and_another_speed_are_named(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = bundle(run, tmp_path / "a.tar.gz")
    monkeypatch.setattr(FakeEvaluator, "evaluate", lambda self, candidate, **_: accepted(9.0))
    monkeypatch.setattr("frontdoor_fakes.FACTS", replace(FACTS, name="Another Processor"))
    assert main(["verify", "--bundle", str(file)]) == 0
    said = capfd.readouterr().out
    assert "the intervals do not overlap" in said
    assert "another machine: device Some Processor then, Another Processor now" in said


def test_figures_that_are_not_those_of_the_samples_show(run: Path, tmp_path: Path) -> None:
    from kernelwright.bundle.again import open_bundle

    card = json.loads((run / "card.json").read_text())
    card["verdict"]["speedup"]["eager"]["median"] = 7.0
    (run / "card.json").write_text(json.dumps(card))
    assert open_bundle(bundle(run, tmp_path / "a.tar.gz")).from_samples is False


def test_flipped_bytes(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = bundle(run, tmp_path / "a.tar.gz")
    good = file.read_bytes()
    for place in range(10, len(good), len(good) // 12):
        file.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        complaint(file, capfd)
    file.write_bytes(good[: len(good) // 2])
    complaint(file, capfd)


def test_what_is_changed_missing_or_extra(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = members(bundle(run, tmp_path / "a.tar.gz"))
    bad = tmp_path / "bad.tar.gz"
    write_tar(bad, {**files, "task.py": files["task.py"] + b"#"})
    assert "was changed: task.py" in complaint(bad, capfd)
    write_tar(bad, {name: data for name, data in files.items() if name != "card.json"})
    assert "lacks card.json" in complaint(bad, capfd)
    write_tar(bad, {**files, "more.py": b""})
    assert "holds more.py, which is not in its manifest" in complaint(bad, capfd)
    write_tar(bad, {name: data for name, data in files.items() if name != "manifest.json"})
    assert "no manifest.json" in complaint(bad, capfd)
    write_tar(bad, {**files, "manifest.json": b"[" * 100_000})
    assert "cannot be read" in complaint(bad, capfd)


@pytest.mark.parametrize(
    "name", ["../up.py", "/abs.py", "a/../../b.py", ".hidden", "a//b", "a\n.py"]
)
def test_names_that_lead_elsewhere(
    name: str, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = members(bundle(run, tmp_path / "a.tar.gz"))
    assert "by the name" in complaint(write_tar(tmp_path / "b", {**files, name: b"x"}), capfd)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_only_plain_files(
    kind: bytes, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = members(bundle(run, tmp_path / "a.tar.gz"))
    odd = tarfile.TarInfo("link.py")
    odd.type, odd.linkname = kind, "/etc/passwd"
    assert "no plain file" in complaint(write_tar(tmp_path / "b", files, odd), capfd)


def test_a_bomb(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    bomb = tmp_path / "b.tar.gz"
    bomb.write_bytes(gzip.compress(bytes(2 << 20)))
    assert "unpacks to more than 1 MiB" in complaint(bomb, capfd)
    files = {f"f{i}": b"" for i in range(12)}
    monkeypatch.setattr(archive, "MOST_FILES", 10)
    assert "more than 10 files" in complaint(write_tar(bomb, files), capfd)


def test_what_is_no_bundle(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("hello")
    assert "is no bundle" in complaint(tmp_path / "x", capfd)
    assert "cannot read" in complaint(tmp_path / "none", capfd)
    assert "cannot read" in complaint(tmp_path, capfd)


def test_a_whole_forgery_that_contradicts_itself(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = members(bundle(run, tmp_path / "a.tar.gz"))
    del files["manifest.json"]
    file = tmp_path / "forged.tar.gz"
    file.write_bytes(archive.pack({**files, "champion/kernel.py": b"class ModelNew: ..."}))
    assert "its kernel has another hash" in complaint(file, capfd)
    name = next(name for name in files if name.startswith("candidates/"))
    file.write_bytes(archive.pack({**files, name: b"x = 1"}))
    assert re.search(r"candidates/\w+\.py has another hash", complaint(file, capfd))


def test_a_run_without_a_champion(
    tmp_path: Path,
    task_file: Path,
    evaluator: type[FakeEvaluator],
    cast: Callable[[FakeCoder], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    cast(FakeCoder())
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out")]) == 1
    run = next((tmp_path / "out").glob("*/*/run.db")).parent
    file = bundle(run, tmp_path / "a.tar.gz")
    assert "holds no champion to judge: nothing was shown" in complaint(file, capfd)


def test_the_leaderboard_links_to_it(run: Path) -> None:
    from kernelwright.evals.from_run import task_result

    assert task_result(run).best.bundle is None  # type: ignore[union-attr]
    assert main(["bundle", str(run)]) == 0
    found = task_result(run)
    assert found.best is not None
    assert found.best.bundle == f"own_op/{run.name}/bundle.tar.gz"
    assert "best.bundle" not in found.reasons


def test_bad_use(tmp_path: Path, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", str(tmp_path / "nowhere")]) == 2
    assert main(["verify"]) == 2
    assert main(["verify", "core/softmax", "--bundle", "x"]) == 2
    (run / "task.py").write_text("changed")
    assert main(["bundle", str(run)]) == 2
    assert "is not the task that the run was for" in capfd.readouterr().err


def test_a_start_kernel_travels_with_its_task(
    run: Path, task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "start" / "op.py"
    start.parent.mkdir()
    start.write_text(f"{KERNEL}\nTO_BEAT = True\n")
    started = task_file.with_name("started.py")
    started.write_text(f'{task_file.read_text()}\nTASK = {{"start": "start/op.py"}}\n')
    out = tmp_path / "out2"
    assert main(["optimize", str(started), "--out", str(out)]) == 0
    file = bundle(next(out.glob("started/*/run.db")).parent, tmp_path / "b.tar.gz")
    assert members(file)["start.py"].decode() == start.read_text()
    for gone in (start, started):
        gone.unlink()
    capfd.readouterr()
    assert main(["verify", "--bundle", str(file), "--json"]) == 0
    assert "start.py" not in members(bundle(run, tmp_path / "other.tar.gz"))
