"""The worker's side of the fake driver: its memory as tensors of the host, all else by the real `Driver`."""

import ctypes
from collections.abc import Mapping
from typing import Any

import torch

from kernelwright.harness.gpu import host
from kernelwright.harness.gpu.driver import Driver


class Runtime(host.Runtime):
    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__(spec)
        self._driver = Driver(0)

    def attach(self, fd: int, size: int) -> None:
        self.address = self._driver.map(self._driver.adopt(fd), size)

    def tensor(self, offset: int, nbytes: int) -> torch.Tensor:
        lent = (ctypes.c_ubyte * nbytes).from_address(self.address + offset)
        return torch.frombuffer(lent, dtype=torch.uint8)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        self._driver.copy_later(target, source, nbytes)

    def synchronise(self) -> None:
        self._driver.synchronise()

    def mark(self) -> int:
        event = self._driver.event()
        self._driver.record(event)
        return event

    def seconds(self, begin: int, end: int) -> float:
        return self._driver.seconds(begin, end)
