"""Small checkouts in the layouts of other people's suites, written here."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

SCALE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, width, factor=2.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width))
        self.factor = factor

    def forward(self, x):
        return x * self.weight * self.factor

batch_size = 4096
width = 768

def get_inputs():
    return [torch.rand(batch_size, width)]

def get_init_inputs():
    return [width]
"""
PICK = """
import torch

class Model(torch.nn.Module):
    def forward(self, x, index):
        return x[index]

rows = 40

def get_inputs():
    return [torch.rand(rows, 8), torch.randint(0, rows, (5,))]

def get_init_inputs():
    return {}
"""
NORMED = """
import torch

class Model(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(channels)

    def forward(self, x):
        return self.norm(x)

def get_inputs():
    return [torch.randn(6, 5)]

def get_init_inputs():
    return [5]
"""
FUNCTIONAL = """
import torch

def forward_fn(x, weight):
    return x @ weight

class Model(torch.nn.Module):
    def __init__(self, width, method="zero"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((width, 3), 2.0 if method == "two" else 0.0))

    def forward(self, x, fn=forward_fn):
        return fn(x, self.weight)

def get_inputs(rows=16, width=8):
    return [torch.randn(rows, width, requires_grad=True)]

input_names = ["x"]
"""
GROUPED = """
import torch
import json
import os

class Model(torch.nn.Module):
    def __init__(self):
        super(Model, self).__init__()

    def forward(self, x, shape, bias=None):
        return torch.nn.functional.layer_norm(x, shape, bias=bias)

def get_input_groups():
    json_path = os.path.join(os.path.dirname(__file__), "1_norm.json")
    with open(json_path, "r") as f:
        cases = [json.loads(line) for line in f if line.strip()]
    return [[torch.randn(c["x"]), c["x"][-1:], None] for c in cases]

def get_init_inputs():
    return []
"""
HARD = """
import torch

OP_TYPE = "gemm"

class Model(torch.nn.Module):
    def forward(self, a, b):
        return a @ b

ROWS = 4
K = 6

def get_inputs():
    return [torch.randn(ROWS, K), torch.randn(K, 3)]

def get_init_inputs():
    return []
"""
PROBLEM = """
name: 01_product
display_name: "Product"
flops_formula: "2 * rows * K * 3"
bytes_formula: "4 * (rows * K + K * 3 + rows * 3)"
tolerance:
  float32: 3e-3
"""
SHAPES = """
SHAPES = [{"rows": 4, "K": 6}, {"rows": 5, "K": 7}, {"rows": 5, "K": 7, "hard": True}]
"""


def kernelbench(root: Path, more: Mapping[str, str] | None = None) -> Path:
    """Levels 1, 2 and 4; `more` maps `level1/7_X.py` to text."""
    files = {
        "level1/10_ReLU_scale.py": SCALE,
        "level1/2_gather_loss.py": PICK,
        "level2/1_BatchNorm.py": NORMED,
        "level4/1_model.py": "import a_package_that_nobody_has\n" + PICK,
    }
    return written(root, {f"KernelBench/{k}": v for k, v in (files | dict(more or {})).items()})


def robust_kbench(root: Path) -> Path:
    """One task with both directions."""
    config = {
        "single_input_configs": [{"rows": 4}],
        "single_init_configs": [{"method": "two"}],
        "single_shared_configs": [{"width": 5}],
        "multi_input_configs": [{"rows": 4}, {"rows": 6}],
        "multi_init_configs": [{"method": "two"}],
        "multi_shared_configs": [{"width": 5}, {"width": 7}],
    }
    files = {"tasks/plain/func_forward.py": FUNCTIONAL, "tasks/plain/func_backward.py": FUNCTIONAL}
    for way in ("forward", "backward"):
        files[f"tasks/plain/config_{way}.json"] = json.dumps(config)
    return written(root, files)


def multikernelbench(root: Path, table: str = "dataset = make()") -> Path:
    """Two references and one with cases."""
    return written(
        root,
        {
            "dataset.py": table,
            "reference/activation/scale.py": SCALE,
            "reference/npukernelbench_level1/1_norm.py": GROUPED,
            "reference/npukernelbench_level1/1_norm.json": '{"x": [2, 8]}\n{"x": [3, 5]}\n',
        },
    )


def kernelbench_hard(root: Path) -> Path:
    """One problem and one that has no reference."""
    return written(
        root,
        {
            "problems/01_product/reference.py": HARD,
            "problems/01_product/shapes.py": SHAPES,
            "problems/01_product/problem.yaml": PROBLEM,
            "problems/02_empty/problem.yaml": "name: x\nstatus: stub\n",
        },
    )


def written(root: Path, files: Mapping[str, str]) -> Path:
    """Write them below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root
