"""Loaders: what they make of unchanged files, and that nothing is run or changed."""

from pathlib import Path

import pytest
import torch
from small_checkouts import (
    PICK,
    SCALE,
    kernelbench,
    kernelbench_hard,
    multikernelbench,
    robust_kbench,
    written,
)

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_suite
from kernelwright.tasks.loaders.known import LOADERS
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task


def outputs(task: Task, variant: dict[str, int] | None = None) -> tuple[torch.Tensor, ...]:
    reference = Reference(task, variant)
    model = reference.build(0, train=task.meta.modes[0] == "train")
    return reference.run(model, reference.inputs(0))


def test_each_checkout_is_recognised_by_its_loader_alone(tmp_path: Path) -> None:
    made = {
        "kernelbench": kernelbench(tmp_path / "a"),
        "robust-kbench": robust_kbench(tmp_path / "b"),
        "multikernelbench": multikernelbench(tmp_path / "c"),
        "kernelbench-hard": kernelbench_hard(tmp_path / "d"),
    }
    for name, root in made.items():
        assert [loader.name for loader in LOADERS if loader.recognises(root)] == [name]
    assert not [loader for loader in LOADERS if loader.recognises(tmp_path)]


def test_kernelbench(tmp_path: Path) -> None:
    root = kernelbench(tmp_path)
    before = {path: path.read_bytes() for path in root.rglob("*.py")}
    loaded = load_suite(str(root))
    assert [task.name for task in loaded.tasks] == [
        "kernelbench/level1/2_gather_loss",
        "kernelbench/level1/10_ReLU_scale",
        "kernelbench/level2/1_BatchNorm",
    ]
    pick, scale, normed = loaded.tasks
    assert SCALE.strip() in scale.source
    assert (scale.meta.level, scale.meta.category, scale.meta.title) == (
        1,
        "activation",
        "ReLU scale",
    )
    assert (pick.meta.category, pick.meta.modes) == ("loss", ("eval",))
    assert (normed.meta.category, normed.meta.modes) == ("fused blocks", ("train",))
    assert Reference(pick).inputs(0)[1].dtype == torch.int64
    assert outputs(normed)[0].mean().abs() < 1e-6, "batch statistics"
    (refusal,) = loaded.refused
    assert refusal.name == "level4/1_model"
    assert refusal.reason.endswith("imports a_package_that_nobody_has, not installed here")
    assert str(tmp_path) not in refusal.reason
    assert {path: path.read_bytes() for path in root.rglob("*.py")} == before


def test_a_file_that_is_no_task_is_refused_and_the_rest_loads(tmp_path: Path) -> None:
    broken = {
        "level1/3_syntax.py": "def get_inputs(:\n",
        "level1/4_nothing.py": "x = 1\n",
        "level1/5_no_inputs.py": PICK.replace("def get_inputs", "def inputs"),
    }
    loaded = load_suite(str(kernelbench(tmp_path, broken)))
    assert len(loaded.tasks) == 3
    reasons = {refusal.name: refusal.reason for refusal in loaded.refused}
    assert "3_syntax.py:1 is not Python" in reasons["level1/3_syntax"]
    assert "has no class Model" in reasons["level1/4_nothing"]
    assert "has no get_inputs" in reasons["level1/5_no_inputs"]
    assert all("\n" not in reason for reason in reasons.values())


def test_robust_kbench(tmp_path: Path) -> None:
    loaded = load_suite(str(robust_kbench(tmp_path)))
    backward, forward = loaded.tasks
    assert (backward.name, forward.name) == (
        "robust-kbench/plain/backward",
        "robust-kbench/plain/forward",
    )
    assert backward.meta.backward and not forward.meta.backward
    assert [dict(s) for s in forward.meta.shapes] == [{"CONFIG": i} for i in (1, 2, 3)]
    sizes = {tuple(Reference(forward, v).inputs(0)[0].shape) for v in ({}, *forward.meta.shapes)}
    assert sizes == {(4, 5), (6, 5), (4, 7), (6, 7)}
    assert outputs(forward)[0].abs().max() > 0, "method is two, not the default"


def test_a_config_that_is_none_is_refused(tmp_path: Path) -> None:
    root = robust_kbench(tmp_path)
    (root / "tasks/plain/config_forward.json").write_text('{"single_input_configs": []}')
    (refusal,) = load_suite(str(root)).refused
    assert "is no config of robust-kbench" in refusal.reason


def test_multikernelbench(tmp_path: Path) -> None:
    loaded = load_suite(str(multikernelbench(tmp_path)))
    scale, norm = loaded.tasks
    assert (scale.meta.category, norm.meta.category) == ("activation", "npukernelbench_level1")
    assert norm.meta.level == 1
    assert [dict(s) for s in norm.meta.shapes] == [{"CASE": 1}]
    assert len(Reference(norm).inputs(0)) == 1, "a list and None are fixed, not given"
    assert outputs(norm)[0].shape == (2, 8)
    assert outputs(norm, {"CASE": 1})[0].shape == (3, 5)


def test_categories_come_from_the_table_where_there_is_one(tmp_path: Path) -> None:
    table = 'dataset = {"scale": {"category": "elementwise"}}'
    scale, _ = load_suite(str(multikernelbench(tmp_path, table))).tasks
    assert scale.meta.category == "elementwise"


def test_kernelbench_hard(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    loaded = load_suite(str(kernelbench_hard(tmp_path)))
    (task,) = loaded.tasks
    assert (task.name, task.meta.title, task.meta.category) == (
        "kernelbench-hard/01_product",
        "Product",
        "gemm",
    )
    assert [dict(s) for s in task.meta.shapes] == [{"ROWS": 5, "K": 7}]
    assert task.meta.tolerance == "tf32"
    reference = Reference(task)
    assert reference.operations(reference.inputs(0)) == 2 * 4 * 6 * 3
    assert outputs(task, {"ROWS": 5, "K": 7})[0].shape == (5, 3)
    (refusal,) = loaded.refused
    assert refusal.name == "02_empty" and "its status is stub" in refusal.reason


@pytest.mark.parametrize(
    ("tolerance", "found"),
    [("{bfloat16: 0.02}", "bf16"), ("{a: {atol: 1e-5, rtol: 1e-4}}", "fp32"), ("{a: 1e-9}", None)],
)
def test_tolerances_become_classes(tmp_path: Path, tolerance: str, found: str | None) -> None:
    pytest.importorskip("yaml")
    root = kernelbench_hard(tmp_path)
    path = root / "problems/01_product/problem.yaml"
    path.write_text(f"name: x\ntolerance: {tolerance}\n")
    assert load_suite(str(root)).tasks[0].meta.tolerance == found


def test_yaml_that_is_none_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    written(tmp_path, {"problems/01_x/problem.yaml": "a: [1\nb: }"})
    (refusal,) = load_suite(str(tmp_path)).refused
    assert "is not YAML" in refusal.reason and "\n" not in refusal.reason


def test_an_empty_folder_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no suite"):
        load_suite(str(tmp_path))
