"""The pre-warmed process: environment, reaping, strays, and the end of it all."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_sources import SECRET, open_descriptors

from kernelwright.harness.errors import HarnessError
from kernelwright.harness.keeper import descendants
from kernelwright.harness.nursery import ALLOCATOR, End, Nursery, scrubbed_environment
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import python_folders

Run = Callable[..., tuple[int | None, int, str]]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def start_python(nursery: Nursery, code: str, **limits: Any) -> tuple[int, Path]:
    """Start a caged Python program; returns its process id and its scratch folder."""
    folder, user = nursery.scratch(caged=True)
    scratch = folder / "tmp"
    # disk=None: the tests look at what the program left
    cage = Cage(str(scratch), python_folders(), user=user, **{"disk": None, **limits})
    argv = [sys.executable, "-I", "-c", textwrap.dedent(code)]
    return nursery.run(cage, argv, folder / "output.log"), scratch


MODES = [
    pytest.param(
        True,
        id="namespaces",
        marks=pytest.mark.skipif(
            not level().namespaces, reason="this machine allows no namespaces"
        ),
    ),
    pytest.param(False, id="base"),
]


@pytest.fixture(scope="module", params=MODES)
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    """With namespaces and without; it starts with a secret in our environment."""
    patch = pytest.MonkeyPatch()
    patch.setenv("OPENAI_API_KEY", SECRET)
    patch.setenv("KERNELWRIGHT_FAKE_SECRET", SECRET)
    with Nursery(threads=1, namespaces=request.param) as started:
        patch.undo()
        yield started


def tree(nursery: Nursery, pid: int) -> list[int]:
    """The processes beside a worker in its tree, by the numbers that they have for us."""
    _, keeper = nursery._keepers[pid]
    return [other for other in descendants(keeper) if other != pid]


@pytest.fixture
def run(nursery: Nursery) -> Run:
    """Runs a caged program to its end: status, strays, output."""

    def run_python(code: str, timeout: float = 10.0, **limits: Any) -> tuple[int | None, int, str]:
        pid, scratch = start_python(nursery, code, **limits)
        end = nursery.reap(pid, timeout)
        assert not alive(pid)
        return end.status, end.strays, (scratch.parent / "output.log").read_text(errors="replace")

    return run_python


DAEMON = """
import os, time
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid", "w").write(str(os.getpid()))
        os.rename("pid", "stray")
        time.sleep(60)
    os._exit(0)
while not os.path.exists("stray"):
    time.sleep(0.005)
