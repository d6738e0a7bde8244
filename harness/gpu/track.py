"""Whose code ran on the device, by the names of kernels: the candidate's own, or a library's.

A kernel is the candidate's where its source defines one of that name. Everything else is a library's:
PyTorch's, cuBLAS's, cuDNN's, CUTLASS's and CUB's, copies and fills, and what nobody knows. Names and times
are those of a profiler that runs beside the candidate: a claim, as good as the process it comes from. So the
times are held against the call's own, and where they cannot be of that call the track is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernelwright.harness.gpu.device import Interval
from kernelwright.harness.gpu.worker import Profiled
from kernelwright.harness.provenance import CUSTOM_BELOW, LIBRARY_ABOVE
from kernelwright.harness.verdict import Track

_LIBRARY = re.compile(
    r"\b(at::|c10::|cub::|thrust::|cutlass|cublas|cudnn|cufft|cusparse|cusolver|nccl|flash_fwd|flash_bwd"
    r"|fmha|pytorch_|gemv[0-9NT]|gemmk1_kernel|gemm_kernel\dx\d|gemmSN|splitKreduce|dot_kernel|reduce_1Block|nvjet|volta_|turing_|ampere_"
    r"|hopper_|sm[0-9]{2,3}_|maxwell_|xmma|implicit_convolve|triton_(?:poi|red|per|tem|mm|bmm|for)_)"
    r"|^Mem(?:cpy|set)\b|^(?:void )?(?:cask|convolve|winograd|wgrad|dgrad|bn_fw|bn_bw)"
)
"""Prefixes of names that kernels of libraries bear; `triton_poi_` and the like are those that torch.compile
generates."""
_ATTRIBUTES = re.compile(r"__(?:launch_bounds|maxnreg|cluster_dims|block_size)__\s*\([^()]*\)")
_CUDA = re.compile(r"(?:__global__\s+(?:\w+\s+)*?void|void\s+__global__)\s+(\w+)\s*\(")
_TRITON = re.compile(r"@(?:triton\.)?jit\b[^\n]*\n(?:\s*@[^\n]*\n)*\s*def\s+(\w+)")
_BASE = re.compile(r"(?:[\w:]*::)?(\w+)\s*(?:<|\(|$)")
_SUFFIX = re.compile(r"_[0-9a-f]{6,}$|_?\d[\dcde]*$")
"""What Triton adds to the name of a function: which arguments are constants or divisible."""
_LONGEST, _LONGEST_S = 3.0, 50e-6
"""A profile of so many times what a call takes by our own clock, and so much more, was not of that call."""


@dataclass(frozen=True)
class GpuProfile:
    """Seconds on the device of one call, by whose kernels they were. Of nothing, before `of`."""

    own_names: frozenset[str]
    own_s: float = 0.0
    library_s: float = 0.0
    busy_s: float = 0.0
    """In which anything ran, on whatever stream."""
    device_s: float = 0.0
    """Between marks before and behind the call, on its own stream."""

    @staticmethod
    def source(source: str) -> GpuProfile:
        """For the kernels that a candidate's source defines."""
        names = {*_CUDA.findall(_ATTRIBUTES.sub(" ", source)), *_TRITON.findall(source)}
        return GpuProfile(frozenset(names))

    def of(self, seen: Profiled) -> GpuProfile:
        """One call of it."""
        own = sum(i.end - i.begin for i in seen.ran if self.is_own(i.name))
        total = sum(i.end - i.begin for i in seen.ran)
        return GpuProfile(self.own_names, own, total - own, busy(seen.ran), seen.device_s)

    def is_own(self, kernel: str) -> bool:
        """Whether the candidate's source defines a kernel of that name, and no library does."""
        if _LIBRARY.search(kernel):
            return False
        found = _BASE.search(kernel.removeprefix("void "))
        name = found.group(1) if found else kernel
        return name in self.own_names or _SUFFIX.sub("", name) in self.own_names

    def library_share(self) -> float | None:
        """Share of the device's time that libraries took; None: nothing ran."""
        total = self.own_s + self.library_s
        return self.library_s / total if total > 0 else None

    def own_share(self, call_s: float) -> float | None:
        """Share of the device's time that libraries did not take."""
        share = None if self.doubt(call_s) else self.library_share()
        return None if share is None else round(1.0 - share, 4)

    def track(self, call_s: float) -> Track | None:
        """By the shares that hold on the processor too; None: not known."""
        share = None if self.doubt(call_s) else self.library_share()
        if share is None:
            return None
        if share < CUSTOM_BELOW:
            return "custom"
        return "library" if share > LIBRARY_ABOVE else "mixed"

    def doubt(self, call_s: float) -> str | None:
        """Why the profile is not believed of calls that take so many seconds."""
        if self.own_s + self.library_s <= 0:
            return "the profiler saw nothing on the device"
        if self.busy_s > _LONGEST * call_s + _LONGEST_S:
            return "the profiler tells of more time than a call takes"
        return None

    @property
    def beside(self) -> float:
        """Seconds in which the device was at work outside of what the call's own stream spans."""
        return max(0.0, self.busy_s - self.device_s)


def busy(ran: Iterable[Interval]) -> float:
    """Seconds in which at least one of the intervals lasts."""
    total, reached = 0.0, float("-inf")
    for interval in sorted(ran, key=lambda i: i.begin):
        begin = max(interval.begin, reached)
        if interval.end > begin:
            total += interval.end - begin
            reached = interval.end
    return total


def slowest(ran: Sequence[Interval], most: int = 5) -> list[tuple[str, float]]:
    """The kernels that took longest, with their seconds."""
    summed: dict[str, float] = {}
    for interval in ran:
        summed[interval.name] = summed.get(interval.name, 0.0) + interval.end - interval.begin
    return sorted(summed.items(), key=lambda pair: -pair[1])[:most]
