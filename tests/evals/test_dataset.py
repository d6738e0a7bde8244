"""A dataset says what the runs say, never in two splits, never with a key or a path of anybody's machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dataset_runs import Run, accepted, kernel, rejected
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.agents import transcript
from kernelwright.evals.dataset.export import Choice, export, held_out_file, runs_of
from kernelwright.evals.dataset.operator_hash import in_test, operator_hash
from kernelwright.evals.dataset.scrub import scrub
from kernelwright.tasks.errors import UsageError
from kernelwright.tasks.load import list_suite, read_task

KEY = "sk-abcdefghijklmnop0123456789"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two tasks: three answers to one prompt and a tuned one; one kernel of the built-in model."""
    out = tmp_path / "kernels_out"
    run = Run(out, "relu")
    run.turn(1, kernel("wrong"), rejected(f"see {tmp_path}/secret/log.txt"), asked="write it")
    slow, fast = kernel("slow"), kernel("fast")
    run.turn(2, slow, accepted(1.5), asked="write it", answer="a long answer " * 9, reasoning="hm")
    run.turn(3, fast, accepted(3.0), asked="write it")
    run.turn(3, kernel("tuned"), accepted(3.5), choice={"N": 2}, parent=fast.id)
    run.turn(4, kernel(f"uses {KEY}"), accepted(9.0), asked="more")
    run.turn(5, kernel("slow  # again"), accepted(1.4), asked=None)
    run.close()
    builtin = Run(out, "gelu", op="torch.nn.functional.gelu(x)", model="builtin")
    builtin.turn(1, kernel("builtin"), accepted(2.0))
    builtin.close()
    return out


