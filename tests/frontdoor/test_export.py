"""`export`: what comes out stands without kernelwright, is right, and falls back cleanly."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeCoder, FakeEvaluator, rejected

from kernelwright.cli import main
from kernelwright.export.hub_sources import CppSource, cpp_sources
from kernelwright.export.python_text import Parts, single_file
from kernelwright.export.specify import specify
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import read_task

TASK = '''
import torch

ROWS, COLS = 16, 24
TASK = {"backward": True, "shapes": [{"ROWS": 5, "COLS": 7}]}


class Model(torch.nn.Module):
    """Its text tries to end """ + "the literal that holds it: \'\'\' \\\\ é"

    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(width))

    def forward(self, x):
        return x * x * self.scale


def get_inputs():
    return [torch.randn(ROWS, COLS)]


def get_init_inputs():
    return [COLS]
'''
SQUARE = '''
import torch
from kernelwright.inline import cpp

lib = cpp(r"""
extern "C" void square(const float* x, const float* s, float* y, long n, long w) {
    for (long i = 0; i < n; i++) y[i] = x[i] * x[i] * s[i % w];
}
""")


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s):
        ctx.save_for_backward(x, s)
        y = torch.empty_like(x)
        lib.square(x, s, y, x.numel(), s.numel())
        return y

    @staticmethod
    def backward(ctx, grad):
        x, s = ctx.saved_tensors
        return 2 * grad * x * s, (grad * x * x).sum(0)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.rand(width))

    def forward(self, x):
        return Square.apply(x.contiguous(), self.scale)
'''
Export = Callable[..., Path]
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "kernelwright":
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def made(
    tmp_path: Path,
    evaluator: type[FakeEvaluator],
    cast: Callable[[FakeCoder], None],
    capfd: pytest.CaptureFixture[str],
) -> Callable[[str, str], Path]:
    """Makes a run with this task and champion, judged by the stand-in; gives its folder."""

    def make(task: str, kernel: str) -> Path:
        file = tmp_path / "square_scale.py"
        file.write_text(task)
        cast(FakeCoder(kernel))
        assert main(["optimize", str(file), "--out", str(tmp_path / "runs")]) == 0
        capfd.readouterr()
        return next((tmp_path / "runs").glob("square_scale/*/run.db")).parent

    return make


def run_python(folder: Path, code: str, **env: str) -> str:
    """Run in a fresh process that has no kernelwright, from that folder."""
    done = subprocess.run(
        [sys.executable, "-c", ABSENT + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_pytest(folder: Path, test: str) -> str:
    (folder / "absent.py").write_text(ABSENT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "absent", "-p", "no:cacheprovider", test]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_package_with_backward_stands_its_own_test(
    made: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """Among others: inside torch.compile of a small model, opcheck, gradcheck."""
    out = tmp_path / "package"
    run = made(TASK, SQUARE)
    assert main(["export", str(run), "--out", str(out), "--name", "mine.square_scale"]) == 0
    said = run_pytest(out, "tests/test_square_scale.py")
    assert "10 passed" in said, said


@pytest.mark.slow
def test_a_single_file_stands_its_own_test(
    made: Callable[[str, str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "file"
    run = made(Path(__file__).with_name("frontdoor_fakes.py").read_text().split('"""')[3], KERNEL)
    assert main(["export", str(run), "--out", str(out), "--layout", "file"]) == 0
    assert "6 passed" in run_pytest(out, "test_square_scale.py")


USE = """
import warnings
import torch
from mine import OPERATOR, SquareScale, square_scale

torch.manual_seed(0)
x, module = torch.randn(16, 24), SquareScale(24)
w = module.scale
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert torch.allclose(module(x), x * x * w)
    assert torch.allclose(square_scale(x, w), x * x * w)
    assert torch.allclose(module(x=x), x * x * w)
    y = x.clone().requires_grad_()
    module(y).sum().backward()
    assert torch.allclose(y.grad, 2 * x * w)
print(OPERATOR.unavailable, [str(one.message) for one in said])
print(OPERATOR.uses_kernel((x,), (w,)), OPERATOR.uses_kernel((x.t(),), (w,)))
print(OPERATOR.uses_kernel((x[:3],), (w,)), OPERATOR.uses_kernel((x.double(),), (w.double(),)))
for other in (x[:3], torch.randn(24, 16).t(), x.double()):
    assert torch.allclose(module.to(other.dtype)(other), other * other * module.scale)
wide = SquareScale(3)
assert torch.allclose(wide(x[:, :3]), x[:, :3] ** 2 * wide.scale)
with torch.autocast("cpu", dtype=torch.bfloat16):
    assert torch.allclose(module.float()(x), x * x * module.scale)
"""


