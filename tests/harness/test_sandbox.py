"""The cage, seen from inside: a forked child enters it, tries, and tells what happened."""

import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_sources import SECRET

from kernelwright.harness import evaluate
from kernelwright.harness.sandbox import Cage, Level, enter, landlock, level, lockdown, seccomp
from kernelwright.harness.sandbox.cage import FIRST_USER, python_folders
from kernelwright.harness.sandbox.leave import Leave, give
from kernelwright.harness.sandbox.syscalls import NUMBERS
from kernelwright.harness.sandbox.system import LIBC, effective_capabilities

needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(
    not seccomp.available(), reason="no system call numbers for this architecture"
)
needs_own_user = pytest.mark.skipif(
    not level().own_user, reason="only root with CAP_SYS_PTRACE may give candidates a user id"
)

Inside = Callable[..., Any]


def attempt(action: Callable[[], object]) -> str:
    """Name of the error that an action ends with, `done` when it works."""
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in folder.parents[:-1]:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    return folder


@pytest.fixture
def inside(scratch: Path) -> Inside:
    """Runs a function in a caged child of ours, and returns what it returned."""

    def run(action: Callable[[], Any], *, leave: socket.socket | None = None, **limits: Any) -> Any:
        user = FIRST_USER + os.getpid() if level().own_user else None
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(reader)
                cage = Cage(str(scratch), python_folders(), user=user, **limits)
                enter(cage, pairs=leave is not None)
                if leave is not None:
                    give(leave, neighbours=False)
                os.write(writer, json.dumps(action()).encode())
                code = 0
            except BaseException as error:
                os.write(writer, json.dumps(f"raised {error!r}").encode())
            finally:
                os._exit(code)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            said = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return json.loads(said) if said else status

    return run


def test_the_level_is_told():
    found = level()
    assert found.landlock_abi == landlock.abi() and found.seccomp == seccomp.available()
    assert found.strong == (found.landlock_abi >= 1 and found.seccomp)
    assert "limits" in str(found)
    assert (f"ABI {found.landlock_abi}" in str(found)) == bool(found.landlock_abi)


def test_a_weak_cage_says_so():
    whole = Level(landlock_abi=4, seccomp=True, own_user=False, no_namespaces="refused")
    assert whole.warning() is None and "no namespaces (refused)" in str(whole)
    assert str(replace(whole, namespaces=True)).startswith("own processes, files and network")
    assert "by leave" in str(replace(whole, leave=True)) and "by leave" not in str(whole)
    for weak, name in (
        (replace(whole, landlock_abi=0), "Landlock"),
        (replace(whole, seccomp=False), "seccomp"),
    ):
        assert name in str(weak.warning()) and not weak.strong


def test_every_verdict_carries_the_warning(monkeypatch: pytest.MonkeyPatch):
    weak = Level(landlock_abi=0, seccomp=True, own_user=False)
    monkeypatch.setattr(evaluate, "level", lambda: weak)
    (finding,) = evaluate._weak_sandbox()
    assert (finding.code, finding.severity) == ("weak_sandbox", "warning")
    monkeypatch.undo()
    assert bool(evaluate._weak_sandbox()) == bool(level().warning())


@needs_landlock
def test_only_scratch_can_be_written(inside: Inside, scratch: Path, tmp_path: Path):
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    outside.chmod(0o666)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    def tries() -> dict[str, str]:
        return {
            "scratch": attempt(lambda: (scratch / "a.txt").write_text("x")),
            "folder": attempt(lambda: (scratch / "b").mkdir()),
            "overwrite": attempt(lambda: outside.write_text("x")),
            "append": attempt(lambda: outside.open("a")),
            "truncate": attempt(lambda: os.truncate(outside, 0)),
            "delete": attempt(outside.unlink),
            "create": attempt(lambda: (tmp_path / "open" / "new").write_text("x")),
            "link": attempt(lambda: os.link(outside, scratch / "hard")),
            "move": attempt(lambda: (scratch / "a.txt").rename(tmp_path / "open" / "a.txt")),
            "tmp": attempt(lambda: Path(f"/tmp/kernelwright-{os.getpid()}").write_text("x")),
            "shm": attempt(lambda: Path(f"/dev/shm/kernelwright-{os.getpid()}").write_text("x")),
            "python": attempt(lambda: Path(os.__file__).open("a")),
        }

    found = inside(tries)
    assert found.pop("scratch") == found.pop("folder") == "done"
    assert all(what in ("EACCES", "EPERM", "EXDEV", "ENOENT") for what in found.values()), found
    assert outside.read_text() == "mine"
    assert list((tmp_path / "open").iterdir()) == []


