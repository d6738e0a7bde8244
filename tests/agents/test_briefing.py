"""What is told of a turn: every kind of it, complete, and lean."""

import re
from dataclasses import replace

import pytest
from search_fakes import CPU, TASK

from kernelwright.agents import briefing
from kernelwright.agents.briefing.diagnostics import compiler_lines, rejection
from kernelwright.agents.briefing.history import SHOWN, predictions_section
from kernelwright.agents.briefing.verdicts import MOST_COUNTERS, counters, difference
from kernelwright.agents.roles import Advice, Attempt, Brief, Lesson, Prediction, Target, Turn
from kernelwright.agents.strategies import catalogue
from kernelwright.agents.wording import clip, shorten
from kernelwright.harness.candidate import Candidate
from kernelwright.harness.verdict import Finding, Roofline, Speedup, Verdict

TARGET = Target(2.0, 0.1, "memory", 2e6, 16e6, "class fp32, |error| at most 6.0e-05")
DETAIL = {
    "inputs": "own", "output": "the output", "shape": [4, 100],
    "first": {"index": [0, 96], "got": "nan", "expected": 0.5, "tolerance": 1e-4},
    "worst": {"index": [3, 99], "got": 7.0, "expected": 0.25, "tolerance": 1e-4},
    "wrong": 16, "elements": 400, "share": 0.04,
    "patterns": [{"code": "tail", "text": "only at index 96 and after (the last 4)"}],
}  # fmt: skip
GCC = """kernel.cpp: In function 'void f(long int)':
kernel.cpp:3:19: error: 'lenght' was not declared in this scope
    3 |     for (i = 0; i < lenght; i++)
      |                     ^~~~~~
kernel.cpp:5:1: warning: unused
kernel.cpp:9:2: error: expected ';'
"""


def source(name: str, lines: int = 30) -> str:
    body = "\n".join(f"STEP_{i} = {i}" for i in range(lines))
    return f"# {name}\nP = tuned(V=[4, 8])\n{body}\nclass ModelNew: ...\n"


def accepted(name: str, speed: float, *, parent: Attempt | None = None, **more) -> Attempt:
    measured = Speedup(speed, speed * 0.9, speed * 1.1, 20)
    times = {"candidate": 2 / speed, "eager": 2.0}
    roof = Roofline("memory", 0.05 * speed)
    verdict = Verdict(
        "accepted", "done", (), "custom", "fp32", None, "cpu", times, {"eager": measured}, roof
    )
    above = parent.candidate.id if parent else None
    return Attempt(Candidate(source(name)), verdict, 1, above, f"note of {name}", **more)


def rejected(name: str, parent: Attempt) -> Attempt:
    found = Finding("wrong_value", "the output is wrong in 16 of 400", detail=DETAIL)
    verdict = Verdict("rejected", "correctness", (found,))
    return Attempt(Candidate(source(name)), verdict, 2, parent.candidate.id, f"note of {name}")


FIRST = accepted("first", 2.0)
BEST = accepted("best", 5.0, parent=FIRST)
OTHER = accepted("other", 3.0)
FAILED = rejected("failed", FIRST)
ADVICE = Advice("optimize", "two passes", "fuse them", 1.5, metrics=("5% of the floor",))
CORRECTION = Advice("correct", "the tail", "a mask")
STRATEGIES = catalogue("cpp")[:3]
FOLLOWING = replace(ADVICE, strategy=STRATEGIES[1].name)
BASE = Brief(
    TASK, CPU, "cpp", 5, 0, history=(FIRST, OTHER, BEST, FAILED), best=BEST, strategies=STRATEGIES,
    target=TARGET, evaluations_left=17,
    predictions=(Prediction("fuse", 1.5, 1.2, "1.20x", "fuse"),
                 Prediction("tile", 2.0, None, "rejected at build")),
    lessons=(Lesson("core/softmax", "activation", "memory", "cpp", "one pass", 1.4, 1.3, 1.5, "online"),),
)  # fmt: skip

CODER = {
    "first": replace(BASE, history=(), best=None, predictions=()),
    "afresh": replace(BASE, turn=Turn("fresh")),
    "improve": replace(BASE, parent=BEST, advice=FOLLOWING, turn=Turn("improve")),
    "improve another": replace(BASE, parent=FIRST, advice=ADVICE, turn=Turn("improve")),
    "improve alone": replace(BASE, parent=FIRST, judged=False, turn=Turn("improve")),
    "repair": replace(BASE, parent=FAILED, advice=CORRECTION, turn=Turn("repair")),
    "repair alone": replace(BASE, parent=FAILED, judged=False, turn=Turn("repair")),
    "cross": replace(BASE, parent=BEST, other=OTHER, turn=Turn("cross")),
    "full history": replace(BASE, parent=BEST, advice=ADVICE, full_history=True),
}  # fmt: skip
JUDGE = {
    "optimize": (BASE, FIRST),
    "optimize best": (replace(BASE, parent=BEST), BEST),
    "correct": (BASE, FAILED),
    "crossing": (CODER["cross"], BEST),
}


