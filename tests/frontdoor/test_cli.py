"""The command line as a whole: quick help, one JSON object, exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, TASK, FakeEvaluator, accepted, rejected

from kernelwright import __version__
from kernelwright.cli import main
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import TaskError

SLOW_TO_IMPORT = ("torch", "numpy", "openai", "anthropic", "langgraph", "optuna", "rich")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["optimize", "--help"], ["tasks"], ["--version"], ["bad"]]
)
def test_quick_answers_import_nothing_slow(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom kernelwright.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        f"print('IMPORTED', [m for m in {SLOW_TO_IMPORT} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "IMPORTED []"


def test_help_names_the_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for command in ("optimize", "verify", "tasks", "doctor"):
        assert f"\n    {command} " in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"kernelwright {__version__}\n"


def test_tasks_lists_and_shows(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    assert "core/softmax" in capfd.readouterr().out
    assert main(["tasks", "list", "core", "--json"]) == 0
    listed = json.loads(capfd.readouterr().out)["tasks"]
    assert {"core/softmax", "core/layer_norm"} <= {task["task"] for task in listed}
    assert main(["tasks", "show", "core/softmax", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["task"] == "core/softmax"
    assert "class Model" in shown["source"]
    assert main(["tasks", "show", "core/softmax"]) == 0
    assert "class Model" in capfd.readouterr().out


@pytest.mark.parametrize(("verdict", "status"), [(accepted(2.0), 0), (rejected(), 1)])
def test_verify(
    verdict: Verdict, status: int, task_file: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], evaluator: type[FakeEvaluator],
) -> None:  # fmt: skip
    kernel = tmp_path / "kernel.py"
    kernel.write_text(KERNEL)
    evaluator.verdicts = {KERNEL: verdict}
    assert main(["verify", str(task_file), str(kernel), "--json"]) == status
    assert json.loads(capfd.readouterr().out) == verdict.to_json()
    assert main(["verify", str(task_file), str(kernel)]) == status
    assert capfd.readouterr().out.startswith(verdict.verdict)


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (TaskError("bad\ntask"), "task_error", 2),
        (HarnessError("no memory left"), "harness_error", 3),
    ],
)
def test_verify_faults_that_are_not_the_candidates(
    error: Exception, outcome: str, status: int, task_file: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], evaluator: type[FakeEvaluator],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> Verdict:
        raise error

    kernel = tmp_path / "kernel.py"
    kernel.write_text(KERNEL)
    monkeypatch.setattr(evaluator, "evaluate", fail)
    assert main(["verify", str(task_file), str(kernel), "--json"]) == status
    out, err = capfd.readouterr()
    verdict = Verdict.from_json(json.loads(out))
    assert verdict.verdict == outcome
    assert err.splitlines()[-1] == f"kernelwright: {' '.join(str(error).split())}"


def test_json_keeps_stdout_clean_whatever_a_task_prints(tmp_path: Path) -> None:
    noisy = "import os\nos.write(1, b'noise')\nprint('more noise')\n" + TASK.replace(
        "randn(64, 32)", "zeros(4)"
    )
    task = tmp_path / "noisy.py"
    task.write_text(noisy)
    kernel = tmp_path / "kernel.py"
    kernel.write_text("class Nothing: ...\n")
    done = subprocess.run(
        [sys.executable, "-m", "kernelwright", "verify", str(task), str(kernel), "--json"],
        capture_output=True,
        text=True,
    )
    assert "noise" in done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["verdict"] == "rejected"
    assert done.returncode == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "kernelwright", "tasks"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.stderr == ""
    assert done.returncode == 0


def test_doctor(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    assert main(["doctor", "--json"]) == 0
    out, err = capfd.readouterr()
    result = json.loads(out)
    checks = {check["name"]: check for check in result["checks"]}
    assert result["able"] is True
    assert checks["compiler"]["status"] == "ok"
    assert "OpenMP works" in checks["compiler"]["value"]
    assert "OPENAI_API_KEY" in checks["models"]["value"]
    assert "very-secret" not in out + err


def test_doctor_without_a_compiler(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert main(["doctor"]) == 3
    shown = capfd.readouterr().out
    assert "MISSING  compiler" in shown
    assert "apt-get install g++" in shown


def test_doctor_with_a_cache_that_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERNELWRIGHT_CACHE", str(tmp_path / "file" / "cache"))
    assert main(["doctor", "--json"]) == 3
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["cache"]["status"] == "missing"
    assert "KERNELWRIGHT_CACHE" in checks["cache"]["advice"]


def test_an_interrupt_is_status_130(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr("kernelwright.machine.examine", interrupted)
    assert main(["doctor"]) == 130
    assert capfd.readouterr().err == "kernelwright: interrupted\n"


def test_the_language_of_a_kernel() -> None:
    from kernelwright.harness.parse import language_of

    assert language_of(KERNEL) == "cpp"
    assert language_of("import triton.language as tl\nimport triton") == "triton"
    assert language_of("import triton\nfrom kernelwright.inline import tuned") == "triton"
    assert language_of("from kernelwright.inline import cuda, tuned") == "cuda"
    assert language_of("import cupy") == "cuda"
    assert language_of("import torch") == "python"
    assert language_of("not python at all") == "python"


def test_the_set_up_script_says_how_it_is_used() -> None:
    script = Path(__file__).parents[2] / "kw"
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True)
    assert done.returncode == 0
    assert "./kw optimize" in done.stdout
    assert "./kw test" in done.stdout


def test_doctor_without_torch_says_what_is_missing() -> None:
    program = (
        "import sys\nsys.modules['torch'] = None\n"
        "from kernelwright.cli import main\nsys.exit(main(['doctor', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["torch"]["status"] == "missing"
    assert checks["torch"]["advice"] == "pip install torch"
    assert checks["packages"]["status"] == "ok"


def test_doctor_says_why_there_would_be_no_baseline(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert main(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["inductor"]["status"] == "weak"
    assert "python3-dev" in checks["inductor"]["advice"]
