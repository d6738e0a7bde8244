"""How a search is asked for: several models, rounds, rounds in flight, parts left out; what is kept."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeCoder, FakeEvaluator, accepted

from kernelwright.agents.ablations import ABLATIONS
from kernelwright.agents.events import read
from kernelwright.cli import main
from kernelwright.outputs import RunFolder
from kernelwright.players import players

Cast = Callable[[FakeCoder], None]
SOURCES = [f"class ModelNew: number = {i}" for i in range(9)]


def only_run(out: Path) -> Path:
    (run,) = out.glob("*/*")
    return run


def session(run: Path) -> dict:
    return [e.data for e in read(run / "run.db")[0] if e.kind == "session"][-1]["settings"]


@pytest.fixture
def optimize(
    task_file: Path, tmp_path: Path, evaluator: type[FakeEvaluator], cast: Cast
) -> Callable[..., int]:
    def run(*words: str, task: str | None = str(task_file)) -> int:
        cast(FakeCoder(*SOURCES))
        named = [task] if task else []
        return main(["optimize", *named, "--out", str(tmp_path / "out"), *words])

    return run


def test_what_was_asked_reaches_the_search_and_is_kept(optimize, tmp_path):
    words = ["--model", "command:cat", "--rounds", "4", "--parallel", "3"]
    optimize(*words, "--ablate", "no-judge", "--ablate", "no-tuner")
    run = only_run(tmp_path / "out")
    settings = session(run)
    assert (settings["rounds"], settings["parallel"]) == (4, 3)
    assert (settings["judge_corrects"], settings["tune_trials"]) == (False, 0)
    assert settings["ablations"] == ["no-judge", "no-tuner"]
    asked = RunFolder(run).asked()
    assert (asked.rounds, asked.parallel, asked.ablate) == (4, 3, ("no-judge", "no-tuner"))


def test_a_resumed_run_goes_on_as_it_was_asked(optimize, tmp_path):
    optimize("--model", "command:cat", "--rounds", "1", "--parallel", "2", "--ablate", "no-islands")
    run = only_run(tmp_path / "out")
    optimize("--resume", "--rounds", "3")
    settings = session(run)
    assert (settings["rounds"], settings["parallel"], settings["islands"]) == (3, 2, 1)
    assert RunFolder(run).asked().rounds == 3, "a later resume knows it too"


def test_a_new_model_of_a_resumed_run_is_written_back(optimize, tmp_path):
    optimize("--model", "command:cat", "--rounds", "1")
    optimize("--resume", "--model", "command:tac", "--rounds", "2")
    assert RunFolder(only_run(tmp_path / "out")).asked().model == ("command:tac",)


def test_a_run_keeps_its_ablations(optimize, capfd):
    optimize("--rounds", "1", "--ablate", "no-tuner")
    capfd.readouterr()
    assert optimize("--resume", "--ablate", "no-judge") == 2
    assert "the run began with no-tuner and keeps it" in capfd.readouterr().err


def test_an_unknown_part_is_one_line_with_the_list(optimize, tmp_path, capfd):
    assert optimize("--ablate", "no-brain") == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "'no-brain'" in err
    assert all(name in err for name in ABLATIONS)
    assert not (tmp_path / "out").exists()


def test_the_built_in_model_is_asked_one_round_at_a_time(optimize, tmp_path, capfd):
    optimize("--parallel", "4", "--rounds", "1")
    assert "--parallel 1: the built-in model needs the processor" in capfd.readouterr().err
    assert session(only_run(tmp_path / "out"))["parallel"] == 1


def test_several_models_are_told_apart_and_kept(optimize, tmp_path):
    optimize(
        "--model", "command:cat", "--model", "command:tac", "--judge", "builtin", "--rounds", "1"
    )
    asked = RunFolder(only_run(tmp_path / "out")).asked()
    assert asked.model == ("command:cat", "command:tac")
    assert asked.specs == (("command:cat", "command:tac"), ("builtin",))
    assert asked.players == "coder command:cat or command:tac, judge builtin"
    assert asked.player_options[:4] == ["--coder", "command:cat", "--coder", "command:tac"]


def test_players_of_several_models_have_names():
    one = players(["command:cat"], ["builtin"])
    assert not isinstance(one.coder, dict)
    several = players(["command:cat", "builtin"], ["command:cat", "command:cat"])
    assert isinstance(several.coder, dict)
    assert list(several.coder) == ["command:cat", "builtin"]
    assert not isinstance(several.judge, dict)


def test_runs_of_older_versions_hold_one_model(optimize, tmp_path):
    optimize("--model", "command:cat", "--rounds", "1")
    run = only_run(tmp_path / "out")
    data = json.loads((run / "run.json").read_text())
    for name in ("parallel", "rounds", "ablate", "memory"):
        del data[name]
    data.update(model="command:cat", coder=None, judge="command:tac")
    (run / "run.json").write_text(json.dumps(data))
    asked = RunFolder(run).asked()
    assert asked.specs == (("command:cat",), ("command:tac",))
    assert asked.ablate == ()
    optimize("--resume", "--budget-evals", "3")
    assert RunFolder(run).asked().judge == ("command:tac",)


def test_a_run_names_its_task_as_the_user_did_and_goes_on_elsewhere(
    optimize, tmp_path, task_file, monkeypatch, evaluator
):
    monkeypatch.chdir(task_file.parent)
    evaluator.verdicts = {KERNEL: accepted(3.0)}
    optimize("--rounds", "1", task=os.path.relpath(task_file))
    run = only_run(tmp_path / "out")
    assert RunFolder(run).asked().task == task_file.name
    elsewhere = tmp_path / "elsewhere"
    shutil.move(run, elsewhere)
    task_file.unlink()
    monkeypatch.chdir(tmp_path)
    assert optimize("--resume", str(elsewhere), "--rounds", "2", task=None) in (0, 1)
    assert len([e for e in read(elsewhere / "run.db")[0] if e.kind == "session"]) == 2
