"""Guarded buffers: what lies in them is the same, and one step beyond is death."""

import ctypes
import faulthandler
import mmap
import os
import signal
from collections.abc import Callable

import pytest
import torch
from harness_sources import model
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.harness import guarded
from kernelwright.harness.arena import Arena, place
from kernelwright.harness.fault import Fault
from kernelwright.harness.wire import DTYPES
from kernelwright.harness.worker import Worker

PAGE = mmap.PAGESIZE
StartWorker = Callable[..., Worker]
SIDE = st.sampled_from(guarded.SIDES)


def ends_by(do: Callable[[], object]) -> int:
    """The signal that ends a child which does this; 0: it lives."""
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()
        do()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def first_and_last(tensor: torch.Tensor) -> tuple[int, int]:
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    span = 1 + sum((size - 1) * step for size, step in steps)
    return tensor.data_ptr(), tensor.data_ptr() + span * tensor.element_size() - 1


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(DTYPES.values(), key=str)), st.lists(st.integers(1, 9))),
        min_size=1,
        max_size=3,
    ),
    SIDE,
    st.integers(0, 5000),
)
@settings(max_examples=60)
def test_shared_tensors_keep_values_strides_and_their_place_at_the_guard(given_, side, start):
    tensors = [torch.randint(0, 2, shape[:4]).to(dtype) for dtype, shape in given_]
    tensors += [t.transpose(0, -1) for t in tensors if t.dim() > 1]
    regions, end = place(tensors, start, guard=side)
    arena = Arena(end)
    try:
        flat = torch.frombuffer(arena._map, dtype=torch.uint8)
        for region, tensor in zip(regions, tensors, strict=True):
            arena.write(region, tensor)
            found = guarded.shared(flat, region, side)
            assert torch.equal(found, tensor) and found.dtype == tensor.dtype
            assert found.stride() == tensor.stride()
            first, last = first_and_last(found)
            assert (last + 1 if side == "after" else first) % PAGE == 0
            del found
        del flat
    finally:
        arena.close()


@pytest.mark.parametrize("side", guarded.SIDES)
@pytest.mark.parametrize("elements", [1, 1000, 1024, 5000])
def test_the_byte_beyond_is_not_there(side: guarded.Side, elements: int):
    tensor = guarded.copied(torch.ones(elements), side)
    first, last = first_and_last(tensor)
    beyond, within = (last + 1, last) if side == "after" else (first - 1, first)
    assert ends_by(lambda: ctypes.string_at(within, 1)) == 0
    assert ends_by(lambda: ctypes.string_at(beyond, 1)) == -signal.SIGSEGV


def test_memory_lives_as_long_as_a_view_of_it():
    view = guarded.copied(torch.arange(9.0), "after")[2:5]
    assert view.tolist() == [2, 3, 4]


def test_parameters_are_fenced_for_a_while_and_changes_of_buffers_stay():
    module = torch.nn.BatchNorm1d(3)
    weight, mean = module.weight.data_ptr(), module.running_mean.data_ptr()
    with guarded.state(module, "after"):
        assert (first_and_last(module.weight)[1] + 1) % PAGE == 0
        assert module.weight.requires_grad
        module(torch.randn(5, 3) + 7)
    assert (module.weight.data_ptr(), module.running_mean.data_ptr()) == (weight, mean)
    assert module.running_mean.min() > 0.1


def test_large_parameters_stay_where_they_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guarded, "LARGEST_STATE", 100)
    module = torch.nn.Linear(9, 9)
    before = module.weight.data_ptr()
    with guarded.state(module, "before"):
        assert module.weight.data_ptr() == before


def test_only_a_crash_in_memory_is_explained():
    crash = Fault("crash", "the process died of SIGSEGV")
    assert guarded.explained(crash, "after").code == "out_of_bounds"
    assert "beyond the end" in guarded.explained(crash, "after").message
    assert "before the begin" in guarded.explained(crash, "before").message
    for other in (Fault("crash", "the process died of SIGABRT"), Fault("exception", "SIGSEGV")):
        assert guarded.explained(other, "after") is other


def test_a_heap_copy_is_a_block_of_its_own_with_the_same_misalignment():
    value = torch.arange(12.0).view(3, 4).t()
    (region,), end = place([value], skew=1)
    arena = Arena(end)
    try:
        arena.write(region, value)
        flat = torch.frombuffer(arena._map, dtype=torch.uint8)
        found = guarded.on_heap(flat, region)
        assert torch.equal(found, value) and found.stride() == value.stride()
        assert found.data_ptr() % 64 == 4
        del flat
    finally:
        arena.close()


READS = "import ctypes\nctypes.string_at(x.data_ptr() + {at}, 1)\nreturn x * 2 + 1"


@pytest.mark.parametrize(
    ("at", "side"), [("x.numel() * 4", "after"), ("-1", "before")], ids=["end", "begin"]
)
def test_a_worker_dies_at_the_guard_only(start: StartWorker, at: str, side: guarded.Side):
    x = torch.randn(3, 7)
    other: guarded.Side = "before" if side == "after" else "after"
    worker = start(model(READS.format(at=at)))
    for guard in (None, other):
        (y,) = worker.call([x], guard=guard, skew=16)  # something lies before it
        assert torch.equal(y, x * 2 + 1)
    with pytest.raises(Fault) as caught:
        worker.call([x], guard=side)
    assert caught.value.code == "out_of_bounds"


def test_views_of_guarded_inputs_may_be_kept(start: StartWorker):
    worker = start(
        model("old = getattr(self, 'kept', x)\nself.kept = x[1:]\nreturn x * 2 + 1 + 0 * old.sum()")
    )
    x = torch.randn(4, 5)
    for guard in (*guarded.SIDES, None):
        assert torch.allclose(worker.call([x], guard=guard)[0], x * 2 + 1)