os.waitpid(middle, 0)
"""


def test_status_and_output(run: Run):
    assert run("print('hello')") == (0, 0, "hello\n")
    assert run("raise SystemExit(7)")[0] == 7
    status, _, text = run("import os; os.write(2, b'oops'); os.abort()")
    assert status == -signal.SIGABRT and text.startswith("oops")


def test_stdin_is_empty_and_the_folder_is_scratch(run: Run):
    code = "import os, sys; print(repr(sys.stdin.read()), os.listdir('.'), os.path.basename(os.getcwd()))"
    assert run(code)[2].strip() == "'' [] tmp"


def test_no_descriptor_is_inherited(run: Run):
    code = """
    import os
    for n in range(3, 200):
        try:
            os.fstat(n)
        except OSError:
            continue
        print(n)
    """
    assert run(code)[2] == ""


def test_one_that_does_not_end_is_killed(run: Run):
    begin = time.monotonic()
    status, strays, _ = run("import time; time.sleep(60)", timeout=0.2)
    assert status is None and strays == 0
    assert time.monotonic() - begin < 20


def test_signals_cannot_be_ignored(run: Run):
    code = """
    import signal, time
    for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(n, signal.SIG_IGN)
    time.sleep(60)
    """
    assert run(code, timeout=0.3)[0] is None


def test_children_in_the_group_die_too(nursery: Nursery):
    pid, scratch = start_python(
        nursery,
        """
        import os, time
        pids = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            pids.append(pid)
        open("pid", "w").write(" ".join(map(str, pids)))
        os.rename("pid", "pids")
        time.sleep(60)
        """,
    )
    wait_for(scratch / "pids")
    pids = tree(nursery, pid)
    assert len(pids) == 3 and all(alive(p) for p in pids)
    nursery.reap(pid, 0.0)
    assert wait_until_gone([pid, *pids])


def wait_for_end(pid: int) -> None:
    assert wait_until_gone([pid])


def wait_for(path: Path, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never appeared"
        time.sleep(0.005)


def test_a_daemon_is_swept_and_counted(nursery: Nursery):
    pid, scratch = start_python(nursery, DAEMON)
    wait_for(scratch / "stray")
    wait_for_end(pid)
    strays = tree(nursery, pid)
    assert len([p for p in strays if alive(p)]) == nursery.strays(pid) == 1
    end = nursery.reap(pid, 10.0)
    assert (end.status, end.strays, end.reason) == (0, 1, None)
    assert not any(alive(p) for p in strays)


def test_a_neighbour_survives_the_sweep(nursery: Nursery):
    neighbour, _ = start_python(nursery, "import time; time.sleep(60)")
    pid, scratch = start_python(nursery, DAEMON)
    wait_for(scratch / "stray")
    assert nursery.reap(pid, 10.0) == End(0, 1, None)
    assert alive(neighbour)
    assert nursery.reap(neighbour, 0.0) == End(None, 0, None)


def test_reaping_twice_is_harmless(nursery: Nursery):
    pid, _ = start_python(nursery, "pass")
    assert nursery.reap(pid, 10.0) == End(0, 0, None)
    assert nursery.reap(pid, 0.0) == End(None, 0, None)


def test_the_environment_holds_no_secret(run: Run, nursery: Nursery):
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    text = run(code)[2]
    names = set(json.loads(text))
    assert SECRET not in text
    assert names <= {"PATH", "TMPDIR", "HOME", "LC_ALL", "LC_CTYPE"}
    zygote = Path(f"/proc/{nursery._process.pid}/environ").read_bytes()
    assert SECRET.encode() not in zygote and b"OPENAI_API_KEY" not in zygote


def test_our_environment_cannot_be_read_from_inside(run: Run):
    code = f"""
    import os
    for pid in [os.getppid(), {os.getpid()}, 1]:
        for name in ("environ", "cmdline", "mem", "maps"):
            try:
                print(open(f"/proc/{{pid}}/{{name}}", "rb").read(1 << 16))
            except OSError as error:
                print("refused", error.errno)
    """
    lines = run(code)[2].splitlines()
    if not level().landlock_abi:
        pytest.skip("this kernel has no Landlock")
    assert len(lines) == 12 and all(line.startswith("refused") for line in lines), lines


def test_scrubbed_environment_is_equal_for_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("LD_PRELOAD", "/somewhere.so")
    found = scrubbed_environment(2, [4, 6])
    assert SECRET not in found.values()
    assert not {"PYTHONPATH", "LD_PRELOAD", "AWS_SECRET_ACCESS_KEY"} & set(found)
    assert found["OMP_NUM_THREADS"] == "2" and found["GLIBC_TUNABLES"] == ALLOCATOR
    assert found["OMP_PLACES"] == "{4},{6}"
    assert found == scrubbed_environment(2, [4, 6])


def test_scratch_folders_are_private(nursery: Nursery):
    first, user = nursery.scratch(caged=True)
    second, other = nursery.scratch(caged=True)
    assert first != second
    if level().own_user:
        assert user != other and user is not None and user >= 200_000
        assert (first / "tmp").stat().st_uid == user
        assert (first / "builds").stat().st_uid == 0
    mine, nobody = nursery.scratch(caged=False)
    assert nobody is None and (mine / "tmp").stat().st_uid == os.getuid()


def test_a_neighbours_scratch_is_out_of_reach(nursery: Nursery, run: Run):
    folder, _ = nursery.scratch(caged=True)
    (folder / "tmp" / "answer.txt").write_text(SECRET)
    code = f"""
    import os
    for path in ({str(folder / "tmp" / "answer.txt")!r}, {str(nursery.root)!r}, "/tmp"):
        try:
            print(os.listdir(path) if os.path.isdir(path) else open(path).read())
        except OSError as error:
            print("refused", error.errno)
    """
    if not level().landlock_abi:
        pytest.skip("this kernel has no Landlock")
    lines = run(code)[2].splitlines()
    assert len(lines) == 3
    assert set(lines) <= {f"refused {errno.EACCES}", f"refused {errno.ENOENT}"}


@pytest.fixture
def own_nursery() -> Iterator[Nursery]:
    """One that the test may break."""
    with Nursery(threads=1) as started:
        yield started


@pytest.mark.parametrize("namespaces", MODES)
def test_closing_ends_everything_and_leaves_nothing(namespaces: bool):
    before = open_descriptors()
    with Nursery(threads=1, namespaces=namespaces) as nursery:
        root = nursery.root
        pids = [start_python(nursery, "import time; time.sleep(60)")[0] for _ in range(2)]
        _, scratch = start_python(nursery, DAEMON + "time.sleep(60)")
        wait_for(scratch / "stray")
        zygote = nursery._process.pid
        ours = [zygote, *descendants(zygote)]
        assert set(pids) < set(ours)
    assert wait_until_gone(ours)
    assert not root.exists()
    assert open_descriptors() == before


def test_everything_dies_with_us():
    """Kill -9 of the process that judges leaves no worker behind."""
    code = """
        import sys, time
        from kernelwright.harness.nursery import Nursery
        from kernelwright.harness.sandbox import Cage
        from kernelwright.harness.sandbox.cage import python_folders
        n = Nursery(threads=1)
        folder, user = n.scratch(caged=True)
        cage = Cage(str(folder / "tmp"), python_folders(), user=user)
        argv = [sys.executable, "-c", "import os, time; os.fork(); os.setsid(); time.sleep(60)"]
        print(n.root, n._process.pid, n.run(cage, argv, folder / "output.log"), flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    root, zygote, worker = process.stdout.readline().split()
    try:
        assert alive(int(zygote)) and alive(int(worker))
        below = descendants(process.pid)
        assert {int(zygote), int(worker)} <= set(below)
        process.kill()
        process.wait()
        assert wait_until_gone(below)
    finally:
        process.stdout.close()
        subprocess.run(["rm", "-rf", root], check=True)


def test_a_dead_nursery_says_so(own_nursery: Nursery):
    own_nursery._process.kill()
    own_nursery._process.wait()
    with pytest.raises(HarnessError, match="pre-warmed process"):
        start_python(own_nursery, "pass")


def test_one_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "kernelwright.harness.nursery.scrubbed_environment",
        lambda threads, cpus: {"PYTHONHOME": "/nonexistent"},
    )
    with pytest.raises(HarnessError, match=r"did not start: .*(encodings|Python)"):
        Nursery(threads=1)


