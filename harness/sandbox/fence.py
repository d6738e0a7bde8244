"""A fence around a whole process that judges: for tasks of strangers, whose reference runs in that process.

`python -m kernelwright.harness.sandbox.fence SPEC MODULE ARGUMENT...` is `python -m MODULE ARGUMENT...` in
namespaces of users, process ids, mounts and network of its own: no network, no key, no process but its own,
no file but Python's, ours and those of SPEC, and scratch in memory that is gone with it. Inside it has the
rights that it had over what is left, so candidates get the same cages there as elsewhere. Where there are no
namespaces, Landlock and seccomp keep files and network.

Three processes stand between the caller and the module: one says which user ids there are, one enters, and
one is the first of the tree, which reaps. Sources: user_namespaces(7), pid_namespaces(7).
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from kernelwright.harness.sandbox import files, landlock, namespaces, seccomp
from kernelwright.harness.sandbox.cage import DEVICES, SYSTEM, python_folders
from kernelwright.harness.sandbox.level import level
from kernelwright.harness.sandbox.system import (
    CAP_SETUID,
    die_with_parent,
    effective_capabilities,
)

MARK = "KERNELWRIGHT_FENCED"
"""Environment: set inside a fence."""
_SCRATCH_BYTES = 4 << 30
_KEPT = (
    "PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TERM", "CXX", "PYTHONPATH", "PYTHONHOME",
    "KERNELWRIGHT_TURNSTILE", "KERNELWRIGHT_TRUST_TASKS", "KERNELWRIGHT_COUNTEREXAMPLES",
)  # fmt: skip
_THREADING = ("OMP_", "GOMP_", "MKL_")


@dataclass(frozen=True)
class Fence:
    """What is inside beside Python, this package and the system's libraries. Paths are absolute."""

    read: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Text of files that are laid into the scratch folder, by their paths in it."""

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command that runs a module inside. Its descriptors are handed on."""
        spec = json.dumps(asdict(self) | {"namespaces": level().namespaces})
        with tempfile.NamedTemporaryFile("w", prefix="kernelwright-", delete=False) as told:
            told.write(spec)  # longer than an argument may be; who reads it removes it
        return [sys.executable, "-m", __name__, told.name, module, *arguments]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What is left of an environment inside: settings, and no key."""
    named = {k: v for k, v in given.items() if k in _KEPT or k.startswith(_THREADING)}
    return {**named, MARK: "1", "HOME": "/nonexistent"}


def main() -> int:
    """Enter, and be the module."""
    told, module, *arguments = sys.argv[1:]
    spec = json.loads(Path(told).read_text(encoding="utf-8"))
    Path(told).unlink()
    fence = Fence(tuple(spec["read"]), spec["files"])
    die_with_parent(os.getppid())
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="kernelwright-fence-"))
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        room.chmod(0o711)
        scratch, root = room / "tmp", room / "root"
        for folder in (scratch, root):
            folder.mkdir()

        def job() -> int:
            return _become(module, arguments, fence, scratch)

        if spec["namespaces"]:
            return _with_users(lambda: _alone(job, fence, scratch, root))
        return _relay(_forked(lambda: _restricted(job, fence, scratch)))


def _with_users(enter: Callable[[], int]) -> int:
    """Run `enter` in a new process, in namespaces whose users are ours; returns its status."""
    maps, outside = _maps(), os.getpid()
    (told, tell), (go, let_go) = os.pipe(), os.pipe()

    def inside() -> int:
        namespaces.leave_all()
        die_with_parent(outside)  # again: other rights took it back
        os.write(tell, b"x")
        os.close(tell)
        os.close(let_go)
        return enter() if os.read(go, 1) else 1

    pid = _forked(inside)
    os.close(tell)
    if os.read(told, 1):
        for name, text in maps:
            Path(f"/proc/{pid}/{name}").write_text(text)
        os.write(let_go, b"x")
    os.close(let_go)
    return _relay(pid)


def _maps() -> list[tuple[str, str]]:
    """All users as they are, where we may say so; else only the one that we are."""
    if effective_capabilities() >> CAP_SETUID & 1:
        return [(name, _identity(name)) for name in ("uid_map", "gid_map")]
    user, group = os.geteuid(), os.getegid()
    own = [("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")]
    return [("setgroups", "deny"), *own]


def _identity(name: str) -> str:
    rows = (line.split() for line in Path(f"/proc/self/{name}").read_text().splitlines())
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in rows)


def _alone(job: Callable[[], int], fence: Fence, scratch: Path, root: Path) -> int:
    """The first process of the tree: builds the file tree, starts `job`, reaps."""

    def first() -> int:
        os.umask(0o022)  # candidates have user ids of their own
        read = [*SYSTEM, *python_folders(), *package_folders(), *fence.read]
        gpus = [str(path) for path in Path("/dev").glob("nvidia*") if path.is_char_device()]
        files.shut_in(
            str(root),
            read,
            [*DEVICES, *gpus],
            str(scratch),
            size=_SCRATCH_BYTES,
            owner=os.geteuid(),
            mode=0o711,
        )
        return _relay(_forked(job))

    return _relay(_forked(first))


def _restricted(job: Callable[[], int], fence: Fence, scratch: Path) -> int:
    read = [*SYSTEM, "/proc", *python_folders(), *package_folders(), *fence.read]
    if not landlock.restrict(read, [str(scratch)], DEVICES):
        os.write(2, b"kernelwright: no fence keeps tasks of others from your files here\n")
    if seccomp.available():
        seccomp.install(seccomp.offline())
    return job()


def _become(module: str, arguments: list[str], fence: Fence, scratch: Path) -> int:
    """Run the module in this process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, content in fence.files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    os.chdir(scratch)
    os.environ.update(
        TMPDIR=str(scratch),
        HOME=str(scratch),
        KERNELWRIGHT_CACHE=str(scratch / "cache"),
        KERNELWRIGHT_DATA=str(scratch / "data"),
    )
    tempfile.tempdir = None
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def package_folders() -> list[str]:
    """Where this package lies: its own folder, and those that its links lead to."""
    home = Path(sys.modules["kernelwright"].__path__[0]).resolve()
    return [str(home), *sorted(str(room.resolve()) for room in home.iterdir() if room.is_symlink())]


def _forked(job: Callable[[], int]) -> int:
    """fork(2): the child runs `job` and ends with its status, and when we end."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        die_with_parent(os.getppid() if os.getpid() == 1 else parent)  # whom the first cannot see
        status = job()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except OSError as error:
        os.write(2, f"kernelwright: the fence for tasks of others: {error}\n".encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _relay(child: int) -> int:
    """Wait for a child, reaping whatever else ends here; hand signals on. Its status."""

    def hand_on(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us
    signal.signal(signal.SIGTERM, hand_on)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
