"""Compiles the CUDA kernels that a candidate launches, for GPUs that are not here, and counts them.

The candidate runs on the CPU as ever, under the emulator; each launch is written down (`prepare` is called
in its process before it is loaded), and when the call has returned NVRTC compiles what was launched. The
files come out of a process with a candidate in it, so `read` believes nothing in them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernelwright.harness import inline_cuda, nvrtc
from kernelwright.harness.counters import compiled
from kernelwright.harness.counters.compiled import Launch
from kernelwright.harness.counters.counters import Counters, KernelCounters
from kernelwright.harness.cuda_emulation.library import Configuration
from kernelwright.harness.fault import plain
from kernelwright.harness.inline_cpp import BuildError

MODULE = __name__
TARGETS = ("sm_80", "sm_90", "sm_100")
LAUNCHES = "cuda-launches.json"
SECONDS = 240.0
"""For the call and all that is compiled after it."""
_SPILLS = "--ptxas-options=-v"
_MOST_SOURCES, _MOST_LAUNCHES = 16, 64
_LARGEST = 16 << 20


def unavailable() -> str | None:
    """Why nothing can be compiled here; None where it can."""
    try:
        nvrtc.nvrtc()
    except BuildError as error:
        return str(error)
    return None


def prepare(scratch: str) -> Callable[[], None]:
    """From now on launches are written down; what is returned compiles them."""
    recorder = _Recorder(Path(scratch), nvrtc.nvrtc())  # loaded while its folder can be read

    class RecordedModule(inline_cuda.Module):
        def launch(self, name: str, how: Configuration, arguments: Sequence[Any]) -> None:
            recorder.note((self._source, self._flags), name, how)
            super().launch(name, how, arguments)

    vars(inline_cuda)["Module"] = RecordedModule
    return recorder.compile


class _Recorder:
    """The launches of one call, and the sources that they are of."""

    def __init__(self, folder: Path, compiler: nvrtc.Nvrtc) -> None:
        self._folder = folder
        self._compiler = compiler
        self._sources: dict[tuple[str, tuple[str, ...]], int] = {}
        self._launches: dict[tuple[int, str, Configuration], int] = {}

    def note(self, text: tuple[str, tuple[str, ...]], kernel: str, how: Configuration) -> None:
        """A kernel is about to be launched."""
        source = self._sources.setdefault(text, len(self._sources))
        key = (source, kernel, how)
        if key in self._launches or len(self._launches) < _MOST_LAUNCHES:
            self._launches[key] = self._launches.get(key, 0) + 1

    def compile(self) -> None:
        """Compile each source for each target, and write down what was launched how."""
        errors: dict[str, str] = {}
        for (text, flags), number in list(self._sources.items())[:_MOST_SOURCES]:
            for target in TARGETS:
                base = self._folder / _name(number, target)
                try:
                    code, log = self._compiler.cubin(text, target, [*flags, _SPILLS])
                except BuildError as error:
                    errors[base.name] = str(error)
                    continue
                base.with_suffix(".cubin").write_bytes(code)
                base.with_suffix(".log").write_text(log)
        launches = [
            {
                "source": source,
                "kernel": kernel,
                "threads": how.block[0] * how.block[1] * how.block[2],
                "shared": how.shared,
                "grid": list(how.grid),
                "launches": count,
            }
            for (source, kernel, how), count in self._launches.items()
        ]
        (self._folder / LAUNCHES).write_text(json.dumps({"launches": launches, "errors": errors}))
        self._sources.clear()
        self._launches.clear()


def read(folder: Path) -> Counters:
    """Counters by kernel, way of launching and target; what did not compile under `missing`."""
    try:
        told = json.loads(_bytes(folder / LAUNCHES))
        by_source = _by_source(told["launches"])
        errors = {str(name): plain(str(said))[:1000] for name, said in told["errors"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Counters((), {"compiled counters": f"no launch was compiled: {error}"})
    kernels: list[KernelCounters] = []
    missing: dict[str, str] = {}
    for (source, launches), target in itertools.product(by_source.items(), TARGETS):
        names = ", ".join(launches)
        base = folder / _name(source, target)
        if base.name in errors:
            missing[f"{names} on {target}"] = errors[base.name]
            continue
        try:
            data = _bytes(base.with_suffix(".cubin"))
            log = _bytes(base.with_suffix(".log")).decode(errors="replace")
            kernels += _counted(data, launches, log)
        except (OSError, ValueError) as error:
            missing[f"{names} on {target}"] = f"what was compiled cannot be read: {error}"
    if not kernels and not missing:
        missing["compiled counters"] = "the call launched no CUDA kernel"
    return Counters(tuple(kernels), missing)


def _counted(
    data: bytes, launches: Mapping[str, Sequence[Launch]], log: str
) -> Iterator[KernelCounters]:
    """The kernels that are launched, once for each way of launching."""
    for number in range(max(map(len, launches.values()))):
        ways = {name: each[number] for name, each in launches.items() if number < len(each)}
        yield from (k for k in compiled.compiled(data, ways, log) if k.kernel in ways)


def _by_source(told: Any) -> dict[int, dict[str, list[Launch]]]:
    """By number of the source and name of the kernel. Raises KeyError, TypeError or ValueError."""
    found: dict[int, dict[str, list[Launch]]] = {}
    for launch in told[:_MOST_LAUNCHES]:
        kernel = plain(str(launch["kernel"]))[:100]
        x, y, z = (int(n) for n in launch["grid"])
        how = Launch(
            int(launch["threads"]), int(launch["shared"]), int(launch["launches"]), (x, y, z)
        )
        found.setdefault(int(launch["source"]), {}).setdefault(kernel, []).append(how)
    return found


def _name(source: int, target: str) -> str:
    return f"cuda-{source}-{target}"


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is no file of bearable size")
    return path.read_bytes()
