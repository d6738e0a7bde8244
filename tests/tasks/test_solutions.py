"""Solutions as candidates, on data that was written here."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kernelwright.tasks.loaders.definitions import SOL_EXECBENCH, Made, definition_files, make
from kernelwright.tasks.loaders.definitions_schema import Malformed
from kernelwright.tasks.loaders.solutions import Adapted, adapt, read_solution, solution_files

DEFINITION = {
    "name": "pair",
    "axes": {"rows": {"type": "var"}, "width": {"type": "const", "value": 8}},
    "inputs": {"x": {"shape": ["rows", "width"], "dtype": "float32"}},
    "outputs": {
        "twice": {"shape": ["rows", "width"], "dtype": "float32"},
        "total": {"shape": ["rows"], "dtype": "float32"},
    },
    "reference": "import torch\n\ndef run(x):\n    return 2 * x, x.sum(-1)\n",
}
RETURNS = "def go(x):\n    return x + x, x.sum(-1)\n"
WRITES = "def go(x, twice, total):\n    twice.copy_(x + x)\n    total.copy_(x.sum(-1))\n"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    folder = tmp_path / "pair"
    folder.mkdir()
    (folder / "definition.json").write_text(json.dumps(DEFINITION))
    line = {"uuid": "w", "axes": {"rows": 4}, "inputs": {"x": {"type": "random"}}}
    (folder / "workload.jsonl").write_text(json.dumps(line))
    (file,) = definition_files(tmp_path)
    return make(file, tmp_path, SOL_EXECBENCH.name)


def solve(folder: Path, made: Made, text: str = RETURNS, **spec: object) -> Adapted:
    """A solution is written, read and adapted."""
    entry = spec.pop("entry_point", "kernel.py::go")
    sources = spec.pop("sources", [{"path": "kernel.py", "content": text}])
    whole = {
        "name": "mine",
        "definition": "pair",
        "spec": {"languages": ["pytorch"], "entry_point": entry, **spec},
        "sources": sources,
    }
    file = folder / "solution.json"
    file.write_text(json.dumps(whole))
    assert file in solution_files(folder)
    return adapt(read_solution(file), made)


@pytest.mark.parametrize(("text", "passed"), [(RETURNS, False), (WRITES, True)])
def test_both_calling_styles_become_a_model(
    tmp_path: Path, made: Made, text: str, passed: bool
) -> None:
    found = solve(tmp_path, made, text, destination_passing_style=passed)
    assert found.needs is None
    names: dict[str, Any] = {}
    exec(found.text, names)
    x = torch.randn(3, 8)
    twice, total = names["ModelNew"]()(x)
    assert torch.equal(twice, 2 * x)
    assert torch.allclose(total, x.sum(-1))


def test_outputs_are_passed_unless_said_otherwise(tmp_path: Path, made: Made) -> None:
    assert "go(x, twice, total)" in solve(tmp_path, made, WRITES).text


def test_cuda_is_carried_as_text_and_says_what_it_needs(tmp_path: Path, made: Made) -> None:
    sources = [
        {"path": "main.cpp", "content": '#include "k.h"\n// "quoted" \\n'},
        {"path": "k.cu", "content": "__global__ void k() {}"},
    ]
    found = solve(
        tmp_path,
        made,
        languages=["cuda_cpp"],
        entry_point="main.cpp::go",
        sources=sources,
        binding="torch",
        destination_passing_style=False,
    )
    assert found.needs == "nvcc and an NVIDIA GPU"
    tree = ast.parse(found.text)
    table = next(n.value for n in tree.body if isinstance(n, ast.Assign))
    assert ast.literal_eval(table)["main.cpp"] == sources[0]["content"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"languages": ["cute_dsl"]}, "CuTe DSL"),
        ({"languages": ["cobol"]}, "no language"),
        ({"languages": ["cuda"]}, "tvm-ffi"),
        ({"entry_point": "kernel.py"}, "FILE::FUNCTION"),
        ({"entry_point": "other.py::go"}, "not among its sources"),
        ({"entry_point": "kernel.py::absent"}, "defines no absent()"),
        ({"sources": [{"path": "../kernel.py", "content": "x"}], "entry_point": "../kernel.py::go"},
         "leaves its folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_candidate_says_why(
    tmp_path: Path, made: Made, spec: dict[str, Any], said: str
) -> None:
    with pytest.raises(Malformed, match=said):
        solve(tmp_path, made, **spec)


def test_solutions_may_rely_on_contiguous_inputs(tmp_path: Path, made: Made) -> None:
    text = "def go(x):\n    y = x.view(-1)\n    return 2 * x, y.view(x.shape).sum(-1)\n"
    found = solve(tmp_path, made, text, destination_passing_style=False)
    names: dict[str, Any] = {}
    exec(found.text, names)
    x = torch.randn(8, 3).T
    assert torch.equal(names["ModelNew"]()(x)[0], 2 * x)
