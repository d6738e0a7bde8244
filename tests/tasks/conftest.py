import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import Task

WriteTask = Callable[[str], Task]

MODEL = """
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        return x + 1
"""
INPUTS = """
def get_inputs():
    return [torch.randn(3)]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a file `op.py` and gives its path."""

    def write_file(source: str) -> Path:
        path = tmp_path / "op.py"
        path.write_text(textwrap.dedent(source))
        return path

    return write_file


@pytest.fixture
def task(write: Callable[[str], Path]) -> WriteTask:
    """Writes a file `op.py` and loads it."""
    return lambda source: load_task(write(source))