@needs_landlock
def test_nothing_outside_can_be_read(inside: Inside, scratch: Path, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    (scratch / "way").symlink_to(secret)
    parent = os.getpid()

    def tries() -> dict[str, str]:
        return {
            "file": attempt(secret.read_text),
            "symlink": attempt((scratch / "way").read_text),
            "list": attempt(lambda: list(tmp_path.iterdir())),
            "home": attempt(lambda: list(Path("/root").iterdir())),
            "shadow": attempt(Path("/etc/shadow").read_bytes),
            "passwd": attempt(Path("/etc/passwd").read_bytes),
            "parent": attempt(Path(f"/proc/{parent}/environ").read_bytes),
            "memory": attempt(lambda: Path(f"/proc/{parent}/mem").open("rb")),
            "init": attempt(Path("/proc/1/environ").read_bytes),
            "this repository": attempt(Path(__file__).read_text),
        }

    found = inside(tries)
    assert all(what in ("EACCES", "EPERM", "ENOENT") for what in found.values()), found


@needs_landlock
def test_what_programs_need_can_be_read(inside: Inside):
    def tries() -> list[str]:
        return [
            attempt(Path(os.__file__).read_bytes),
            attempt(Path("/proc/self/status").read_text),
            attempt(Path("/proc/cpuinfo").read_text),
            attempt(lambda: Path("/dev/null").write_text("x")),
            attempt(lambda: Path("/dev/urandom").open("rb").read(4)),
            attempt(lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
        ]

    assert inside(tries) == ["done"] * 6


@needs_seccomp
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_no_socket(inside: Inside, family: str):
    number = getattr(socket, family)
    assert inside(lambda: attempt(lambda: socket.socket(number, socket.SOCK_RAW))) == "EPERM"
    assert inside(lambda: attempt(lambda: socket.socket(number, socket.SOCK_STREAM))) == "EPERM"


@needs_seccomp
def test_an_inherited_socket_cannot_connect(inside: Inside):
    with socket.socket() as listener, socket.socket() as ours:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        assert inside(lambda: attempt(lambda: ours.connect(address))) == "EPERM"


def test_others_cannot_be_signalled(inside: Inside):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        ours = os.getpid()
        targets = (bystander.pid, ours, -1, -bystander.pid, 1)
        found = inside(lambda: [attempt(lambda t=t: os.kill(t, 9)) for t in targets])
        assert all(what in ("EPERM", "ESRCH") for what in found), found
        assert bystander.poll() is None
        assert inside(lambda: attempt(lambda: os.kill(os.getpid(), 0))) == "done"
    finally:
        bystander.kill()
        bystander.wait()


@needs_seccomp
def test_others_cannot_be_traced_or_read(inside: Inside):
    parent = os.getpid()

    def raw(name: str, *arguments: int) -> str:
        number = NUMBERS[seccomp.MACHINE][name]
        result = LIBC.syscall(number, *arguments)
        return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"

    def tries() -> dict[str, str]:
        return {
            "ptrace": raw("ptrace", 16, parent, 0, 0),
            "read": raw("process_vm_readv", parent, 0, 0, 0, 0, 0),
            "write": raw("process_vm_writev", parent, 0, 0, 0, 0, 0),
            "pidfd_getfd": raw("pidfd_getfd", 3, 0, 0),
            "unshare": raw("unshare", 0x10000000),
            "setns": raw("setns", 3, 0),
            "mount": raw("mount", 0, 0, 0, 0, 0),
            "perf": raw("perf_event_open", 0, 0, 0, 0, 0),
            "bpf": raw("bpf", 0, 0, 0),
            "userfaultfd": raw("userfaultfd", 0),
            "io_uring": raw("io_uring_setup", 1, 0),
            "clock": raw("clock_settime", 0, 0),
            "keys": raw("keyctl", 0, 0),
            "inotify": raw("inotify_init1", 0),
            "memory file": raw("memfd_create", 0, 0),
            "socket pair": raw("socketpair", 1, 1, 0, 0),
            "handle": raw("open_by_handle_at", -1, 0, 0),
            "process": raw("pidfd_open", parent, 0),
        }

    found = inside(tries)
    assert set(found.values()) == {"EPERM"}, found


@needs_seccomp
def test_a_pair_of_sockets_is_granted_so_often_and_carries_bytes_only(inside: Inside):
    if not level().leave:
        pytest.skip("nobody outside can be asked here")
    keepers, theirs = socket.socketpair()
    leave = Leave(keepers)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            select.select(leave.descriptors(), [], [], 0.01)
            leave.serve()

    def tries() -> list[object]:
        kinds = [socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_STREAM]
        families = [socket.AF_INET, socket.AF_UNIX]
        found: list[object] = [
            attempt(lambda f=f, k=k: socket.socketpair(f, k)) for f in families for k in kinds
        ]
        ours, other = socket.socketpair()
        ours.sendall(b"bytes")
        found += [other.recv(5).decode(), attempt(lambda: ours.connect("\0x"))]
        found.append(attempt(lambda: socket.send_fds(ours, [b"x"], [0])))
        found.append(attempt(lambda: ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)))
        count = 0
        while attempt(socket.socketpair) == "done":
            count += 1
        return [*found, count]

    keeper = threading.Thread(target=serve)
    keeper.start()
    try:
        found = inside(tries, leave=theirs)
    finally:
        stop.set()
        keeper.join()
        keepers.close()
        theirs.close()
    assert found == [*["EPERM"] * 5, "done", "bytes", "EPERM", "EPERM", "EPERM", 62]


@needs_own_user
def test_it_is_another_user_with_no_rights(inside: Inside):
    def look() -> list[Any]:
        return [os.getuid(), os.geteuid(), os.getgid(), os.getgroups(), effective_capabilities(),
                attempt(lambda: os.setuid(0)), attempt(lambda: os.chown("/", 0, 0))]  # fmt: skip

    uid, euid, gid, groups, capabilities, become, chown = inside(look)
    assert uid == euid == gid == FIRST_USER + os.getpid() and groups == []
    assert capabilities & ~(1 << 2) == 0  # CAP_DAC_READ_SEARCH alone, fenced by Landlock
    assert become == "EPERM" and chown in ("EPERM", "EACCES")


@needs_own_user
def test_what_it_starts_inherits_no_right_to_read(inside: Inside, scratch: Path):
    """The cage keeps CAP_DAC_READ_SEARCH for itself; an execve must not hand it on."""
    private = scratch / "private.txt"
    private.write_text("root's own")
    private.chmod(0o600)
    code = f"open({str(private)!r}).read()"

    def tries() -> list[object]:
        started = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        return [attempt(private.read_text), "PermissionError" in started.stderr.decode()]

    assert inside(tries) == ["done", True]


def test_limits_are_its_own(inside: Inside):
    def look() -> dict[str, int]:
        names = ("CORE", "FSIZE", "CPU", "NOFILE", "AS")
        return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names}

    ours = resource.getrlimit(resource.RLIMIT_FSIZE)
    found = inside(look, file_size=1 << 20, cpu_seconds=7, memory=1 << 30)
    assert found["CORE"] == 0 and found["FSIZE"] == 1 << 20 and found["CPU"] == 7
    assert found["NOFILE"] == 512 and found["AS"] > 1 << 30
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == ours