def coder(name: str) -> str:
    said = briefing.coder_turn(CODER[name])
    return said.front + said.rest


def judge(name: str) -> str:
    said = briefing.judge_turn(*JUDGE[name])
    return said.front + said.rest


ALL = {**dict.fromkeys(CODER, coder), **dict.fromkeys(JUDGE, judge)}


@pytest.mark.parametrize("name", ALL)
def test_every_turn_is_whole_and_lean(name: str):
    text = ALL[name](name)
    assert not re.search(r"\$\w", text), "a name was not filled in"
    assert len(text) < 16_000
    assert "\n\n\n\n" not in text
    assert text.rstrip().splitlines()[-1].strip()
    heads = re.findall(r"^# .*", text, re.M)
    assert heads[0] == "# Operator `scale`"
    assert heads[-1] == "# Your turn"
    assert "# Target" in heads
    assert "None" not in text


@pytest.mark.parametrize("language", ["cpp", "cuda", "triton"])
def test_every_language_has_its_format_and_an_example(language: str):
    said = briefing.coder_turn(replace(CODER["first"], language=language))
    title = {"cpp": "C++", "cuda": "CUDA", "triton": "Triton"}[language]
    assert f"# Format: {title} in a Python file" in said.front
    assert "# An example of the format" in said.rest
    for block in re.findall(r"```python\n(.*?)```", said.front + said.rest, re.S):
        compile(block, "block", "exec")


def test_the_format_of_every_language_is_a_candidate_with_a_space():
    for language in briefing.languages():
        text = briefing.prompt(f"languages/{language}").split("```python\n")[1].split("```\n")[0]
        assert Candidate(text, language).space


def test_the_target_is_in_figures():
    text = coder("improve")
    for part in ("eager PyTorch takes 2 ms", "the floor of this machine is 0.1 ms, set by memory",
                 "20.0x faster than eager", "low end 4.50x", "25% of the memory floor: 4.0x are left",
                 "error budget: class fp32, |error| at most 6.0e-05", "evaluations left: 17",
                 "each value that the tuner tries costs one"):  # fmt: skip
        assert part in text, part


def test_without_a_measured_budget_the_class_gives_the_number():
    said = briefing.target_section(replace(BASE, target=Target()))
    assert "class fp32: |error| at most 5e-05 x" in said
    half = replace(TASK, meta=replace(TASK.meta, dtypes=("bfloat16",)))
    said = briefing.target_section(replace(BASE, best=None, task=half, target=Target()))
    assert "class bf16: |error| at most 2e-02" in said
    assert "eager PyTorch" not in said, "nobody has measured it"


def test_the_machine_with_its_caches_and_flags():
    facts = replace(CPU, isa=("avx2", "fma"), l1_bytes=48 << 10, l2_bytes=1 << 20, l3_bytes=32 << 20,
                    bandwidth_gbs={1 << 17: 52.0, 1 << 27: 121.0}, peak_gflops=567.0)  # fmt: skip
    said = briefing.device(facts, "cpp")
    for part in ("avx2, fma", "L1d 48 KiB, L2 1 MiB, L3 32 MiB", "128 KiB: 52", "567 GFLOP/s",
                 "-O3 -march=native"):  # fmt: skip
        assert part in said
    assert "march" not in briefing.device(facts, "triton")


def test_the_first_turn_has_an_example_and_no_later_one_has():
    assert "# An example of the format" in coder("first")
    assert "core/gated_residual" not in coder("first"), "which task it solves is not said"
    assert not any("# An example" in coder(name) for name in CODER if name != "first")


def test_a_parent_that_is_not_the_best_is_called_so_and_the_best_is_shown():
    text = coder("improve another")
    assert f"`{FIRST.candidate.id}`: the parent, which is not the best so far" in text
    assert f"# The best so far: `{BEST.candidate.id}` (5.00x eager, low end 4.50x)" in text
    assert "-# first\n+# best" in text, "as a difference, for it is short"
    assert "the parent, and the best so far" in coder("improve")
    assert "# The best so far" not in coder("improve")


def test_advice_comes_with_its_strategy():
    text = coder("improve")
    assert "Change: fuse them Expected: 1.50x." in text
    assert "5% of the floor" in text
    assert f"# Strategy `{STRATEGIES[1].name}`" in text
    assert "that one and no other" in text
    alone = coder("improve alone")
    assert f"# Strategy `{STRATEGIES[0].name}`" in alone
    assert "Decide from the measurements what binds" in alone
    assert "# Strategy" not in coder("improve another"), "the Judge follows none"