def test_it_dispatches_and_falls_back(made: Callable[[str, str], Path], tmp_path: Path) -> None:
    out = tmp_path / "package"
    run = made(TASK, SQUARE)
    assert main(["export", str(run), "--out", str(out), "--name", "mine.square_scale"]) == 0
    assert run_python(out, USE) == "None []\nTrue False\nFalse False\n"


def test_without_a_compiler_the_reference_runs_with_one_warning(
    made: Callable[[str, str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "package"
    run = made(TASK, SQUARE)
    assert main(["export", str(run), "--out", str(out), "--name", "mine.square_scale"]) == 0
    nowhere = {"PATH": str(tmp_path), "CXX": "", "KERNELWRIGHT_CACHE": str(tmp_path / "cache")}
    first, *rest = run_python(out, USE, **nowhere).splitlines()
    assert first.count("no C++ compiler") == 2 and first.count("the reference runs instead") == 1
    assert rest == ["False False", "False False"]
    (out / "mine" / "kernel.py").unlink()
    assert run_python(out, USE).count("the reference runs instead") == 1


CHANGED = """
import torch
from mine import SquareScale

x, module = torch.randn(16, 24), SquareScale(24)
for _ in range(3):
    with torch.no_grad():
        module.scale.uniform_()
    assert torch.allclose(module(x), x * x * module.scale)
    module.load_state_dict({"scale": torch.rand(24)}, assign=True)
    assert torch.allclose(module(x), x * x * module.scale)
a, b = SquareScale(24), SquareScale(24)
assert torch.allclose(a(x) + b(x), x * x * (a.scale + b.scale))
y = torch.func.grad(lambda v: torch.func.functional_call(a, {"scale": b.scale}, v).sum())(x)
assert torch.allclose(y, 2 * x * b.scale)
"""


def test_it_follows_its_weights(made: Callable[[str, str], Path], tmp_path: Path) -> None:
    out = tmp_path / "package"
    run = made(TASK, SQUARE)
    assert main(["export", str(run), "--out", str(out), "--name", "mine.square_scale"]) == 0
    run_python(out, CHANGED)


@pytest.mark.slow
def test_the_harness_judges_the_exported_file_as_it_is(tmp_path: Path) -> None:
    """A single file is a candidate too: right in every form, and its own code at work."""
    from kernelwright.champion import standalone
    from kernelwright.harness.candidate import Candidate
    from kernelwright.harness.evaluate import Evaluator

    file = tmp_path / "square_scale.py"
    file.write_text(TASK)
    task = read_task(file, "square_scale")
    spec, _ = specify(task, "mine::square_scale", "cpu")
    kernel = standalone(Candidate(SQUARE), ["a header"]).text
    text = single_file(Parts(spec, [], kernel, TASK))
    with Evaluator(task) as evaluator:
        verdict = evaluator.evaluate(Candidate(text))
    assert verdict.accepted, verdict.errors


def test_the_files_of_each_layout(
    made: Callable[[str, str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = made(TASK, SQUARE)
    for layout in ("file", "package", "hf-kernels"):
        out = tmp_path / layout
        arguments = ["--layout", layout, "--name", "mine.square_scale", "--json"]
        assert main(["export", str(run), "--out", str(out), *arguments]) == 0
        told = json.loads(capfd.readouterr().out)
        files = sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file())
        assert told["files"] == files
        assert told["exported"]["verdict"] == "accepted"
        for name in files:
            text = (out / name).read_text()
            assert str(tmp_path) not in text
            if name.endswith(".py"):
                tree = ast.parse(text)
                found = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
                assert name.endswith("kernel.py") or "kernelwright.inline" not in found
        card = (out / "README.md").read_text()
        assert "2.00x [1.90, 2.10]" in card and "Some Processor" in card
        assert "x float32[5, 7]" in card and "Model(7)" in card


REGISTRATION = """
#pragma once
#include <Python.h>
#define KW_JOIN_(a, b) a##b
#define KW_JOIN(a, b) KW_JOIN_(a, b)
#define TORCH_LIBRARY_EXPAND(NAME, MODULE) TORCH_LIBRARY(NAME, MODULE)
#define REGISTER_EXTENSION(NAME)                                                       \\
  PyMODINIT_FUNC KW_JOIN(PyInit_, NAME)() {                                            \\
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "x", nullptr, 0, nullptr}; \\
    return PyModule_Create(&module);                                                   \\
  }
"""
BUILT = """
import json, sys, tomllib, warnings
from pathlib import Path
import torch
from torch.utils.cpp_extension import load

hub = Path(sys.argv[1])
build = tomllib.loads((hub / "build.toml").read_text())
(kernel,) = build["kernel"].values()
load(
    "my_ops_1a2b",
    [str(hub / name) for name in (*build["torch"]["src"], *kernel["src"]) if name.endswith(".cpp")],
    extra_cflags=kernel["cxx-flags"],
    extra_include_paths=[str(hub / "builder"), str(hub / "torch-ext")],
    build_directory=str(hub / "builder"),
    is_python_module=False,
)
sys.path.insert(0, str(hub / "torch-ext"))
from my_ops import OPERATOR, SquareScale

x, m = torch.randn(16, 24), SquareScale(24)
with warnings.catch_warnings():
    warnings.filterwarnings("error", message=".*the reference runs instead.*")
    y = x.clone().requires_grad_()
    m(y).sum().backward()
    assert torch.allclose(m(x), x * x * m.scale)
    assert torch.allclose(y.grad, 2 * x * m.scale)
    assert torch.allclose(torch.compile(m, fullgraph=True)(x), x * x * m.scale)
assert OPERATOR.uses_kernel((x,), (m.scale,)) and OPERATOR.unavailable is None
"""
OPS = """
import torch

ops = torch.ops.my_ops_1a2b


def add_op_namespace_prefix(name):
    return f"my_ops_1a2b::{name}"
"""


def hub(run: Path, out: Path) -> Path:
    arguments = ["--layout", "hf-kernels", "--name", "my_ops.square_scale"]
    assert main(["export", str(run), "--out", str(out), *arguments]) == 0
    (out / "torch-ext" / "my_ops" / "_ops.py").write_text(OPS)  # which the builder writes
    return out


def test_the_layout_of_hugging_face(made: Callable[[str, str], Path], tmp_path: Path) -> None:
    """By https://huggingface.co/docs/kernels/builder/writing-kernels; the builder was not tried."""
    out = hub(made(TASK, SQUARE), tmp_path / "hub")
    build = tomllib.loads((out / "build.toml").read_text())
    assert build["general"]["name"] == "my-ops"
    assert build["general"]["backends"] == ["cpu"]
    (kernel,) = build["kernel"].values()
    assert kernel["backend"] == "cpu" and kernel["depends"] == ["torch"]
    assert "-march=x86-64-v3" in kernel["cxx-flags"]  # by what the stand-in's processor has
    for name in (*build["torch"]["src"], *kernel["src"], "CARD.md", "README.md", "flake.nix"):
        assert (out / name).stat().st_size > 0
    binding = (out / "torch-ext" / "torch_binding.cpp").read_text()
    assert "(Tensor a0, Tensor a1, Tensor(m2!) a2, int a3, int a4) -> ()" in binding
    inner = out / "torch-ext" / "my_ops"
    assert sorted(f.name for f in inner.iterdir()) == [
        "__init__.py", "_native.py", "_ops.py", "kernel.py", "op.py", "reference.py",
    ]  # fmt: skip
    allowed = set(sys.stdlib_module_names) | {"torch"}
    for file in inner.iterdir():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").partition(".")[0] in allowed, file
    # Without the compiled part the rest works as it lies there: by the reference, with one warning.
    said = run_python(
        out / "torch-ext",
        "import torch\nfrom my_ops import SquareScale\nx, m = torch.randn(16, 24), SquareScale(24)\n"
        "assert torch.allclose(m(x), x * x * m.scale)\nprint(torch.ops.my_ops_1a2b.square_scale)\n",
    )
    assert "my_ops_1a2b" in said


@pytest.mark.slow
def test_its_native_part_builds_and_runs(
    made: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torch's own builder in the place of Hugging Face's, and its header made up."""
    out = hub(made(TASK, SQUARE), tmp_path / "hub")
    (out / "builder").mkdir()
    (out / "builder" / "registration.h").write_text(REGISTRATION)
    (out / "build.py").write_text(BUILT)
    done = subprocess.run(
        [sys.executable, "build.py", str(out)], cwd=out, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "kernel",
    [
        "import torch\n",
        "lib = cpp(open('x').read())\n",
        "A = 'a'\nA += 'b'\nlib = cpp(A, flags=[F])\n",
        "def f(s, t):\n    return cpp(s + t)\nf(*['a', 'b'])\n",
    ],
)
def test_sources_that_cannot_be_told(kernel: str) -> None:
    assert cpp_sources(kernel) is None


def test_sources_that_can_be_told() -> None:
    kernel = (
        "P = tuned(N=[4, 8], M=[2])\nA, B = 'x', 'y'\nC = 'c'\nD = C + 'd'\n"
        "lib = cpp(C + D, defines=P)\ndef f(s):\n    return cpp(D + s, flags=['-O1'])\n"
        "class K:\n    def forward(self):\n        return f(C), f('e')\n"
    )
    assert cpp_sources(kernel) == [
        CppSource("cdc", ("-O1",)),
        CppSource("cde", ("-O1",)),
        CppSource("ccd", ("-DM=2", "-DN=4")),
    ]


REFUSED = {
    "changes its inputs": "x.add_(1)\n        return x * 1",
    "changes its buffers": "self.seen += 1\n        return x * self.seen",
    "its shapes do not follow": "return x[x > 0]",
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_an_operator(why: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        "import torch\nclass Model(torch.nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.register_buffer('seen', torch.zeros(()))\n"
        f"    def forward(self, x):\n        {REFUSED[why]}\n"
        "def get_inputs():\n    return [torch.randn(4, 4)]\n"
    )
    with pytest.raises(UsageError, match=why):
        specify(read_task(file, "odd"), "mine::odd", "cpu")


def test_a_constant_that_the_code_reads_keeps_other_shapes_out(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        "import torch\nN, M = 4, 3\nHALF = N // 2\n"
        "TASK = {'shapes': [{'N': 8}, {'M': 5}]}\n"
        "class Model(torch.nn.Module):\n    def forward(self, x, k, flag):\n"
        "        y = x.view(HALF, -1) * k\n        return {'a': y, 'b': [x + 1, None]}\n"
        "def get_inputs():\n    return [torch.randn(N, M), 3, True]\n"
    )
    spec, notes = specify(read_task(file, "odd"), "mine::odd", "cpu")
    assert [form.constants for form in spec.forms] == [{}, {"M": 5}]
    assert notes == ["not at N=8: the reference's code reads N"]
    assert spec.outputs == {"a": 0, "b": [1, None]}
    assert (spec.arguments, spec.returns) == (("x", "k", "flag"), 2)


def test_bad_use(
    made: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run, out = made(TASK, SQUARE), tmp_path / "out"
    assert main(["export", str(run)]) == 2
    assert main(["export", str(run), "--out", str(out), "--name", "No.Such"]) == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    assert main(["export", str(run), "--out", str(tmp_path / "full")]) == 2
    monkeypatch.setattr(FakeEvaluator, "evaluate", lambda self, candidate, **_: rejected())
    assert main(["export", str(run), "--out", str(out)]) == 1
    assert not out.exists()
    assert main(["export", str(run), "--out", str(out), "--no-check"]) == 0
    assert "was not judged: --no-check was given" in (out / "README.md").read_text()
    (run / "champion" / "kernel.py").write_text("changed")
    assert main(["export", str(run), "--out", str(out)]) == 2
    assert "was changed after it was judged" in capfd.readouterr().err


def test_the_gallery(made: Callable[[str, str], Path], tmp_path: Path) -> None:
    run = made(TASK, SQUARE)
    assert main(["export", str(run), "--runs", str(tmp_path / "runs"), "--gallery"]) == 0
    item = tmp_path / "runs" / "gallery" / "square_scale"
    names = ["README.md", "card.json", "kernel.py", "task.py"]
    assert sorted(file.name for file in item.iterdir()) == names
    assert (item / "kernel.py").read_text() == (run / "champion" / "kernel.py").read_text()
    assert str(tmp_path) not in (item / "card.json").read_text()
    assert "2.00x [1.90, 2.10]" in (item / "README.md").read_text()