def test_limits_cannot_be_raised(inside: Inside):
    def tries() -> list[str]:
        out = []
        for name in ("CPU", "FSIZE", "AS"):
            try:
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (1 << 40, 1 << 40))
                out.append("done")
            except (OSError, ValueError):
                out.append("refused")
        return out

    if os.geteuid() == 0 and not level().own_user:
        pytest.skip("root without a user id of its own may raise limits")
    assert inside(tries) == ["refused"] * 3


def test_memory_and_file_bombs_stop(inside: Inside, scratch: Path):
    def bomb() -> str:
        try:
            held = bytearray(2 << 30)
        except MemoryError:
            return "no memory"
        return f"{len(held)} bytes"

    assert inside(bomb, memory=256 << 20) == "no memory"

    def fill() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        return attempt(lambda: (scratch / "big").write_bytes(bytes(2 << 20)))

    assert inside(fill, file_size=1 << 20) == "EFBIG"
    assert (scratch / "big").stat().st_size <= 1 << 20


@needs_own_user
def test_a_fork_bomb_stops(inside: Inside):
    def bomb() -> str:
        for _ in range(60):
            try:
                pid = os.fork()
            except OSError as error:
                return errno.errorcode[error.errno or 0]
            if pid == 0:  # ends by itself: the cage forbids to kill it
                time.sleep(0.3)
                os._exit(0)
        return "done"

    assert inside(bomb, processes=20) == "EAGAIN"


@needs_seccomp
def test_lockdown_leaves_threads_and_nothing_else(inside: Inside):
    def tries() -> list[str]:
        before = attempt(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
        lockdown()
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.append("thread ran"))
        thread.start()
        thread.join()
        return [
            before,
            *said,
            attempt(os.fork),
            attempt(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
            attempt(lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
            attempt(lambda: os.posix_spawn(sys.executable, [sys.executable], {})),
        ]

    found = inside(tries)
    assert found[:2] == ["done", "thread ran"]
    assert set(found[2:]) == {"EPERM"}, found


@needs_seccomp
def test_lockdown_is_one_filter_more(inside: Inside):
    def look() -> list[int]:
        def count() -> int:
            text = Path("/proc/self/status").read_text()
            return int((text.partition("Seccomp_filters:")[2].split() or ["-1"])[0])

        before = count()
        lockdown()
        return [before, count()]

    before, after = inside(look)
    if before < 0:
        pytest.skip("this kernel does not count filters")
    assert after == before + 1


@needs_seccomp
def test_threads_that_run_already_are_bound_too(inside: Inside):
    def look() -> str:
        go, out = threading.Event(), []

        def late() -> None:
            go.wait()
            out.append(attempt(os.fork))

        thread = threading.Thread(target=late)
        thread.start()
        lockdown()
        go.set()
        thread.join()
        return str(out[0])

    assert inside(look) == "EPERM"


def test_paths_that_do_not_exist_are_passed_over(inside: Inside):
    assert inside(lambda: "entered") == "entered"
    assert "/nonexistent" not in python_folders() and "/" not in python_folders()
