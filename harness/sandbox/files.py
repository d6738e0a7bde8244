"""The file tree of a cage: it holds what a process may read, its scratch folder, and nothing else.

Everything but the scratch folder is mounted read-only, so that not even a mode or a time of a file can
be changed; the scratch folder is memory of limited size, or the folder itself. Sources: mount(2),
mount_setattr(2), pivot_root(2). Call after `namespaces.new_mounts`; all raise OSError.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from kernelwright.harness.sandbox.system import LIBC, PIVOT_ROOT, check

_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
_DETACH = 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_RDONLY = 1
MOST_FILES = 50_000
"""Files and folders in a scratch folder."""


def own_proc() -> None:
    """A /proc that shows this tree of processes only."""
    make_private()
    mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)


def make_private() -> None:
    """What is mounted or unmounted here stays here."""
    mount(None, "/", None, _REC | _PRIVATE)


def shut_in(
    root: str,
    read: Sequence[str],
    devices: Sequence[str],
    scratch: str,
    hidden: Sequence[str] = (),
    *,
    size: int | None,
    owner: int,
    mode: int = 0o700,
) -> None:
    """Make `root` (an empty folder) the root of a tree with `read`, `devices`, `scratch` and /proc.

    `size`: bytes that the scratch folder may hold in memory; None leaves it the folder that it is.
    `mode` is the scratch folder's.
    """
    make_private()
    mount("none", root, "tmpfs", _NOSUID, "mode=755,size=1m,nr_inodes=4k")
    for path in _outermost(read):
        _bind(path, root + path)
    for path in devices:
        _bind(path, root + path)
    for path in hidden:
        if Path(root + path).is_dir():
            mount("none", root + path, "tmpfs", _NOSUID, "mode=755,size=4k")
    Path(root + scratch).mkdir(parents=True, exist_ok=True)
    Path(root + "/proc").mkdir(exist_ok=True)
    _set_attributes(root, on=_RDONLY | _NOSUID)
    mount("proc", root + "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    if size is None:
        mount(scratch, root + scratch, None, _BIND)
        _set_attributes(root + scratch, off=_RDONLY)
    else:
        options = f"mode={mode:o},size={size},nr_inodes={MOST_FILES},uid={owner},gid={owner}"
        mount("none", root + scratch, "tmpfs", _NOSUID | _NODEV, options)
    os.chdir(root)
    check(LIBC.syscall(PIVOT_ROOT, b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    """mount(2). Raises OSError."""

    def text(value: str | None) -> bytes | None:
        return None if value is None else os.fsencode(value)

    result = LIBC.mount(
        text(source), text(target), text(kind), ctypes.c_ulong(flags), text(options)
    )
    check(result, f"mount {target}")


def _outermost(paths: Sequence[str]) -> Iterator[str]:
    """Existing paths under both their names, without those inside others, /proc left out."""
    names = {name for path in paths for name in (path, os.path.realpath(path))}
    taken: list[str] = []
    for name in sorted(names):
        inside = any(name == other or name.startswith(other + "/") for other in ["/proc", *taken])
        if not inside and Path(name).exists():
            taken.append(name)
            yield name


def _bind(source: str, target: str) -> None:
    if not Path(source).exists():
        return
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    mount(source, target, None, _BIND | _REC)


def _set_attributes(path: str, *, on: int = 0, off: int = 0) -> None:
    attributes = struct.pack("QQQQ", on, off, 0, 0)
    recursive = _AT_RECURSIVE if on else 0
    result = LIBC.syscall(
        _MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(path),
        ctypes.c_uint(recursive),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    check(result, f"mount_setattr {path}")
