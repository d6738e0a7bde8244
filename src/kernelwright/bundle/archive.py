"""The archive: a compressed tar that is the same, byte for byte, for the same files, and is read warily.

`manifest.json` names every other file with its SHA-256 and size. It shows what was damaged or changed by
halves; who makes a whole new archive makes a new manifest too, so compare the archive's own SHA-256 with
the one that its author gave. Nothing is ever unpacked: files are read into memory, within `MOST_BYTES`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from kernelwright.tasks.errors import UsageError

MANIFEST = "manifest.json"
FORMAT, VERSION = "kernelwright-bundle", 1
MOST_BYTES = 256 << 20
"""Of an archive when it is unpacked."""
MOST_FILES = 20_000
_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*){0,3}", re.ASCII)


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files and their manifest: sorted, without times, owners or permissions.

    Raises UsageError for more than `read` would take.
    """
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in sorted(files.items())
    }
    manifest = {"format": FORMAT, "version": VERSION, "files": listed}
    members = {MANIFEST: json.dumps(manifest, indent=1).encode() + b"\n", **files}
    if sum(map(len, members.values())) > MOST_BYTES // 2 or len(members) > MOST_FILES:
        raise UsageError("the run is too large for a bundle: its sources and log exceed 128 MiB")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o644
            archive.addfile(info, io.BytesIO(members[name]))
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(tar.getvalue())
    return packed.getvalue()


def read(file: Path) -> dict[str, bytes]:
    """The files of an archive, the manifest left out, each as the manifest has it.

    Raises UsageError, in one line, for whatever is no such archive or is not whole.
    """
    try:
        members = _members(_unpacked(file), file)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise UsageError(f"{file} is no bundle: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read the bundle {file}: {error.strerror or error}") from error
    listed = _listed(members.pop(MANIFEST, None), file)
    missing, extra = sorted(listed.keys() - members), sorted(members.keys() - listed)
    if missing or extra:
        what = (
            f"lacks {missing[0]}" if missing else f"holds {extra[0]}, which is not in its manifest"
        )
        raise UsageError(f"the bundle {file} is not whole: it {what}")
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != listed[name]:
            raise UsageError(f"the bundle {file} was changed: {name} is not what its manifest says")
    return members


def sha256_of(file: Path) -> str:
    """Of the archive itself, hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _unpacked(file: Path) -> bytes:
    with gzip.open(file) as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"the bundle {file} unpacks to more than {MOST_BYTES >> 20} MiB: refused")
    return data


def _members(data: bytes, file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            if len(found) >= MOST_FILES:
                raise UsageError(f"the bundle {file} holds more than {MOST_FILES} files: refused")
            if member.type != tarfile.REGTYPE or member.sparse is not None:
                raise UsageError(f"the bundle {file} holds {member.name!r}, which is no plain file")
            if not _NAME.fullmatch(member.name):
                raise UsageError(f"the bundle {file} holds a file by the name {member.name!r}")
            if member.name in found:
                raise UsageError(f"the bundle {file} holds {member.name} twice")
            stream = archive.extractfile(member)
            found[member.name] = stream.read() if stream else b""
            if len(found[member.name]) != member.size:
                raise UsageError(f"the bundle {file} is cut off in {member.name}")
    return found


def _listed(manifest: bytes | None, file: Path) -> dict[str, str]:
    """File names and hashes."""
    if manifest is None:
        raise UsageError(f"{file} is no bundle: it has no {MANIFEST}")
    try:
        data = json.loads(manifest)
        if data["format"] != FORMAT:
            raise ValueError("of another format")
        if data["version"] != VERSION:
            raise UsageError(
                f"{file} is a bundle of version {data['version']}: this reads {VERSION}"
            )
        return {str(name): str(entry["sha256"]) for name, entry in data["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{file} is no bundle: its manifest cannot be read ({error})") from error
