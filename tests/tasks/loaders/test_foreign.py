"""Names of suites of others: checkout, level, form, part, task; what is wrong with one is one line."""

from pathlib import Path

import pytest
from small_checkouts import kernelbench

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import is_suite, list_suite, load_suite, load_task, suite_of
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.versions import suite_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return kernelbench(tmp_path / "bench")


def test_a_folder_and_its_name_are_the_same_suite(root: Path) -> None:
    versions = {
        suite_version(list_suite(name))
        for name in (str(root), f"kernelbench:{root}", f"kernelbench:{root}/KernelBench")
    }
    assert len(versions) == 1
    assert all(is_suite(name) for name in (str(root), f"kernelbench-cpu:{root}"))
    assert not is_suite(f"kernelbench:{root}/level1/10_ReLU_scale")
    assert not is_suite("kernelbench")


@pytest.mark.parametrize("ending", ["", ".py"])
@pytest.mark.parametrize("inner", ["", "/KernelBench"])
def test_one_task(root: Path, inner: str, ending: str) -> None:
    task = load_task(f"kernelbench:{root}{inner}/level1/10_ReLU_scale{ending}")
    assert task.name == "kernelbench/level1/10_ReLU_scale"
    assert task.spec is not None and load_task(task.spec) == task
    assert suite_of(task) == f"kernelbench:{root}{inner}"


def test_levels_forms_and_parts(root: Path) -> None:
    def names(form: str) -> list[str]:
        return [task.name for task in list_suite(f"kernelbench{form}:{root}")]

    assert len(names("")) == 3
    assert names("-level2") == ["kernelbench/level2/1_BatchNorm"]
    assert len(names("-level1-cpu")) == 2
    assert len(names("-mini")) == 3  # one of each category
    assert len(names("-2-seed7")) == 2 and names("-2-seed7") == names("-2-seed7")
    assert names("-level1-cpu-1-seed3")[0].startswith("kernelbench-cpu/level1/")
    assert load_suite(f"kernelbench-level1:{root}").refused == ()
    assert len(load_suite(f"kernelbench-level4:{root}").refused) == 1


def test_a_scaled_task_is_another_with_a_name_of_its_own(root: Path) -> None:
    whole = load_task(f"kernelbench:{root}/level1/10_ReLU_scale")
    small = load_task(f"kernelbench-cpu:{root}/level1/10_ReLU_scale")
    assert small.name == "kernelbench-cpu/level1/10_ReLU_scale"
    assert small.hash != whole.hash and small.path == whole.path
    assert Reference(small).inputs(0)[0].numel() < 1 << 17


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kernelbench:", "say where the checkout lies"),
        ("kernelbench:{tmp}/nowhere", "does not exist"),
        ("kernelbench:{tmp}", "is no checkout of kernelbench"),
        ("kernelbench-large:{root}", "no form '-large'"),
        ("kernelbench-9-seed1:{root}", "has 3 tasks, not 9"),
        ("kernelbench:{root}/level1/10_ReLU_scal", "close: level1/10_ReLU_scale"),
        ("kernelbench:{root}/level4/1_model", "not loaded: .*nobody_has"),
    ],
)
def test_what_is_wrong_with_a_name(root: Path, tmp_path: Path, name: str, said: str) -> None:
    name = name.format(root=root, tmp=tmp_path)
    with pytest.raises(TaskError, match=said) as raised:
        load_task(name) if "level" in name.partition(":")[2] else load_suite(name)
    assert "\n" not in str(raised.value)


def test_a_folder_of_task_files_is_a_suite_by_its_own_name(tmp_path: Path) -> None:
    folder = tmp_path / "my-ops"
    folder.mkdir()
    assert not is_suite(str(folder))
    good = (kernelbench(tmp_path / "bench") / "KernelBench/level1/10_ReLU_scale.py").read_text()
    (folder / "good.py").write_text(good)
    (folder / "broken.py").write_text(good + "def (")
    (folder / "helper.py").write_text("import torch\n")
    (folder / "_hidden.py").write_text(good)
    found = load_suite(str(folder))
    assert [task.name for task in found.tasks] == ["my-ops/good"]
    assert [refusal.name for refusal in found.refused] == ["broken", "helper"]
    (task,) = found.tasks
    assert task.spec is not None and load_task(task.spec) == task
    assert suite_of(task) == f"folder:{folder}"
    (cpu,) = list_suite(f"folder-cpu:{folder}")
    assert cpu.name == "my-ops-cpu/good"
    core = folder.rename(tmp_path / "core")
    assert [task.name for task in load_suite(str(core)).tasks] == ["folder/good"]
    (core / "suite.json").write_text('{"suite": "named"}')
    assert [task.name for task in load_suite(str(core)).tasks] == ["named/good"]
