"""How much of executable memory is code."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
from collections.abc import Callable

import pytest

from kernelwright.harness import padding

PAGE, MIB = 4096, 1 << 20
Room = Callable[[int], tuple[mmap.mmap, tuple[int, int]]]


@pytest.fixture
def room() -> Room:
    """Anonymous memory of so many bytes, and where it lies."""

    def make(size: int) -> tuple[mmap.mmap, tuple[int, int]]:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        return memory, (start, start + size)

    return make


def code_of(*spans: tuple[int, int], enough: int = MIB) -> int:
    return padding.code_bytes(os.getpid(), spans, enough)


@pytest.mark.parametrize(
    "unit", [b"\0", b"\xcc", b"\x90", bytes.fromhex("66662e0f1f840000000000"), bytes(range(16))]
)
def test_what_repeats_a_few_bytes_is_no_code(room: Room, unit: bytes):
    memory, span = room(64 * PAGE)
    memory.write((unit * (64 * PAGE))[: 64 * PAGE])
    assert code_of(span) == 0


def test_each_page_with_something_in_it_is_code(room: Room):
    memory, span = room(64 * PAGE)
    for page in (0, 5, 63):
        memory[page * PAGE + 77] = 0xC3
    assert code_of(span) == 3 * PAGE


def test_what_repeats_a_whole_function_is_code(room: Room):
    memory, span = room(64 * PAGE)
    memory.write(random.Random(7).randbytes(17) * (64 * PAGE // 17))
    assert code_of(span) == 64 * PAGE


def test_pieces_count_together_and_no_further_than_needed(room: Room):
    content = random.Random(7).randbytes(MIB)
    kept = [room(MIB) for _ in range(6)]
    for memory, _ in kept:
        memory.write(content)
    spans = [span for _, span in kept]
    assert code_of(*spans, enough=100 * MIB) == 6 * MIB
    assert MIB < code_of(*spans) <= 2 * MIB


def test_what_cannot_be_read_is_code(room: Room):
    _, (start, end) = room(64 * PAGE)
    libc = ctypes.CDLL(None)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert libc.mprotect(start + 16 * PAGE, PAGE, 0) == 0
    assert code_of((start, end)) == 48 * PAGE, "from there on"


def test_there_is_an_end_to_reading(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(padding, "_MOST_READ", 2 * MIB)
    _, span = room(8 * MIB)
    assert code_of(span, enough=100 * MIB) == 6 * MIB
