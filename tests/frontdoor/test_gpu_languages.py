"""`optimize` and `bench` for CUDA and Triton where no speed can be measured."""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeCoder, FakeEvaluator, accepted, rejected

from kernelwright.agents.roles import Attempt
from kernelwright.agents.unmeasured import unmeasured
from kernelwright.cli import main
from kernelwright.commands.search_options import language_for
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import UsageError

Cast = Callable[[FakeCoder], None]
OTHER = "class ModelNew: other = True"
WRONG = "class ModelNew: wrong = True"


def emulated(language: str = "triton") -> Verdict:
    """Accepted, and nothing is known of its speed."""
    unknown = dict.fromkeys(("eager", "compile"))
    return replace(
        accepted(1.0), language=language, speedup=unknown, time_ms=unknown, roofline=None, track=None,
        reasons={"speedup": "judged without a GPU"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "device", "wanted"),
    [
        (None, "auto", None), (None, None, None), ("cuda", None, "cuda"), (None, "cuda", "triton"),
        ("cuda", "cuda", "cuda"), (None, "cpu", "cpp"), ("cpp", "cpu", "cpp"),
    ],
)  # fmt: skip
def test_language_and_device_go_together(
    language: str | None, device: str | None, wanted: str | None
) -> None:
    assert language_for(language, device) == wanted


@pytest.mark.parametrize(
    ("language", "device"), [("cpp", "cuda"), ("triton", "cpp"), ("cuda", "cpu"), (None, "H200")]
)
def test_what_cannot_be_both_is_refused(language: str | None, device: str) -> None:
    with pytest.raises(UsageError, match="give"):
        language_for(language, device)


def test_the_right_one_of_unknown_speed_is_kept_and_is_no_champion(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    evaluator.verdicts = {WRONG: rejected(), KERNEL: emulated()}
    cast(FakeCoder(WRONG, KERNEL))
    arguments = ["optimize", str(task_file), "--device", "cuda", "--out", str(tmp_path), "--json"]
    assert main(arguments) == 1
    out, err = capfd.readouterr()
    result = json.loads(out)
    assert result["champion"] is None
    assert result["unmeasured"]["reasons"] == {"speedup": "judged without a GPU"}
    assert err.count("speed stays unknown") == 1
    (run,) = tmp_path.glob("*/*")
    kept = Path(result["unmeasured"]["path"])
    assert kept == run / "unmeasured" / "kernel.py"
    assert kept.read_text().endswith(KERNEL)
    assert "Accepted, of unknown speed: judged without a GPU" in kept.read_text()
    assert not (run / "champion").exists()
    assert not (run / "card.json").exists()
    assert "No champion can be confirmed" in (run / "report.md").read_text()
    assert json.loads((run / "run.json").read_text())["language"] == "triton"


def test_what_fails_its_second_judgement_is_not_kept(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    original = evaluator.evaluate

    def judge(self: FakeEvaluator, candidate: Candidate, **kwargs: str) -> Verdict:
        if kwargs.get("effort") == "final" and candidate.source == KERNEL:
            return rejected()
        return original(self, candidate, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluator, "evaluate", judge)
    evaluator.verdicts = {KERNEL: emulated(), OTHER: emulated()}
    cast(FakeCoder(KERNEL, OTHER))
    main(["optimize", str(task_file), "--language", "cuda", "--out", str(tmp_path), "--json"])
    result = json.loads(capfd.readouterr().out)
    assert Path(result["unmeasured"]["path"]).read_text().endswith(OTHER)


def test_a_run_keeps_its_language(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator], cast: Cast,
) -> None:  # fmt: skip
    cast(FakeCoder(KERNEL))
    asked = ["optimize", str(task_file), "--out", str(tmp_path)]
    main([*asked, "--language", "cuda"])
    assert main([*asked, "--resume", "--language", "triton"]) == 2
    assert "the run began with cuda and keeps it" in capfd.readouterr().err
    assert main([*asked, "--resume", "--json"]) == 0
    (run,) = tmp_path.glob("*/*")
    assert json.loads((run / "run.json").read_text())["language"] == "cuda"


def test_bench_hands_the_language_to_every_search() -> None:
    from kernelwright.commands.search_options import add_search_options, search_words

    parser = argparse.ArgumentParser()
    add_search_options(parser)
    assert list(search_words(parser.parse_args(["--language", "cuda"]))) == ["--language", "cuda"]


def launching(kernel: str, times: int, spilled: int | None) -> Attempt:
    """An accepted attempt that launches so often, and spills so many bytes where that is known."""
    calls = "\n".join(f"    {kernel}[grid, 256](x)" for _ in range(times))
    source = f"# __global__\nclass ModelNew:\n  def forward(self, x):\n{calls}\n"
    source = source.replace("# __global__", 'S = "__global__"')
    values = {"spill_stores": {"value": spilled}} if spilled is not None else {}
    verdict = replace(emulated("cuda"), counters={"kernels": [{"values": values}]})
    return Attempt(Candidate(source, "cuda"), verdict, 1)


def test_few_launches_count_first_and_spills_then() -> None:
    first, spills, many = launching("a", 1, 0), launching("b", 1, 64), launching("c", 5, 0)
    unknown = launching("d", 1, None)
    timed = replace(first, verdict=accepted(2.0))
    found = unmeasured([many, unknown, spills, timed, first])
    assert found == [first, spills, unknown, many]