@pytest.mark.parametrize("name", ["repair", "repair alone"])
def test_a_repair_is_told_what_was_wrong_and_what_had_changed(name: str):
    text = coder(name)
    for part in ("Rejected at stage `correctness`", "pattern: only at index 96 and after",
                 "farthest off: at [3, 99] got 7, expected 0.25", "share of wrong elements: 4.0%",
                 f"in `{FIRST.candidate.id}`, which was accepted", "+# failed"):  # fmt: skip
        assert part in text, part
    assert ("Change: a mask" in text) == (name == "repair")
    assert "# The best so far:" not in text


def test_a_crossing_has_two_parents():
    text = coder("cross")
    assert f"`{BEST.candidate.id}`: first parent, and the best so far" in text
    assert f"# Second parent: `{OTHER.candidate.id}` (3.00x eager" in text
    assert "note of other" in text
    assert f"Start from `{BEST.candidate.id}`" in text
    assert "-# best\n+# other" in text


def test_the_judge_of_a_crossing_sees_both_parents():
    text = judge("crossing")
    assert f"# Second parent: `{OTHER.candidate.id}` (3.00x eager" in text
    assert "This turn crosses two parents" in text
    assert "Second parent" not in judge("optimize")


def test_a_crossing_without_a_second_parent_is_an_improvement():
    said = briefing.coder_turn(replace(CODER["cross"], other=None))
    assert "second parent" not in said.rest.lower()
    assert "Decide from the measurements" in said.rest


def test_a_fresh_start_is_to_be_another_kind_of_kernel():
    text = coder("afresh")
    assert "of another kind than those in the table" in text
    assert "# Kernel" not in text
    assert f"`{BEST.candidate.id}` **best**" in text


def test_the_table_has_medians_low_ends_the_champion_and_gains():
    row = next(line for line in coder("improve").splitlines() if f"| `{BEST.candidate.id}`" in line)
    assert row == (
        f"| 1 | `{BEST.candidate.id}` **best** | `{FIRST.candidate.id}` | 5.00x, low end 4.50x | 2.50x"
        " | note of best |"
    )
    assert "rejected at correctness: wrong_value (tail)" in coder("improve")


def test_the_table_keeps_the_line_of_descent():
    line = [accepted("a0", 1.0)]
    for i in range(1, 4):
        line.append(accepted(f"a{i}", 1.0 + i / 100, parent=line[-1]))
    noise = [accepted(f"n{i}", 0.5) for i in range(40)]
    table = briefing.history_section((*line, *noise), parent=line[-1], best=line[-1])
    for attempt in line:
        assert f"`{attempt.candidate.id}`" in table
    assert len([x for x in table.splitlines() if x.startswith("| 1 |")]) == SHOWN
    assert "34 more kernels are not shown." in table


def test_a_machine_that_failed_says_nothing_of_the_kernel():
    verdict = Verdict("harness_error", "timing", (Finding("harness", "killed"),))
    failed = replace(BEST, verdict=verdict)
    said = briefing.coder_turn(replace(CODER["afresh"], history=(failed,), best=None))
    text = said.front + said.rest
    assert "not judged: the machine failed" in text and "rejected at timing" not in text
    assert "Write the first kernel" in text and "of another kind" not in text


def test_tuned_values_and_what_they_were_chosen_from():
    baked = BEST.candidate.baked({"V": 8})
    tuned = replace(BEST, candidate=baked, parent=BEST.candidate.id, choice={"V": 8})
    brief = replace(BASE, history=(*BASE.history, tuned), best=tuned, parent=tuned, advice=ADVICE)
    text = briefing.coder_turn(brief).rest
    assert "its numbers are the tuner's: V=8, V among [4, 8]" in text
    assert "the parent, and the best so far" in text
    line = replace(brief, parent=BEST)
    assert "the parent, and the best so far" in briefing.coder_turn(line).rest, (
        "one line of descent"
    )


def test_full_history_shows_every_source():
    text = coder("full history")
    for attempt in BASE.history:
        assert attempt.candidate.source.strip() in text
    assert "# Tried so far" not in text


def test_a_full_history_ends_where_it_fits_no_model():
    long = [replace(FIRST, candidate=Candidate("#" * 50_000 + str(i))) for i in range(9)]
    said = briefing.coder_turn(replace(CODER["full history"], history=tuple(long))).rest
    assert len(said) < 330_000
    assert "3 are left out" in said or "4 are left out" in said


def test_the_judge_is_offered_strategies_and_sees_how_it_fared():
    text = judge("optimize")
    for strategy in STRATEGIES:
        assert f"`{strategy.name}`: {strategy.text}" in text
    for part in ("# Your earlier advice", "| fuse | fuse | 1.50x | 1.20x |", "rejected at build",
                 "1 of 2 pieces of advice made the kernel faster", "0.80 (you promise too much)",
                 "# The best so far is another kernel", "`core/softmax`", "1.40x (1.30 to 1.50) by online",
                 "16 GB/s", "bound by latency"):  # fmt: skip
        assert part in text, part
    assert "is another kernel" not in judge("optimize best")


