from pathlib import Path

import pytest

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import list_suite, load_task, suites

MODEL = "import torch\nclass Model(torch.nn.Module): ...\n"
INPUTS = "def get_inputs(): return [torch.ones(1)]\n"


def refusal(spec: str | Path) -> str:
    with pytest.raises(TaskError) as caught:
        load_task(spec)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_path_gives_the_file_as_it_is(write):
    path = write(MODEL + INPUTS)
    for spec in (path, str(path)):
        task = load_task(spec)
        assert (task.name, task.source, task.path) == ("op", MODEL + INPUTS, path.resolve())


def test_a_relative_path_is_remembered_absolute(write, monkeypatch):
    path = write(MODEL + INPUTS)
    monkeypatch.chdir(path.parent)
    assert load_task("op.py").path == path.resolve()


@pytest.mark.parametrize("spec", ["softmax", "core/softmax"])
def test_bundled_names(spec):
    task = load_task(spec)
    assert task.name == "core/softmax"
    assert task.path is not None
    assert load_task(task.path) == task


def test_suites_are_listed_in_order():
    assert "core" in suites()
    names = [task.name for task in list_suite("core")]
    assert names == sorted(names)
    assert len(names) >= 24
    with pytest.raises(TaskError, match=r"no suite 'cor' \(close: core\)"):
        list_suite("cor")


def test_loading_runs_nothing(write):
    load_task(write(MODEL + INPUTS + "raise RuntimeError('ran')\n"))


def test_inputs_may_be_imported_or_assigned_in_a_branch(write):
    source = "try:\n    from somewhere import Model\nexcept ImportError:\n    raise\n"
    assert load_task(write(source + "get_inputs = lambda: []\n")).name == "op"


def test_a_byte_order_mark_is_no_part_of_the_source(tmp_path):
    path = tmp_path / "op.py"
    path.write_bytes(b"\xef\xbb\xbf" + (MODEL + INPUTS).encode())
    assert load_task(path).source == MODEL + INPUTS


def test_a_missing_file_names_its_neighbours(write):
    path = write(MODEL + INPUTS)
    missing = str(path.with_name("opp.py"))
    assert refusal(missing) == f"no such file: {missing} (close: op.py)"


def test_a_missing_name_names_its_neighbours():
    assert "close: core/softmax" in refusal("sofmax")
    assert "close: core/softmax" in refusal("core/sofmax")
    assert refusal("core") == "core is a suite: give one of its tasks, such as core/NAME"


def test_a_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path)


def test_another_kind_of_file(tmp_path):
    path = tmp_path / "op.txt"
    path.write_text(MODEL)
    assert "is not a .py file" in refusal(path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Model(:\n", ":1 is not Python"),
        ("x = 1\nx = = 2\n", ":2 is not Python"),
        ("x = '\0'\n", "is not Python"),
        (INPUTS, "has no class Model"),
        ("class Net: ...\n" + INPUTS, "it defines Net"),
        (MODEL, "has no get_inputs()"),
        (MODEL.replace("Model", "ModelNew") + INPUTS, "has no class Model"),
    ],
)
def test_files_that_are_no_tasks(write, source, said):
    path = write(source)
    message = refusal(path)
    assert said in message
    assert str(path) in message


def test_a_binary_file(tmp_path):
    path = tmp_path / "op.py"
    path.write_bytes(b"\x80\x81")
    assert "is not Python: not UTF-8" in refusal(path)
