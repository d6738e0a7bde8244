"""What a user can get wrong: one clear line on stderr, exit status 2, no traceback."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernelwright.cli import main

WriteFile = Callable[[str, str], Path]

BAD_TASKS = {
    "no_model": ("def get_inputs():\n    return []\n", "no class Model"),
    "not_python": ("class Model(:\n", "not Python"),
    "raises": (
        """
        import torch
        class Model(torch.nn.Module):
            def forward(self, x):
                raise RuntimeError("so it goes")
        def get_inputs():
            return [torch.randn(3)]
        """,
        "so it goes",
    ),
    "no_tensors": (
        """
        import torch
        class Model(torch.nn.Module):
            def forward(self, x):
                return x
        def get_inputs():
            return ["text"]
        """,
        "input 0 of get_inputs",
    ),
}


def complaint(capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing may be on stdout."""
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("kernelwright: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("name", BAD_TASKS)
def test_a_task_at_fault(
    name: str, write: WriteFile, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, cast: Callable[..., None],
) -> None:  # fmt: skip
    cast(None)
    source, expected = BAD_TASKS[name]
    task = write("op.py", source)
    out = tmp_path / "out"
    assert main(["optimize", str(task), "--out", str(out)]) == 2
    assert expected in complaint(capfd)
    assert not out.exists()


def test_verify_of_a_task_at_fault_gives_the_object_as_well(
    write: WriteFile, capfd: pytest.CaptureFixture[str]
) -> None:
    task = write("op.py", BAD_TASKS["raises"][0])
    kernel = write("kernel.py", "class ModelNew: ...")
    assert main(["verify", str(task), str(kernel), "--json"]) == 2
    out, err = capfd.readouterr()
    verdict = json.loads(out)
    assert verdict["verdict"] == "task_error"
    assert "so it goes" in verdict["findings"][0]["message"]
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["optimize", "/no/such/file.py"], "no such file"),
        (["optimize", "no_such_task"], "no task"),
        (["optimize"], "no task given"),
        (["optimize", "TASK", "--model", "nobody:x"], "unknown model"),
        (["optimize", "TASK", "--model", "openai:some-model"], "OPENAI_API_KEY"),
        (["optimize", "TASK", "--model", "anthropic:some-model"], "ANTHROPIC_API_KEY"),
        (["optimize", "TASK", "--budget-evals", "0"], "--budget-evals"),
        (["optimize", "TASK", "--budget-minutes", "0"], "--budget-minutes"),
        (["optimize", "TASK", "--budget-minutes", "nan"], "--budget-minutes"),
        (["optimize", "TASK", "--seed", "-1"], "--seed"),
        (["optimize", "TASK", "--resume"], "no run of"),
        (["optimize", "TASK", "--resume", "20200101-000000-abcd"], "no run 20200101-000000-abcd"),
        (["optimize", "--resume"], "resume which task"),
        (["verify", "TASK", "/no/such/kernel.py"], "/no/such/kernel.py"),
        (["verify", "TASK"], "KERNEL"),
        (["tasks", "list", "no_such_suite"], "no suite"),
        (["tasks", "show", "no_such_task"], "no task"),
        (["frobnicate"], "frobnicate"),
        (["--frobnicate"], "--frobnicate"),
        ([], "no command given"),
    ],
)
def test_one_line_and_status_2(
    arguments: list[str], expected: str, task_file: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [str(task_file) if word == "TASK" else word for word in arguments]
    assert main(given) == 2
    assert expected in complaint(capfd)
    assert not (tmp_path / "kernels_out").exists()


def test_output_that_cannot_be_written(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], cast: Callable[..., None]
) -> None:
    cast(None)
    (tmp_path / "file").write_text("in the way")
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "file")]) == 2
    assert "--out" in complaint(capfd)


def test_no_compiler(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out")]) == 2
    assert "g++" in complaint(capfd)
    assert not (tmp_path / "out").exists()


def test_another_version_of_the_task_is_not_resumed(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], evaluator: object,
    cast: Callable[..., None],
) -> None:  # fmt: skip
    from frontdoor_fakes import FakeCoder

    cast(FakeCoder())
    main(["optimize", str(task_file), "--out", str(tmp_path / "out")])
    capfd.readouterr()
    task_file.write_text(task_file.read_text() + "\n# changed\n")
    assert main(["optimize", str(task_file), "--out", str(tmp_path / "out"), "--resume"]) == 2
    assert "another version" in complaint(capfd)
