"""Sizes for a CPU, from the text alone: small, divisible as before, odd as before, the same every time."""

from hypothesis import given
from hypothesis import strategies as st

from kernelwright.tasks.estimate import estimate
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.scale import FLOOR, LEAST, MOST_ELEMENTS, scaled, shrunk
from kernelwright.tasks.task import Task

CONV = """
import torch
class Model(torch.nn.Module):
    def __init__(self, channels, groups, kernel_size, bias_shape):
        super().__init__()
        self.conv = torch.nn.Conv2d(channels, channels, kernel_size, groups=groups)
        self.bias = torch.nn.Parameter(torch.zeros(bias_shape))
    def forward(self, x):
        return self.conv(x) + self.bias
batch_size = 129
channels, groups = 768, 12
height = width = 512
kernel_size = 3
bias_shape = (channels, 1, 1)
def get_inputs():
    return [torch.rand(batch_size, channels, height, width)]
def get_init_inputs():
    return [channels, groups, kernel_size, bias_shape]
"""


def small(source: str) -> Reference:
    return Reference(scaled(Task("t", source), "t-cpu"))


def test_a_large_task_becomes_small_and_still_runs() -> None:
    reference = small(CONV)
    found = reference.constants
    assert (found["kernel_size"], found["groups"]) == (3, 12)
    assert found["channels"] % 12 == 0
    assert found["height"] == found["width"] < 64
    assert found["batch_size"] % 2 == 1
    (x,) = reference.inputs(0)
    assert x.numel() <= MOST_ELEMENTS
    reference.run(reference.build(0), [x])


def test_equal_texts_give_equal_tasks_and_lines_stay() -> None:
    one, other = (scaled(Task("t", CONV), "t-cpu") for _ in range(2))
    assert one.hash == other.hash
    assert len(one.source.splitlines()) == len(CONV.splitlines())


def test_what_is_small_stays_as_it_is() -> None:
    source = CONV.replace("129", "2").replace("768", "24").replace("512", "16")
    assert scaled(Task("t", source), "t-cpu").source == source


def test_sizes_inside_get_inputs_change_only_where_they_must() -> None:
    inside = CONV.replace("height, width)", "512, 512)")
    (x,) = small(inside).inputs(0)
    assert x.numel() <= 1 << 22
    little = CONV.replace("height, width)", "40, 40)").replace("768", "12")
    assert small(little).inputs(0)[0].shape[-2:] == (40, 40)


def test_a_batch_of_the_size_of_something_else_keeps_it() -> None:
    source = CONV.replace("batch_size = 129", "batch_size = 512")
    assert small(source).constants["batch_size"] == small(source).constants["height"]


def test_our_own_lines_are_let_alone() -> None:
    source = CONV + "\nCONFIG = 40\nTASK = {'level': 40}\n"
    assert scaled(Task("t", source), "t-cpu").source.endswith("CONFIG = 40\nTASK = {'level': 40}\n")


@given(st.sets(st.integers(2, 5000), min_size=1, max_size=6), st.integers(1, 12))
def test_shrunk_sizes(values: set[int], step: int) -> None:
    new = shrunk(values, step)
    for value in values:
        assert 1 <= new[value] <= value
        assert new[value] == value if value <= LEAST else new[value] >= FLOOR
        assert value % 2 == 0 or new[value] % 2 == 1


@given(st.integers(2, 40), st.integers(2, 60), st.integers(1, 12))
def test_a_divisor_stays_one(divisor: int, times: int, step: int) -> None:
    new = shrunk({divisor, divisor * times}, step)
    assert new[divisor * times] % new[divisor] == 0


def test_an_estimate_counts_elements_and_knows_what_it_cannot_read() -> None:
    assert estimate(CONV).elements == 129 * 768 * 512 * 512
    assert estimate(CONV).largest == 768
    for line, elements in (
        ("return [torch.randint(0, 9, (4, 5)), torch.zeros(2, dtype=torch.int8)]", 22),
        ("shape = (3,)\n    return [torch.rand(2, *shape).half()]", 6),
        ("return [torch.rand(unknown)]", None),
        ("return make()", None),
    ):
        assert estimate(f"def get_inputs():\n    {line}\n").elements == elements