def test_a_correction_is_about_the_failure_alone():
    text = judge("correct")
    assert "pattern: only at index 96 and after" in text
    for part in ("Strategies on offer", "Your earlier advice", "What it gave elsewhere"):
        assert part not in text


def test_the_front_does_not_change_from_turn_to_turn():
    assert len({briefing.coder_turn(brief).front for brief in CODER.values()}) == 1
    assert len({briefing.judge_turn(*pair).front for pair in JUDGE.values()}) == 1


def test_calibration():
    both = [Prediction("a", 1.2, 1.2, ""), Prediction("b", 1.0, 1.5, "")]
    assert "2 of 2" in predictions_section(both)
    assert "too little" in predictions_section(both)
    unknown = [Prediction("a", None, None, "no candidate")]
    assert (
        predictions_section(unknown)
        .rstrip()
        .endswith("0 of 1 pieces of advice made the kernel faster.")
    )
    assert predictions_section(()) == ""


def test_the_compilers_first_errors_with_their_lines():
    said = compiler_lines(GCC)
    assert said.splitlines()[0].startswith("kernel.cpp:3:19: error: 'lenght'")
    assert "for (i = 0; i < lenght; i++)" in said
    assert "warning" not in said
    assert compiler_lines("ld: cannot find -lm") == "ld: cannot find -lm"
    text = 'lib = cuda(r"""\nint one;\nint two(;\n""")\n'
    assert "    3 | int two(;" in compiler_lines("kernel.cu(3): error: expected a )", text)
    many = "\n".join(f"kernel.cpp:{i}:1: error: e{i}" for i in range(30))
    assert "[25 more errors]" in compiler_lines(many)


def test_an_exception_with_the_lines_around_it():
    finding = Finding("exception", "TypeError: no (line 3)")
    said = rejection(Verdict("rejected", "run", (finding,)), "a = 1\nb = 2\nc = None + 1\nd = 4\n")
    assert ">    3 | c = None + 1" in said
    assert "     1 | a = 1" in said
    assert rejection(Verdict("rejected", "run", (finding,)), "a").count("\n") == 1


@pytest.mark.parametrize(
    "detail",
    [{}, {"patterns": [{}]}, {"worst": 3}, {"share": "x", "first": None, "worst": {"index": None}},
     {"patterns": ["x"]}],
)  # fmt: skip
def test_figures_of_any_other_kind_do_no_harm(detail):
    finding = Finding("wrong_value", "wrong", detail=detail)
    assert "wrong_value: wrong" in rejection(Verdict("rejected", "correctness", (finding,)))


def test_counters_the_telling_ones_or_all():
    values = {f"odd_{i}": i for i in range(40)} | {"dram": {"bytes": 1e6}, "occupancy": 0.5}
    few = counters(values)
    assert len(few) == MOST_COUNTERS
    assert few[0] == "- occupancy: 0.5"
    assert "- dram.bytes: 1e+06" in few
    assert len(counters(values, full=True)) == 42
    measured = replace(FIRST, verdict=replace(FIRST.verdict, counters=values))
    text = briefing.judge_turn(replace(BASE, full_counters=True), measured).rest
    assert "odd_39" in text
    assert "odd_39" not in briefing.judge_turn(BASE, measured).rest


def test_a_warning_about_the_users_machine_is_not_told():
    weak = Finding("weak_sandbox", "no namespaces", "warning")
    busy = Finding("busy_machine", "again", "warning")
    said = briefing.verdict(replace(FIRST.verdict, findings=(weak, busy)))
    assert "namespaces" not in said
    assert "busy_machine" in said


def test_a_difference_only_where_it_is_the_shorter_text():
    assert difference(FIRST.candidate, FIRST.candidate) is None
    assert difference(FIRST.candidate, Candidate("x = 1\n")) is None
    change = difference(FIRST.candidate, BEST.candidate)
    assert change is not None and change.startswith("```diff\n@@")


def test_text_is_cut_between_words():
    assert clip("one two three", 100) == "one two three"
    assert clip("one  two\nthree", 9) == "one two…"
    assert len(clip("x" * 500, 50)) == 50
    assert shorten("a" * 100, 10).startswith("aaaaa\n[...]\naaaaa")


def test_a_source_with_fences_does_not_end_its_block():
    odd = replace(FIRST, candidate=Candidate('"""\n```python\nx\n```\n"""\nclass ModelNew: ...\n'))
    text = briefing.attempt_section(odd)
    assert "````python\n" in text
