"""The loaders there are; adding one is adding a file, and its line here. The last is asked last."""

from __future__ import annotations

from kernelwright.tasks.loaders.definitions import FLASHINFER_BENCH, SOL_EXECBENCH
from kernelwright.tasks.loaders.imported import Folder, Imported
from kernelwright.tasks.loaders.kernelbench import KernelBench
from kernelwright.tasks.loaders.kernelbench_hard import KernelBenchHard
from kernelwright.tasks.loaders.loader import Loader
from kernelwright.tasks.loaders.multikernelbench import MultiKernelBench
from kernelwright.tasks.loaders.robust_kbench import RobustKBench

LOADERS: tuple[Loader, ...] = (
    KernelBench(),
    RobustKBench(),
    MultiKernelBench(),
    KernelBenchHard(),
    FLASHINFER_BENCH,
    SOL_EXECBENCH,
    Imported(),
    Folder(),
)
