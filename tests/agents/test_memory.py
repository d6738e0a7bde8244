"""Memory across tasks: what is kept of a run, what is told again, and what never is."""

import logging
import math
import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from memory_runs import GPU, REJECTED, Run, accepted
from search_fakes import CPU

from kernelwright.agents.memory.edits import measured_edits, ratio, suite_of
from kernelwright.agents.memory.memory import Memory
from kernelwright.agents.memory.recall import (
    Wanted,
    choose,
    lessons_from,
    lessons_json,
    same_task,
)
from kernelwright.agents.memory.store import Edit, Store, StoreError, default_path
from kernelwright.agents.settings import Settings
from kernelwright.harness.verdict import Speedup
from kernelwright.tasks.task import Task, TaskMeta

TASK = Task("core/softmax", "class Model: ...", meta=TaskMeta(category="reduction"))
OTHER = Task("mine/row_max", "class Model: pass", meta=TaskMeta(category="reduction"))


def edit(change: str, gain: float = 1.5, *, width: float = 0.1, **data: object) -> Edit:
    known = Edit(
        run="r1",
        candidate=f"c-{change}",
        parent="p",
        task="other/row_max",
        task_hash="h",
        suite="other",
        category="reduction",
        bottleneck="memory",
        language="cpp",
        device_kind="cpu",
        device="test cpu",
        change=change,
        strategy=None,
        gain=gain,
        low=gain * (1 - width),
        high=gain * (1 + width),
        method="ratio",
        time=1000.0,
    )
    return replace(known, **data)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data" / "memory.db")


# -- what is kept of a run ------------------------------------------------------------------------


def of(run: Run, task: Task = TASK) -> dict[str, Edit]:
    return {e.candidate: e for e in measured_edits(run.state, task, CPU)}


def test_against_eager_where_there_is_no_parent():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="one pass")
    found = of(run)[first]
    assert (found.method, found.gain, found.low, found.high) == ("eager", 2.0, 1.9, 2.1)
    assert (found.task, found.suite, found.category) == ("core/softmax", "core", "reduction")
    assert (found.bottleneck, found.change, found.parent) == ("memory", "one pass", None)
    assert (found.device_kind, found.device, found.language) == ("cpu", "test cpu", "cpp")
    assert found.shift == {}


def test_directly_where_the_parent_was_the_champion():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)))
    verdict = accepted((2.7, 3.0, 3.3), champion=(1.4, 1.45, 1.5))
    second = run.turn(2, "b", verdict, first, against=first)
    found = of(run)[second]
    assert (found.method, found.gain, found.low, found.high) == ("direct", 1.45, 1.4, 1.5)


def test_by_the_ratio_where_the_champion_was_another():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)))
    best = run.turn(2, "b", accepted((3.8, 4.0, 4.2)), first, against=first)
    verdict = accepted((2.7, 3.0, 3.3), champion=(0.7, 0.75, 0.8))
    third = run.turn(3, "c", verdict, first, against=best)
    found = of(run)[third]
    assert found.method == "ratio"
    assert found.gain == pytest.approx(1.5)
    low = math.log(1.5) - math.hypot(math.log(3 / 2.7), math.log(2.1 / 2))
    high = math.log(1.5) + math.hypot(math.log(3.3 / 3), math.log(2 / 1.9))
    assert (found.low, found.high) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))


def test_a_ratio_is_as_wide_as_both_intervals_demand():
    exact = Speedup(2.0, 2.0, 2.0, 9)
    wide = Speedup(3.0, 2.0, 4.0, 5)
    assert ratio(exact, exact) == Speedup(1.0, 1.0, 1.0, 9)
    assert (ratio(wide, exact).low, ratio(wide, exact).high) == (
        pytest.approx(1.0),
        pytest.approx(2.0),
    )
    assert ratio(exact, wide).low == pytest.approx(0.5)
    assert ratio(wide, wide).low < ratio(wide, exact).low / 1.5


def test_the_best_variant_counts_for_its_line():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="rows in registers")
    run.tuned(first, 1, accepted((3.8, 4.0, 4.2)), BLOCK=8)
    run.tuned(first, 1, accepted((0.9, 1.0, 1.1)), BLOCK=4)
    assert list(of(run)) == [first]
    assert of(run)[first].gain == 4.0
    assert of(run)[first].change == "rows in registers (BLOCK=8)"


def test_rejected_ones_are_passed_over():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)))
    wrong = run.turn(2, "b", REJECTED, first, note="two rows at once")
    mended = run.turn(3, "c", accepted((3.9, 4.0, 4.1)), wrong, note="tail handled")
    found = of(run)
    assert wrong not in found
    assert found[mended].parent == first
    assert found[mended].change == "two rows at once; then tail handled"
    assert found[mended].gain == pytest.approx(2.0)


