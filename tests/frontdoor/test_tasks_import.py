"""`tasks import`, on results and suites that were written here."""

import json
from pathlib import Path

import pytest

from kernelwright.bench.kernels import kernels_below
from kernelwright.cli import main
from kernelwright.tasks.load import list_suite

REFERENCE = """import torch
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        return x + 1

def get_inputs():
    return [torch.randn(4)]
"""
KERNEL = REFERENCE.replace("Model", "ModelNew")
AGENT = "def kernel_function(x):\n    return x + 1\n"
Json = dict[str, object]


def line(problem: int, code: str | None = KERNEL, **more: object) -> Json:
    return {
        "level_id": 1,
        "task_id": problem,
        "ref_code": REFERENCE,
        "custom_code": code,
        "score_default": None if code is None else 2.5,
        **more,
    }


def results(folder: Path, device: str, *lines: Json) -> Path:
    file = folder / "optimized_cuda_code" / f"{device}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return folder


def test_cuda_l1s_results_are_tasks_kernels_and_claims(tmp_path: Path) -> None:
    source = results(tmp_path / "l1", "h100", line(1), line(2, REFERENCE), line(3, None))
    results(source, "a100", line(1))
    out = tmp_path / "out"
    assert main(["tasks", "import", str(source), "--out", str(out)]) == 0
    tasks = list_suite(str(out / "tasks"))
    assert [task.name for task in tasks] == [f"cuda-l1/level1-{i}" for i in (1, 2, 3)]
    kernels = kernels_below(out / "kernels", tasks)
    assert not kernels.strangers
    assert [len(kernels.of.get(task.name, ())) for task in tasks] == [2, 1, 0]
    assert "ModelNew = Model" in (out / "kernels/level1-2/h100.py").read_text()
    claims = json.loads((out / "claims.json").read_text())["kernels"]["level1-1/h100.py"]
    assert claims["device"] == "h100"
    assert claims["claimed"]["eager"] == 2.5
    assert claims["claimed"]["compile"] is None


def test_kernels_may_be_named_after_a_suite(tmp_path: Path) -> None:
    source = results(tmp_path / "l1", "h100", line(1), line(7))
    bench = tmp_path / "bench" / "level1"
    bench.mkdir(parents=True)
    (bench / "1_Add__one_.py").write_text(REFERENCE)
    spec = f"kernelbench:{tmp_path / 'bench'}"
    out = tmp_path / "out"
    assert main(["tasks", "import", str(source), "--for", spec, "--out", str(out)]) == 0
    assert not (out / "tasks").exists()
    kernels = kernels_below(out / "kernels", list_suite(spec))
    assert list(kernels.of) == ["kernelbench/level1/1_Add__one_"]
    assert not kernels.strangers


@pytest.mark.parametrize("fenced", [False, True])
def test_kernelagents_sessions_are_tasks_and_kernels(tmp_path: Path, fenced: bool) -> None:
    session = tmp_path / "logs" / "session_1"
    session.mkdir(parents=True)
    problem = f"Make it fast:\n```python\n{REFERENCE}```\n" if fenced else REFERENCE
    (session / "problem.txt").write_text(problem)
    (session / "final_kernel.py").write_text(AGENT)
    out = tmp_path / "out"
    assert main(["tasks", "import", str(tmp_path / "logs"), "--out", str(out)]) == 0
    tasks = list_suite(str(out / "tasks"))
    (files,) = kernels_below(out / "kernels", tasks).of.values()
    assert "class ModelNew" in files[0].read_text()


def test_kernels_without_a_problem_need_a_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = tmp_path / "logs" / "session_1"
    session.mkdir(parents=True)
    (session / "problem.txt").write_text("a fast softmax")
    (session / "final_kernel.py").write_text(AGENT)
    out = tmp_path / "out"
    words = ["tasks", "import", f"kernelagent:{tmp_path / 'logs'}", "--out", str(out)]
    assert main(words) == 1
    assert "--for" in capsys.readouterr().out
    assert main([*words, "--for", "core/softmax"]) == 0
    assert (out / "kernels/core-softmax/session_1-final_kernel.py").is_file()


def test_a_suite_becomes_files_with_its_solutions(tmp_path: Path) -> None:
    folder = tmp_path / "suite" / "add"
    folder.mkdir(parents=True)
    tensor = {"shape": ["n"], "dtype": "float32"}
    definition = {
        "name": "add",
        "axes": {"n": {"type": "var"}},
        "inputs": {"x": tensor},
        "outputs": {"y": tensor},
        "reference": "import torch\ndef run(x):\n    return x + 1",
    }
    (folder / "definition.json").write_text(json.dumps(definition))
    random = {"uuid": "w", "axes": {"n": 64}, "inputs": {"x": {"type": "random"}}}
    (folder / "workload.jsonl").write_text(json.dumps(random))
    solution = {
        "name": "mine",
        "definition": "add",
        "spec": {"languages": ["pytorch"], "entry_point": "k.py::kernel_function",
                 "destination_passing_style": False},
        "sources": [{"path": "k.py", "content": AGENT}],
    }  # fmt: skip
    (folder / "solution.json").write_text(json.dumps(solution))
    out = tmp_path / "out"
    assert main(["tasks", "import", str(tmp_path / "suite"), "--out", str(out)]) == 0
    tasks = list_suite(str(out / "tasks"))
    assert [task.name for task in tasks] == ["sol-execbench/add"]
    assert list(kernels_below(out / "kernels", tasks).of) == ["sol-execbench/add"]


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert main(["tasks", "import", "core-mini", "--out", str(tmp_path)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("source", "said"),
    [("nowhere", "no suite, file or folder"), ("cuda-l1:nowhere", "no results of that tool")],
)
def test_what_is_no_source_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    assert main(["tasks", "import", source, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_a_broken_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = results(tmp_path / "l1", "h100", line(1))
    with (source / "optimized_cuda_code/h100.json").open("a") as file:
        file.write("{\n")
    assert main(["tasks", "import", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "h100.json:2 is not JSON" in capsys.readouterr().err
