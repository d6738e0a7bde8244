"""Loaders of flashinfer-bench and SOL-ExecBench, on data of the same schema that was written here."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.loaders.definitions import FLASHINFER_BENCH, SOL_EXECBENCH
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.reference import Reference

Json = dict[str, object]
Problem = Callable[..., Path]

REFERENCE = """
import torch

def run(x, scale, eps):
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * scale
"""


def definition(**changes: object) -> Json:
    """A small normalisation; entries may be exchanged."""
    return {
        "name": "tiny_norm",
        "op_type": "rmsnorm",
        "axes": {
            "rows": {"type": "var"},
            "width": {"type": "const", "value": 32},
            "half": {"type": "expr", "expression": "width // 2"},
        },
        "inputs": {
            "x": {"shape": ["rows", "width"], "dtype": "float32"},
            "scale": {"shape": ["width"], "dtype": "float32"},
            "eps": {"shape": None, "dtype": "float32"},
        },
        "outputs": {"y": {"shape": ["rows", "width"], "dtype": "float32"}},
        "reference": REFERENCE,
        **changes,
    }


def workload(rows: int, *, kind: str = "random", eps: float = 1e-5, **more: object) -> Json:
    inputs: dict[str, Mapping[str, object]] = {
        "x": {"type": kind},
        "scale": {"type": kind},
        "eps": {"type": "scalar", "value": eps},
    }
    return {"uuid": f"w{rows}", "axes": {"rows": rows}, "inputs": inputs, **more}


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    """Writes a problem as SOL-ExecBench has it, and gives the folder above."""

    def write(data: Json, *workloads: Json, name: str = "tiny") -> Path:
        folder = tmp_path / "suite" / name
        folder.mkdir(parents=True)
        (folder / "definition.json").write_text(json.dumps(data))
        lines = "\n".join(json.dumps(one) for one in workloads)
        (folder / "workload.jsonl").write_text(lines)
        return tmp_path / "suite"

    return write


def reason(loaded: Loaded) -> str:
    assert not loaded.tasks
    return loaded.refused[0].reason


def test_a_definition_is_a_task_whose_axes_are_constants(problem: Problem) -> None:
    loaded = SOL_EXECBENCH.load(problem(definition(), workload(4), workload(64), workload(16)))
    (task,) = loaded.tasks
    assert task.name == "sol-execbench/tiny_norm"
    assert task.meta.category == "rmsnorm"
    reference = Reference(task)
    assert reference.constants == {"rows": 64, "width": 32, "half": 16}
    assert [shape["rows"] for shape in task.meta.shapes] == [4, 16]
    x, scale, eps = reference.inputs(1)
    assert isinstance(x, torch.Tensor)
    assert isinstance(scale, torch.Tensor)
    assert eps == 1e-5
    (y,) = reference.run(reference.build(0), [x, scale, eps])
    assert torch.allclose(y, torch.nn.functional.rms_norm(x, [32], scale, 1e-5))


def test_every_shape_runs(problem: Problem) -> None:
    (task,) = SOL_EXECBENCH.load(problem(definition(), workload(4), workload(8))).tasks
    for shape in task.meta.shapes:
        reference = Reference(task, shape)
        (y,) = reference.run(reference.build(0), reference.inputs(0))
        assert y.shape == (shape["rows"], 32)


def test_a_trace_is_read_by_definition(tmp_path: Path) -> None:
    for folder in ("definitions", "workloads"):
        (tmp_path / folder / "norm").mkdir(parents=True)
    (tmp_path / "definitions/norm/tiny_norm.json").write_text(json.dumps(definition()))
    line = {"definition": "tiny_norm", "workload": workload(8), "solution": None}
    (tmp_path / "workloads/norm/tiny_norm.jsonl").write_text(json.dumps(line))
    assert FLASHINFER_BENCH.recognises(tmp_path)
    assert not SOL_EXECBENCH.recognises(tmp_path)
    (task,) = FLASHINFER_BENCH.load(tmp_path).tasks
    assert Reference(task).constants["rows"] == 8


def test_inputs_may_be_made_by_the_reference(problem: Problem) -> None:
    made = """
def make(axes, device):
    import torch
    return {"x": torch.full((axes["rows"], axes["width"]), axes["eps"]), "scale": torch.ones(32)}
