"""Records: what is written is read again; what is wrong is told in one line."""

import json

import pytest
from synthetic import CPU, GPU, batch, kernel, large, result

from kernelwright.evals.record import (
    Samples,
    TaskFacts,
    TaskResult,
    from_text,
    read,
    to_text,
    write,
)
from kernelwright.harness.verdict import Verdict
from kernelwright.tasks.errors import UsageError


def test_a_record_comes_back_as_it_was(tmp_path):
    record = large(5)
    write(record, tmp_path)
    assert read(tmp_path) == read(tmp_path / "batch.json") == record
    assert [f.name for f in tmp_path.iterdir()] == ["batch.json"]


def test_every_field_of_a_verdict_survives():
    verdict = kernel(2.0, 1.5).verdict
    record = batch([result("core/a", kernel(2.0, 1.5))])
    back = from_text(to_text(record), "it").results[0].best
    assert back is not None and isinstance(back.verdict, Verdict)
    assert back.verdict.to_json() == verdict.to_json()


def test_text_that_no_file_can_hold():
    record = batch([result("core/a", kernel(2.0, source="x = '\ud800'"))])
    best = from_text(to_text(record), "it").results[0].best
    assert best is not None and best.source == "x = '?'"


def changed(change):
    data = json.loads(to_text(batch([result("core/a", kernel(2.0)), result("core/b")])))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(version=2), "it has version 2, this kernelwright reads 1"),
        (lambda d: d.pop("tasks"), "tasks: Field required"),
        (lambda d: d.update(tasks=["core/a"]), "core/b has a result but is no task of the batch"),
        (lambda d: d.update(extra=1), "extra: Extra inputs are not permitted"),
        (lambda d: d["results"].append(d["results"][0]), "core/a has two results on Synthetic CPU"),
        (lambda d: d["results"][1].update(state="failed"), "core/b is failed without a reason"),
        (lambda d: d["results"][0].update(state="not_started", reason="x"), "but has a kernel"),
        (lambda d: d["results"][0]["best"]["verdict"].update(verdict="rejected"), "is rejected"),
        (
            lambda d: d["results"][0]["best"]["verdict"]["time_ms"].update(candidate="1"),
            "valid number",
        ),
        (
            lambda d: d["results"][0].update(samples={"n": 2, "correct": 3}),
            "3 correct of 2 samples",
        ),
        (
            lambda d: d["results"][0].update(seed="0"),
            "results.0.seed: Input should be a valid integer",
        ),
        (lambda d: d.update(format="other"), "format: Input should be 'kernelwright-batch'"),
        (lambda d: d.update(tasks=[]), "a batch of no tasks"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(change, said):
    with pytest.raises(UsageError) as caught:
        from_text(changed(change), "some/batch.json")
    message = str(caught.value)
    assert message.startswith("some/batch.json is no batch record: ") and said in message
    assert "\n" not in message


def test_broken_files(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path)
    file = tmp_path / "batch.json"
    file.write_text('{"format": "kern')
    with pytest.raises(UsageError, match="Invalid JSON"):
        read(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read(file)


def test_tasks_without_a_result_are_not_started():
    record = batch([result("core/b", kernel(2.0))], tasks=["core/a", "core/b"])
    first, second = record.on(CPU)
    assert (first.task, first.state, first.correct) == ("core/a", "not_started", False)
    assert second.correct
    both = batch([result("core/a", kernel(2.0)), result("core/a", device=GPU)])
    assert [r.device for r in both.on(GPU)] == [GPU]


def test_tasks_that_were_never_begun_keep_their_level():
    facts = TaskFacts(hash="1", category="scan", level=2, audit="sound")
    record = batch([result("core/b", level=3)], tasks=["core/a", "core/b"])
    record = record.model_copy(update={"about": {"core/a": facts, "core/b": facts}})
    first, second = from_text(to_text(record), "it").on(CPU)
    assert (first.level, first.category, first.audit, first.task_hash) == (2, "scan", "sound", "1")
    assert (second.level, second.category) == (3, "scan")  # its own word stands


def test_a_record_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        result("core/a").state = "failed"
    with pytest.raises(ValueError, match="correct of"):
        Samples(n=1, correct=2)
    with pytest.raises(ValueError, match="without a reason"):
        TaskResult(task="core/a", device=CPU, state="harness_error")