def test_what_the_judge_said_is_kept_with_it():
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)))
    second = run.turn(
        2,
        "b",
        accepted((1.4, 1.5, 1.6)),
        first,
        change="stream the stores",
        strategy="nontemporal",
        bottleneck="latency",
        strategies=["online"],
    )
    found = of(run)[second]
    assert (found.change, found.strategy) == ("stream the stores", "nontemporal")
    assert (found.bottleneck, found.gain) == ("latency", pytest.approx(0.75))
    third = run.turn(3, "c", accepted((1.4, 1.5, 1.6)), first, note="n", strategies=["online"])
    assert of(run)[third].strategy == "online"  # no Judge: the first offered


def test_counters_that_moved():
    run = Run()
    before = {"misses": 100, "loads": 50, "branches": 10, "label": "x", "none": 0}
    after = {"misses": 50, "loads": 51, "branches": 30, "label": "y", "none": 5}
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1), counters=before))
    second = run.turn(2, "b", accepted((1.9, 2.0, 2.1), counters=after), first)
    assert of(run)[second].shift == {"branches": 3.0, "misses": 0.5}


def test_suites():
    assert [suite_of(name) for name in ("core/softmax", "kb/level1/x", "mine")] == [
        "core",
        "kb/level1",
        "",
    ]


# -- the store ------------------------------------------------------------------------------------


def test_a_resume_remembers_nothing_twice(tmp_path: Path):
    memory = Memory(tmp_path / "memory.db")
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="one pass")
    assert memory.remember(run.state, OTHER, CPU) == 1
    run.event("session", "2", settings={})
    run.tuned(first, 1, accepted((3.8, 4.0, 4.2)), BLOCK=8)
    run.turn(2, "b", accepted((5.8, 6.0, 6.2)), first, note="two rows")
    assert memory.remember(run.state, OTHER, CPU) == 2
    kept = Store(tmp_path / "memory.db").all()
    assert sorted(e.gain for e in kept) == [pytest.approx(3.0), 4.0]
    again = Run(began=5000.0)
    again.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="one pass")
    memory.remember(again.state, OTHER, CPU)
    assert len(Store(tmp_path / "memory.db").all()) == 3


def test_what_goes_in_comes_out(store: Store):
    known = edit("tile", shift={"misses": 0.5}, strategy="cache_block", parent=None)
    store.add([known])
    assert store.all() == [known]
    assert store.path.parent.stat().st_mode & 0o077 == 0


def test_keys_are_taken_out(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnopqrstuvwx123456")
    store.add([edit("uses sk-abcdefghijklmnopqrstuvwx123456")])
    assert "abcdefghijkl" not in store.all()[0].change


def test_telling_ones_come_first(store: Store):
    edits = [
        edit("wide", 3.0, width=0.7),
        edit("sure", 1.5, width=0.01),
        edit("slower", 0.5, width=0.01),
    ]
    store.add(edits)
    assert [e.change for e in store.alike("cpu", "cpp")] == ["slower", "sure", "wide"]
    assert edits[0].telling == 0
    assert list(store.alike("cuda", "cpp")) == list(store.alike("cpu", "triton")) == []


def test_old_edits_make_room(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kernelwright.agents.memory.store._KEPT", 3)
    store.add([edit(f"n{i}", time=float(i)) for i in range(5)])
    assert {e.change for e in store.all()} == {"n4", "n3", "n2"}


def _add_many(path: Path, name: str) -> None:
    for i in range(20):
        Store(path).add([edit(f"{name}-{i}")])


def test_several_processes(store: Store):
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add_many, args=(store.path, n)) for n in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(store.all()) == 80


def test_nothing_is_made_by_reading(store: Store):
    assert store.all() == list(store.alike("cpu", "cpp")) == []
    assert store.clear() == 0
    assert not store.path.parent.exists()


def test_clear(store: Store):
    store.add([edit("a"), edit("b")])
    assert store.clear() == 2
    assert store.all() == []


def _break(path: Path, how: str) -> None:
    if how == "text":
        path.write_text("not a database, but long enough to be looked at " * 100)
    elif how == "half":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "other tables":
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE edits")
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("how", ["text", "half", "other tables", "newer"])
def test_a_broken_file_is_one_warning(store: Store, how: str, caplog: pytest.LogCaptureFixture):
    store.add([edit(f"n{i}") for i in range(200)])
    for tail in ("-wal", "-shm"):
        Path(f"{store.path}{tail}").unlink(missing_ok=True)
    _break(store.path, how)
    with pytest.raises(StoreError, match=r"memory\.db"):
        store.all()
    memory, run = Memory(store.path), Run()
    run.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="n")
    with caplog.at_level(logging.WARNING):
        assert memory.recalled(TASK, None, "cpp", CPU) == {"lessons": []}
        assert memory.recalled(TASK, None, "cpp", CPU) == {"lessons": []}
        assert memory.remember(run.state, TASK, CPU) == 0
    assert len(caplog.records) == 1
    assert str(store.path) in caplog.text


