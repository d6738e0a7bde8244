"""The kernel that a task starts from belongs to the task: it is read with it, and counts in its hash."""

import textwrap
from dataclasses import replace

import pytest

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.resize import resized

TASK = """
import torch
from torch import nn
N = 3
TASK = {{{}}}

class Model(nn.Module):
    def forward(self, x):
        return x + 1

def get_inputs():
    return [torch.randn(N)]
"""
KERNEL = "class ModelNew: ..."


@pytest.fixture
def path(tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "op.py").write_text(KERNEL)
    file = tmp_path / "op.py"
    file.write_text(textwrap.dedent(TASK.format("'start': 'start/op.py'")))
    return file


def test_its_text_is_read_with_the_task(path):
    assert load_task(path).start == KERNEL


def test_it_counts_in_the_hash(path):
    before = load_task(path)
    (path.parent / "start" / "op.py").write_text(KERNEL + "  # faster")
    assert load_task(path).hash != before.hash
    assert replace(before, start=None).hash != before.hash


def test_a_task_at_another_size_keeps_it(path):
    assert resized(load_task(path), {"N": 5}, "larger").start == KERNEL


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("'start': 'gone.py'", "TASK['start']: cannot read gone.py: No such file"),
        ("'start': '../op.py'", "TASK['start'] leaves the task's folder: ../op.py"),
        ("'start': '/etc/op.py'", "TASK['start'] leaves the task's folder: /etc/op.py"),
        ("'start': 'start/empty.py'", "TASK['start']: empty.py defines no ModelNew"),
        ("'translate_to': 'cuda'", "TASK['translate_to'] needs TASK['start']"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(path, declared, said):
    (path.parent / "start" / "empty.py").write_text("")
    path.write_text(TASK.format(declared))
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_folder_is_not_followed(path, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "kernel.py"
    secret.write_text(KERNEL)
    (path.parent / "start" / "op.py").unlink()
    (path.parent / "start" / "op.py").symlink_to(secret)
    with pytest.raises(TaskError, match="leaves the task's folder"):
        load_task(path)