"""
    data = definition(reference=REFERENCE + made, custom_inputs_entrypoint="make")
    (task,) = SOL_EXECBENCH.load(problem(data, workload(4, kind="custom", eps=0.5))).tasks
    x, *_ = Reference(task).inputs(0)
    assert isinstance(x, torch.Tensor)
    assert torch.equal(x, torch.full((4, 32), 0.5))


def test_a_dictionary_of_outputs_comes_in_the_definitions_order(problem: Problem) -> None:
    data = definition(
        reference="def run(x, scale, eps):\n    return {'b': x + eps, 'a': x}",
        outputs={name: {"shape": ["rows", "width"], "dtype": "float32"} for name in ("a", "b")},
    )
    (task,) = SOL_EXECBENCH.load(problem(data, workload(4, eps=1.0))).tasks
    reference = Reference(task)
    inputs = reference.inputs(0)
    a, b = reference.run(reference.build(0), inputs)
    assert torch.equal(a, inputs[0]) if isinstance(inputs[0], torch.Tensor) else False
    assert torch.equal(b, a + 1)


def test_what_is_too_large_is_cut_down(problem: Problem) -> None:
    axes = {"rows": {"type": "var"}, "width": {"type": "const", "value": 1 << 16}}
    loaded = SOL_EXECBENCH.load(problem(definition(axes=axes), workload(4096)))
    (task,) = loaded.tasks
    assert task.meta.full == ({"rows": 4096, "width": 1 << 16},)
    numbers = Reference(task).constants
    assert numbers["rows"] * numbers["width"] <= 1 << 21
    assert "in the source width = 65536" in task.source


def test_what_its_reference_fixes_is_not_cut_down(problem: Problem) -> None:
    axes = {"rows": {"type": "const", "value": 4096}, "width": {"type": "const", "value": 65536}}
    text = REFERENCE.replace("    return", "    assert x.shape == (4096, 65536)\n    return")
    data = definition(axes=axes, reference=text)
    found = reason(SOL_EXECBENCH.load(problem(data, {**workload(1), "axes": {}})))
    assert "too large" in found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reference": "def go(x): ..."}, "defines no run()"),
        ({"reference": "def run(:"}, "is not Python"),
        ({"reference": "class Model: ...\ndef run(x): ..."}, "binds Model"),
        ({"outputs": {"y": {"shape": ["rows"], "dtype": "float8_e4m3fn"}}}, "float8_e4m3fn"),
        ({"inputs": {"x": {"shape": ["cols"], "dtype": "float32"}}}, "no axis"),
        ({"axes": {"rows": {"type": "magic"}}}, "'magic'"),
        ({"axes": None}, "'axes' is missing"),
        ({"custom_inputs_entrypoint": "absent"}, "no absent()"),
    ],
)
def test_what_cannot_be_a_task_is_refused_with_its_reason(
    problem: Problem, changes: Json, said: str
) -> None:
    assert said in reason(SOL_EXECBENCH.load(problem(definition(**changes), workload(4))))


def test_numbers_from_a_file_are_refused(problem: Problem) -> None:
    stored = workload(4)
    stored["inputs"] = {"x": {"type": "safetensors", "path": "a", "tensor_key": "b"}}
    assert "safetensors" in reason(SOL_EXECBENCH.load(problem(definition(), stored)))


def test_workloads_with_other_numbers_are_named(problem: Problem) -> None:
    loaded = SOL_EXECBENCH.load(problem(definition(), workload(4), workload(8, eps=0.1)))
    assert len(loaded.tasks) == 1
    assert loaded.refused[0].name == "sol-execbench/tiny_norm, workload w8"


def test_the_tolerance_of_the_source_is_kept_beside(problem: Problem) -> None:
    stated = workload(4, tolerance={"max_atol": 0.25})
    (task,) = SOL_EXECBENCH.load(problem(definition(), stated)).tasks
    assert "max_atol 0.25" in task.source
    assert task.meta.tolerance is None


def test_an_empty_checkout_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "src" / "sol_execbench").mkdir(parents=True)
    assert SOL_EXECBENCH.recognises(tmp_path)
    with pytest.raises(TaskError, match="holds no definition"):
        SOL_EXECBENCH.load(tmp_path)


def test_files_that_are_no_json_are_refused_and_the_rest_is_loaded(problem: Problem) -> None:
    root = problem(definition(), workload(4))
    broken = root / "broken"
    broken.mkdir()
    (broken / "definition.json").write_text("{")
    loaded = SOL_EXECBENCH.load(root)
    assert len(loaded.tasks) == 1
    assert "is not JSON" in loaded.refused[0].reason
