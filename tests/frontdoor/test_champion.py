"""The published file runs on its own, and next to the harness too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL

from kernelwright.champion import standalone
from kernelwright.harness.candidate import Candidate

WITHOUT_KERNELWRIGHT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "kernelwright":
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, sys.argv[1])
import torch
import kernel

x = torch.randn(5, 7)
assert torch.equal(kernel.ModelNew()(x), torch.relu(x) * 2)
assert "kernelwright" not in sys.modules
assert kernel.compiler == "a name that the carried builder uses too"
print("ran")
"""


def test_it_runs_without_kernelwright(tmp_path: Path) -> None:
    made = standalone(Candidate(KERNEL), ["a header", "", "of lines"])
    assert made.lacking is None
    assert made.text.startswith("# a header\n#\n# of lines\n")
    (tmp_path / "kernel.py").write_text(made.text)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERNELWRIGHT, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout == "ran\n", done.stderr


def test_with_kernelwright_it_uses_that(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernelwright.harness import inline_cpp

    built: list[str] = []

    def build(source: str, flags: object) -> str:
        built.append(source)
        raise inline_cpp.BuildError("seen")

    monkeypatch.setattr(inline_cpp, "BUILDER", build)
    text = standalone(Candidate(KERNEL), []).text
    with pytest.raises(inline_cpp.BuildError, match="seen"):
        exec(compile(text, "kernel.py", "exec"), {"__name__": "kernel"})
    assert len(built) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Doc."""\nfrom __future__ import annotations\nfrom kernelwright.inline import cpp\nx = 1\n',
        "from __future__ import (\n    annotations,\n    division,\n)\n"
        "from kernelwright.inline import (\n    cpp as build,  # ünïcode\n    tuned,\n)\nx = 1\n",
        "from kernelwright.inline import cpp  # why\nfrom kernelwright.inline import tuned\nx = 1\n",
    ],
)
def test_forms_of_the_import(source: str) -> None:
    made = standalone(Candidate(source), ["head"])
    assert made.lacking is None
    tree = ast.parse(made.text)
    compile(tree, "kernel.py", "exec")
    tries = [node for node in tree.body if isinstance(node, ast.Try)]
    assert len(tries) == source.count("kernelwright.inline")
    assert ast.unparse(tree.body[-1]) == "x = 1"


@pytest.mark.parametrize(
    "source",
    [
        "import kernelwright.inline\n",
        "from kernelwright.inline import *\n",
        "x = 1; from kernelwright.inline import cpp\n",
        "def f():\n    from kernelwright.inline import cpp\n",
    ],
)
def test_what_cannot_be_carried_is_said(source: str) -> None:
    made = standalone(Candidate(source), [])
    assert made.lacking is not None
    assert "kernelwright" in made.lacking
    assert ast.dump(ast.parse(made.text)) == ast.dump(ast.parse(source))


def test_a_kernel_that_imports_nothing_of_ours_is_left_alone() -> None:
    source = "import torch\n\nclass ModelNew: ...\n"
    assert standalone(Candidate(source), ["head"]).text == f"# head\n\n{source}"