def written(runs: Path, tmp_path: Path, **choice: Any) -> list[dict[str, Any]]:
    out = tmp_path / "data.jsonl"
    export(runs_of([str(runs)]), Choice(**choice), out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_raw_rows_hold_all_that_is_known_and_why_the_rest_is_not(
    runs: Path, tmp_path: Path
) -> None:
    rows = {row["source"].split("'")[1]: row for row in written(runs, tmp_path)}
    slow = rows["slow"]
    assert slow["prompt"][1] == {"role": "user", "content": "write it"}
    assert (slow["reasoning"], slow["correct"], slow["speedup"]["median"]) == ("hm", True, 1.5)
    assert slow["reward"] == pytest.approx(0.3 + 1.5 * 0.95)
    assert rows["fast"]["reasons"]["reasoning"] == "the provider gave none"
    assert rows["wrong"]["reward"] == 0 and rows["wrong"]["speedup"] is None
    assert rows["tuned"]["author"] == "tuner" and rows["tuned"]["prompt"] is None
    assert rows["builtin"]["reasons"]["prompt"] == "the built-in model is not asked in words"
    assert "7717" not in rows["builtin"]["task_prompt"][1]["content"]  # the hidden shape


def test_shapes_of_trainers(runs: Path, tmp_path: Path) -> None:
    sft = written(runs, tmp_path, shape="sft", correct=True, min_speedup=1.4)
    talks = [[m["role"] for m in row["messages"]] for row in sft]
    assert talks == [["system", "user", "assistant"]] * 3
    said = sft[1]["messages"][2]["content"]
    assert said.startswith("<think>\nhm\n</think>\n\na long answer")
    assert "```python\nclass ModelNew" in sft[0]["messages"][2]["content"]  # of the built-in model
    rl = written(runs, tmp_path, shape="rl")
    assert [row["task"] for row in rl].count("relu") == 2  # the sent prompt, and that of round 5
    assert all(row["reward_model"]["ground_truth"] == row["reference"] for row in rl)
    assert "get_inputs" in rl[0]["reference"] and rl[0]["prompt"][0]["role"] == "system"
    pairs = written(runs, tmp_path, shape="preferences")
    found = [(p["chosen"][0]["content"][:6], p["rejected_correct"]) for p in pairs]
    assert found == [("<think", False), ("class ", True)]  # wrong < slow < fast, each with the next


def test_filters(runs: Path, tmp_path: Path) -> None:
    every = written(runs, tmp_path)
    assert len(every) == 6 and len(written(runs, tmp_path, correct=True)) == 5
    assert len(written(runs, tmp_path, min_speedup=2.8)) == 2
    assert "slow" not in [r["source"].split("'")[1] for r in written(runs, tmp_path, concise=80)]
    run = Run(runs, "relu2")
    run.turn(1, kernel("one"), accepted(2.0))
    run.turn(2, type(kernel("x"))(kernel("one").source + "# a comment\n"), accepted(2.0))
    folder = run.close()
    assert len(written(folder, tmp_path, dedupe=True)) == 1 and len(written(folder, tmp_path)) == 2


def test_no_key_and_no_path_leaves(runs: Path, tmp_path: Path) -> None:
    for shape in ("raw", "sft", "rl", "preferences"):
        text = json.dumps(written(runs, tmp_path, shape=shape))
        assert KEY not in text and str(tmp_path) not in text
    counts = export(runs_of([str(runs)]), Choice(), tmp_path / "data.jsonl")
    assert counts.left_out == {"a path or a key in the kernel": 1}
    assert scrub("in /srv/jane/work/x.cpp:3 and /usr/include/math.h") == (
        "in [path]/x.cpp:3 and /usr/include/math.h"
    )
    assert scrub("https://host/a/b and a/b/c //x/y") == "https://host/a/b and a/b/c //x/y"


def test_the_order_and_the_bytes_are_the_same_every_time(runs: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    export(runs_of([str(runs)]), Choice(), once)
    folders = [str(path) for path in runs.iterdir()]
    export(runs_of([*reversed(folders), *folders]), Choice(), twice)
    assert once.read_bytes() == twice.read_bytes()


def test_operators_never_leak(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ops = [f"x + {i}.5" for i in range(12)]
    for number, op in enumerate(ops):
        for rows in (64, 128):  # another size of the same operator
            run = Run(out, f"t{number}-{rows}", op=op, rows=rows)
            run.turn(1, kernel(f"{number} {rows}"), accepted(2.0))
            run.close()
    file = tmp_path / "data.jsonl"
    counts = export(runs_of([str(out)]), Choice(holdout=0.5), file)
    parts = [
        {json.loads(line)["operator"] for line in path.read_text().splitlines()}
        for path in (file, held_out_file(file))
    ]
    assert counts.train + counts.test == 24 and counts.train and counts.test
    assert len(parts[0] | parts[1]) == 12 and not parts[0] & parts[1]


def test_bundled_operators_differ_and_a_scaled_one_is_the_same(tmp_path: Path) -> None:
    core = list_suite("core")
    assert len({operator_hash(task) for task in core}) > 0.95 * len(core)
    task = next(t for t in core if t.name == "core/softmax")
    path = tmp_path / "scaled.py"
    path.write_text(task.source.replace("2048", "99").replace("1024", "7"))
    assert operator_hash(read_task(path, "x")) == operator_hash(task)


@given(st.text(alphabet="0123456789abcdef", min_size=16, max_size=16))
def test_the_split_is_monotone(operator: str) -> None:
    """Who is held out at a small share is held out at a larger one."""
    held = [in_test(operator, share) for share in (0.0, 0.1, 0.5, 0.9)]
    assert held == sorted(held) and not held[0]


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        runs_of([str(tmp_path)])
    with pytest.raises(UsageError, match="no such file"):
        runs_of([str(tmp_path / "nothing")])


def test_a_line_that_was_cut_off_is_passed_over(runs: Path) -> None:
    folder = next(runs.glob("own-relu/*"))
    with (folder / transcript.FILE_NAME).open("a") as file:
        file.write('{"label": "propose:9", "mess')
    assert [call.label for call in transcript.read(folder)][-1] == "propose:4"
