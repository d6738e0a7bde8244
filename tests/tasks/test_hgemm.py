"""The grid of half-precision products."""

import ast

import pytest
import torch

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.generated import GENERATED
from kernelwright.tasks.load import is_suite, list_suite, load_task, suites
from kernelwright.tasks.metadata import read_metadata
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.versions import suite_version


def test_the_grid_has_a_thousand_sizes_in_four_forms() -> None:
    tasks = list_suite("hgemm")
    assert len(tasks) == len(GENERATED["hgemm"]) == 4000
    assert len({task.name for task in tasks}) == 4000
    assert len({task.name.partition("_m")[2] for task in tasks}) == 1000
    assert [task.name for task in tasks] == sorted(task.name for task in tasks)


@pytest.mark.parametrize("name", ["hgemm-20-seed3", "hgemm-mini", "hgemm-cpu-8-seed1"])
def test_subsets_have_names_and_share_the_forms_out(name: str) -> None:
    assert is_suite(name)
    tasks = list_suite(name)
    kinds = [task.meta.category for task in tasks]
    assert len({kinds.count(kind) for kind in set(kinds)}) == 1
    assert len(set(kinds)) == 4
    assert [t.name for t in tasks] == [t.name for t in list_suite(name)]


@pytest.mark.parametrize("suite", sorted(GENERATED))
def test_what_is_said_without_reading_is_what_the_text_says(suite: str) -> None:
    for task in list_suite(f"{suite}-12-seed5"):
        assert read_metadata(ast.parse(task.source), task.name) == task.meta


def test_a_task_is_found_by_name_without_the_others() -> None:
    task = load_task("hgemm/tn_f32_m64_n4096_k1024")
    assert Reference(task).constants == {"M": 64, "N": 4096, "K": 1024}
    assert task.hash == load_task("hgemm/tn_f32_m64_n4096_k1024").hash
    assert load_task("hgemm-server/tn_f32_m64_n4096_k1024").meta.timing == "server"


@pytest.mark.parametrize(
    "name",
    ["hgemm/tn_f32_m64_n4096_k7", "hgemm/tn_f32_m064_n64_k64", "hgemm-cpu/nn_f16_m64_n64_k1024"],
)
def test_what_is_not_on_the_grid_is_no_task(name: str) -> None:
    with pytest.raises(TaskError, match="no task"):
        load_task(name)


@pytest.mark.parametrize("layout", ["nn", "tn"])
def test_layouts_compute_a_product(layout: str) -> None:
    reference = Reference(load_task(f"hgemm-cpu/{layout}_f16_m64_n256_k128"))
    left, right = reference.inputs(0)
    assert isinstance(left, torch.Tensor)
    assert isinstance(right, torch.Tensor)
    assert left.shape == (64, 128)
    assert right.shape == ((128, 256) if layout == "nn" else (256, 128))
    (product,) = reference.run(reference.build(0), [left, right])
    assert product.shape == (64, 256)
    assert product.dtype == torch.float16
    assert 0.8 < product.float().std().item() < 1.2


def test_the_version_is_that_of_the_content() -> None:
    assert suite_version(list_suite("hgemm-cpu")) == suite_version(list_suite("hgemm-cpu"))
    assert suite_version(list_suite("hgemm-cpu")) != suite_version(
        list_suite("hgemm-cpu-255-seed0")
    )


def test_packages_beside_the_suites_are_no_suites() -> None:
    assert "core" in suites()
    assert "loaders" not in suites()