def test_a_broken_file_can_be_cleared(store: Store):
    store.add([edit("a")])
    _break(store.path, "text")
    assert store.clear() is None
    store.add([edit("b")])
    assert len(store.all()) == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot use"):
        Store(tmp_path / "file" / "memory.db").add([edit("a")])


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("KERNELWRIGHT_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".local/share/kernelwright/memory.db"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert default_path() == tmp_path / "x/kernelwright/memory.db"
    monkeypatch.setenv("KERNELWRIGHT_DATA", str(tmp_path / "d"))
    assert default_path() == tmp_path / "d/memory.db"


# -- what is told again ---------------------------------------------------------------------------


def told(edits: list[Edit], task: Task = TASK, bound: str = "memory", **more: bool) -> list[str]:
    edits = sorted(edits, key=lambda e: -e.telling)
    return [lesson.change for lesson in choose(edits, Wanted(task, bound, **more))]


def test_the_category_before_the_bottleneck_and_neither_is_left_out():
    edits = [
        edit("both"),
        edit("category", 3.0, bottleneck="compute", task="a/one"),
        edit("bottleneck", 9.0, category="convolution", task="a/two"),
        edit("neither", 99.0, category="convolution", bottleneck="compute", task="a/three"),
        edit("unknown", 99.0, category="uncategorised", bottleneck="unknown", task="a/four"),
    ]
    assert told(edits) == ["both", "category", "bottleneck"]
    plain = Task("mine", "x")
    assert told(edits, plain, "unknown") == []


def test_a_task_is_never_told_its_own_edits():
    edits = [
        edit("hash", task_hash=TASK.hash),
        edit("name", task="core/softmax"),
        edit("elsewhere", task="kernelbench/23_Softmax"),
        edit("version", task="softmax_v2"),
        edit("other", task="core/log_softmax"),
    ]
    assert told(edits) == ["other"]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("core/softmax", "kb/1_Softmax.py", True),
        ("bias_gelu", "bias_gelu_2", True),
        ("matmul_bias_gelu", "matmul_bias_gelus", True),
        ("softmax", "log_softmax", False),
        ("bias_gelu_erf", "bias_gelu_tanh", False),
        ("max_pool", "avg_pool", False),
        ("core/123", "core/123", True),
        ("core/123", "core/456", False),
    ],
)
def test_the_same_task_by_its_name(a: str, b: str, same: bool):
    assert same_task(a, b) is same
    assert same_task(b, a) is same


def test_a_benchmark_is_told_nothing_of_its_own_suite():
    edits = [
        edit("own", suite="core", task="core/row_max"),
        edit("foreign"),
        edit("file", suite=""),
    ]
    assert len(told(edits)) == 3
    assert told(edits, same_suite=False) == ["foreign", "file"]
    assert told(edits, replace(OTHER, name="mine"), same_suite=False) == ["own", "foreign"]


def test_at_most_five_and_no_two_alike():
    edits = [
        *(edit(f"split the rows over {i} threads", 2 + i, task=f"a/t{i}") for i in range(5)),
        *(edit(f"w{i}", 2, task=f"a/s{i}", strategy="fuse") for i in range(3)),
        *(edit(chr(97 + i) * 5, 1.5, task="a/same") for i in range(4)),
        *(edit(chr(107 + i) * 5, 1.4, task=f"a/u{i}") for i in range(4)),
    ]
    found = told(edits)
    assert len(found) == 5
    assert found[:2] == ["split the rows over 4 threads", "w0"]
    assert found[2:4] == ["aaaaa", "bbbbb"]


def test_one_way_that_helped_here_and_hurt_there():
    edits = [edit("x1", 2.0, strategy="fuse"), edit("y1", 0.5, strategy="fuse", task="a/two")]
    assert len(told(edits)) == 2


def test_failures_are_told_too():
    edits = [edit(chr(97 + i) * 5, 3.0, task=f"a/t{i}") for i in range(6)]
    edits.append(edit("zzzzz", 0.8, task="a/slow"))
    found = told(edits)
    assert len(found) == 5
    assert found[-1] == "zzzzz"


def test_what_proves_nothing_is_not_told():
    unsure, nothing = edit("unsure", 1.1, width=0.2), edit("nothing", 1.0, width=0.01)
    assert told([unsure, nothing]) == ["nothing"]
    assert told([edit("")]) == []


def test_lessons_pass_through_the_log(tmp_path: Path):
    memory = Memory(tmp_path / "memory.db")
    run = Run()
    first = run.turn(1, "a", accepted((1.9, 2.0, 2.1)), note="one pass over the row")
    run.turn(2, "b", accepted((0.9, 1.0, 1.1)), first, note="unrolled by sixteen")
    memory.remember(run.state, OTHER, CPU)
    data = memory.recalled(TASK, None, "cpp", CPU)
    lessons = lessons_from(data)
    assert [lesson.change for lesson in lessons] == [
        "one pass over the row (against PyTorch eager)",
        "unrolled by sixteen",
    ]
    assert lessons_json(lessons) == data
    assert memory.recalled(TASK, None, "cpp", GPU) == {"lessons": []}
    assert memory.recalled(OTHER, None, "cpp", CPU) == {"lessons": []}


def test_settings_ask_for_it(tmp_path: Path):
    assert Memory.of(Settings()) is None
    assert Memory.of(Settings(memory=str(tmp_path / "m.db"))) is not None