def test_one_that_cannot_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(
        "kernelwright.harness.nursery.scrubbed_environment",
        lambda threads, cpus: {"PYTHONHOME": "/nonexistent"},
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(HarnessError):
        Nursery(threads=1)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_counted_together(nursery: Nursery):
    """No process has too much, all together have: one evaluation is lost, nothing else."""
    pid, _ = start_python(
        nursery,
        """
        import mmap, os, time
        for _ in range(6):
            if os.fork() == 0:
                memory = mmap.mmap(-1, 100 << 20)
                for page in range(0, 100 << 20, 4096):
                    memory[page] = 1
                time.sleep(60)
        time.sleep(60)
        """,
        memory=300 << 20,
    )
    assert wait_until_gone([pid], 30)
    end = nursery.reap(pid, 0.0)
    assert end.reason is not None and "of memory together, 300 at most" in end.reason


@pytest.mark.parametrize("kept", ["named", "deleted but open"])
def test_disk_is_counted_together(nursery: Nursery, kept: str):
    pid, _ = start_python(
        nursery,
        f"""
        import os
        held = []
        for n in range(100):
            held.append(open(f"f{{n}}", "wb"))
            try:
                held[-1].write(bytes(1 << 20))
                held[-1].flush()
            except OSError as error:
                raise SystemExit(error.errno)
            if {kept != "named"}:
                os.unlink(f"f{{n}}")
        import time
        time.sleep(60)
        """,
        disk=20 << 20,
    )
    assert wait_until_gone([pid], 30)
    end = nursery.reap(pid, 0.0)
    if nursery._alone:
        assert (end.status, end.reason) == (errno.ENOSPC, None)
    else:
        assert end.reason == "its files took more than 20 MiB of disk together"


def test_many_names_and_holes_cost_nothing(run: Run):
    code = """
    import os
    with open("sparse", "wb") as stream:
        stream.truncate(100 << 20)
        stream.seek(0)
        stream.write(bytes(1 << 20))
    for n in range(100):
        os.link("sparse", f"name{n}")
    import time
    time.sleep(0.5)
    """
    assert run(code, disk=20 << 20)[0] == 0


def test_processes_are_counted_for_each_tree(nursery: Nursery):
    if not nursery._alone and not level().own_user:
        pytest.skip("here only all processes of the user can be counted")
    pid, _ = start_python(
        nursery,
        """
        import os, time
        for n in range(100):
            try:
                if os.fork() == 0:
                    time.sleep(60)
            except OSError as error:
                raise SystemExit(n)
        """,
        processes=20,
    )
    assert wait_until_gone([pid], 20)
    end = nursery.reap(pid, 0.0)
    assert end.status == -signal.SIGKILL or (end.status is not None and 10 < end.status <= 20)
    assert end.reason is None or "processes at once, 10 at most" in end.reason


def test_a_bomb_of_processes_is_seen_though_it_dies_away(nursery: Nursery):
    pid, _ = start_python(
        nursery,
        """
        import os, time
        for n in range(30):
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
        time.sleep(60)
        """,
        processes=40,
    )
    assert wait_until_gone([pid], 20)
    reason = nursery.reap(pid, 0.0).reason
    assert reason is not None and "processes at once, 20 at most" in reason


def test_others_have_no_number(nursery: Nursery, run: Run):
    if not nursery._alone:
        pytest.skip("without namespaces others can be named, though not touched")
    code = f"""
    import os
    for pid in ({os.getpid()}, {nursery._process.pid}):
        for act in (os.getpgid, os.sched_getaffinity):
            try:
                act(pid)
                print("there")
            except ProcessLookupError:
                print("nobody")
    print(os.getpid(), [n for n in range(1, 50) if os.path.exists(f"/proc/{{n}}")])
    print(os.uname().nodename, [name for name in os.listdir("/sys/class/net")] if os.path.exists(
        "/sys/class/net") else "no devices")
    """
    lines = run(code)[2].splitlines()
    assert lines == ["nobody"] * 4 + ["2 [1, 2]", "cage no devices"]


def test_files_outside_keep_their_mode(run: Run, tmp_path: Path):
    mine = tmp_path / "mine.txt"
    mine.write_text("")
    before = mine.stat()
    code = f"""
    import os
    for act in (lambda p: os.chmod(p, 0o777), os.utime, lambda p: os.setxattr(p, "user.a", b"")):
        for path in ({str(mine)!r}, {os.__file__!r}):
            try:
                act(path)
                print("done")
            except OSError as error:
                print("refused")
    """
    assert run(code)[2].splitlines() == ["refused"] * 6
    assert (mine.stat().st_mode, mine.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
