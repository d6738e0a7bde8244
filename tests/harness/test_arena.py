"""Shared memory: tensors come back as they went in, wherever they are placed."""

import os

import pytest
import torch
from harness_sources import open_descriptors
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.harness.arena import ALIGN, Arena, footprint, place, view
from kernelwright.harness.wire import DTYPES, Region

DTYPE = st.sampled_from(sorted(DTYPES.values(), key=str))
SHAPE = st.lists(st.integers(0, 4), max_size=4)


def layouts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The tensor, transposed, with gaps, and as a slice."""
    out = [tensor]
    if tensor.dim() >= 2:
        out.append(tensor.transpose(0, -1))
        out.append(tensor[..., ::2])
    return out


@st.composite
def tensors(draw) -> list[torch.Tensor]:
    out = []
    for _ in range(draw(st.integers(0, 4))):
        dtype, shape = draw(DTYPE), draw(SHAPE)
        tensor = torch.randint(0, 2, shape).to(dtype)
        out.append(draw(st.sampled_from(layouts(tensor))))
    return out


@given(tensors(), st.integers(0, 500), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_back_and_nothing_overlaps(values, start, skew):
    regions, end = place(values, start, skew=skew)
    arena = Arena(max(end, 1))
    try:
        for region, value in zip(regions, values, strict=True):
            arena.write(region, value)
        previous = start
        for region, value in zip(regions, values, strict=True):
            assert region.address >= previous
            assert (region.address - skew * value.element_size()) % ALIGN == 0
            assert region.stride == value.stride()
            assert torch.equal(arena.read(region), value)
            previous = region.address + region.nbytes
        assert previous <= end <= arena.size
    finally:
        arena.close()


@given(tensors(), st.integers(0, 1))
@settings(max_examples=100, deadline=None)
def test_footprint_is_enough(values, skew):
    _, end = place(values, 0, skew=skew)
    empty = [v for v in values if not v.numel()]
    assert end <= footprint(values) + 2 * ALIGN * len(empty)


def test_skew_breaks_the_alignment():
    (region,), _ = place([torch.zeros(8)], skew=1)
    assert region.address % ALIGN == 4


def test_a_region_beyond_the_end_is_refused():
    flat = torch.zeros(100, dtype=torch.uint8)
    assert view(flat, Region(0, "float32", (25,), (1,))).numel() == 25
    for region in (
        Region(4, "float32", (25,), (1,)),
        Region(0, "float32", (2, 2), (30, 1)),
        Region(101, "uint8", (0,), (1,)),
        Region(1 << 62, "float32", (1,), (1,)),
    ):
        with pytest.raises(ValueError, match="beyond"):
            view(flat, region)


@pytest.mark.parametrize(
    ("value", "stride"),
    [
        (torch.arange(3.0).view(3, 1).expand(3, 4), (1, 0)),
        (torch.arange(4.0).expand(3, 2, 4), (0, 0, 1)),
        (torch.tensor(5.0).expand(3, 4), (0, 0)),
        (torch.arange(9.0).unfold(0, 4, 1), (4, 1)),
    ],
)
def test_elements_in_one_place_can_be_written(value: torch.Tensor, stride: tuple[int, ...]):
    (region,), end = place([value])
    assert region.stride == stride
    arena = Arena(end)
    try:
        arena.write(region, value)
        assert torch.equal(arena.read(region), value)
    finally:
        arena.close()


def test_the_memory_is_shared_and_given_back():
    before = open_descriptors()
    arena = Arena(100)
    assert arena.size % os.sysconf("SC_PAGE_SIZE") == 0
    (region,), _ = place([torch.zeros(5)])
    arena.write(region, torch.arange(5.0))
    assert os.pread(arena.fd, 8, region.address + 4) == b"\0\0\x80?\0\0\0@"
    os.pwrite(arena.fd, b"\0\0\0\0", region.address + 4)
    assert arena.read(region).tolist() == [0.0, 0.0, 2.0, 3.0, 4.0]
    arena.close()
    assert open_descriptors() == before


def test_what_is_skewed_begins_within_its_storage():
    """Else nobody would see a view that is counted from where the storage begins."""
    flat, value = torch.zeros(1 << 10, dtype=torch.uint8), torch.randn(3, 4)
    for skew in (0, 1, 3):
        (region,), _ = place([value], 64, skew=skew)
        found = view(flat, region).copy_(value)
        assert found.storage_offset() == skew and torch.equal(view(flat, region), value)
