"""Tensors at different addresses that are the same memory."""

import mmap
import os

import torch

from kernelwright.harness import memory, pages
from kernelwright.harness.wire import Region

LINES = [
    "1000-3000 rw-p 00000000 00:00 0 [heap]",
    "5000-7000 rw-s 00000000 00:01 77 /dev/zero (deleted)",
    "8000-a000 rw-s 00000000 00:01 77 /dev/zero (deleted)",
    "a000-b000 rw-s 00001000 00:01 77 /dev/zero (deleted)",
    "c000-d000 rw-s 00000000 00:01 78 /memfd:other (deleted)",
    "e000-f000 rw-p 00000000 00:05 5 /dev/zero",
    "f000-10000 rw-p 00000000 00:05 5 /dev/zero",
]
FILES = pages.mapped(LINES)


def flat(address: int, count: int, stride: int = 1) -> Region:
    return Region(address, "float32", (count,), (stride,))


def test_what_lies_at_two_addresses_is_found():
    one, other = flat(0x5000, 512), flat(0x8000, 512)
    assert pages.shared(FILES, [one, other]) == {(0, 1)}
    assert pages.shared(FILES, [flat(0x5800, 16), flat(0x8800, 16)]) == {(0, 1)}


def test_memory_of_ones_own_is_nobody_elses():
    for regions in (
        [flat(0x1000, 16), flat(0x1400, 16)],
        [flat(0x5000, 16), flat(0x8800, 16)],
        [flat(0x5000, 16), flat(0xC000, 16)],
        [flat(0x5000, 16, 2), flat(0x8004, 16, 2)],
        [flat(0xE000, 16), flat(0xF000, 16)],
        [flat(0x5000, 0), flat(0x8000, 0)],
    ):
        assert not pages.shared(FILES, regions)


def test_halves_of_one_tensor_may_be_the_same_pages():
    assert pages.shared(FILES, [flat(0x9000, 2048)]) == {(0, 0)}
    assert not pages.shared(FILES, [flat(0x9000, 1024)])
    assert pages.shared(FILES, [flat(0x9000, 2048), flat(0x6000, 4)]) == {(0, 0), (0, 1)}


def test_in_a_process():
    with mmap.mmap(-1, 8192) as own:
        held = torch.frombuffer(own, dtype=torch.float32)
        files = pages.mapped(memory.map_lines(os.getpid()))
        one, other = flat(held.data_ptr(), 16), flat(held.data_ptr() + 64, 16)
        assert not pages.shared(files, [one, other])
        assert pages.shared(files, [one, one]) == {(0, 1)}
        del held
