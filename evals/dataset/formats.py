"""Rows in the shapes that trainers read. A row is a JSON object; its texts are scrubbed by who writes it.

raw           everything known, for shapes of one's own
sft           `messages` (TRL's SFTTrainer, ConCuR-like fine-tuning); reasoning goes first, in <think>
rl            `prompt` with what a reward needs: `reference` for `kernelwright.reward.trl_reward`,
              `data_source` and `reward_model.ground_truth` for verl
preferences   `prompt`, `chosen`, `rejected` (TRL's DPOTrainer): two answers to one prompt
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from kernelwright.evals.dataset.samples import Messages, Sample, facts_json, prompt_id
from kernelwright.evals.worth import worth

Format = Literal["sft", "rl", "preferences", "raw"]
FORMATS: tuple[Format, ...] = ("sft", "rl", "preferences", "raw")
Which = Literal["sent", "task"]
Row = dict[str, Any]
_WRITTEN = ("model", "builtin")
"""Who writes kernels when asked to."""


def rows(found: Sequence[Sample], shape: Format, which: Which) -> Iterator[Row]:
    """The rows of one task's samples."""
    match shape:
        case "raw":
            yield from map(_raw, found)
        case "sft":
            yield from (_sft(s, which) for s in found if s.author in _WRITTEN)
        case "rl":
            first = {prompt_id(prompt(s, which)[0]): s for s in reversed(found)}
            yield from (_rl(s, which) for s in found if s in first.values())
        case "preferences":
            yield from _preferences([s for s in found if s.author in _WRITTEN], which)


def prompt(sample: Sample, which: Which) -> tuple[Messages, str]:
    """The prompt of a row, and where it is from: as it was sent, or made for the task."""
    if which == "sent" and sample.prompt is not None:
        return sample.prompt, "sent"
    return sample.task_prompt, "task"


def _raw(sample: Sample) -> Row:
    attempt, judged = sample.attempt, worth(sample.verdict, sample.source)
    return {
        **_about(sample),
        "round": attempt.round,
        "parent": attempt.parent,
        "other": attempt.other,
        "choice": dict(attempt.choice),
        "note": attempt.note,
        "author": sample.author,
        "model": sample.model,
        "language": attempt.candidate.language,
        "prompt": None if sample.prompt is None else _messages(sample.prompt),
        "task_prompt": _messages(sample.task_prompt),
        "reasoning": sample.reasoning,
        "answer": sample.answer,
        "source": sample.source,
        "reference": sample.task.shown,
        "correct": sample.correct,
        "reward": judged.value,
        "verdict": attempt.verdict.to_json(),
        "confirmed": None if sample.confirmed is None else sample.confirmed.to_json(),
        "reasons": {
            **sample.reasons,
            **({} if sample.speedup else {"speedup": _unmeasured(sample)}),
            **(
                {} if sample.confirmed else {"confirmed": "only what may be published is confirmed"}
            ),
        },
    }


def _sft(sample: Sample, which: Which) -> Row:
    asked, origin = prompt(sample, which)
    answer = {"role": "assistant", "content": _answer(sample, origin)}
    return {
        "messages": [*_messages(asked), answer],
        "prompt_from": origin,
        **_about(sample),
        "correct": sample.correct,
    }


def _rl(sample: Sample, which: Which) -> Row:
    asked, origin = prompt(sample, which)
    about = facts_json(sample.task)
    return {
        "prompt": _messages(asked),
        "reference": sample.task.source,
        "task": sample.task.name,
        "data_source": f"kernelwright/{about['suite']}",
        "ability": "kernel",
        "reward_model": {"style": "rule", "ground_truth": sample.task.source},
        "extra_info": {**about, "prompt_from": origin, "prompt_id": prompt_id(asked)},
    }


def _preferences(found: Sequence[Sample], which: Which) -> Iterator[Row]:
    """Each answer that surely loses, with the least good one of the same prompt that beats it."""
    groups: dict[str, list[Sample]] = {}
    for sample in found:
        groups.setdefault(prompt_id(prompt(sample, which)[0]), []).append(sample)
    for group in groups.values():
        for loser in group:
            better = [s for s in group if _beats(s, loser)]
            if better:
                winner = min(better, key=_low)
                yield _preference(winner, loser, which)


def _preference(winner: Sample, loser: Sample, which: Which) -> Row:
    asked, origin = prompt(winner, which)
    return {
        "prompt": _messages(asked),
        "chosen": [{"role": "assistant", "content": _answer(winner, origin)}],
        "rejected": [{"role": "assistant", "content": _answer(loser, origin)}],
        "prompt_from": origin,
        **_about(winner),
        "rejected_id": _id(loser),
        "rejected_speedup": _speedup(loser),
        "rejected_correct": loser.correct,
    }


def _about(sample: Sample) -> Row:
    return {
        "id": _id(sample),
        **facts_json(sample.task),
        "operator": sample.operator,
        "device": sample.device,
        "speedup": _speedup(sample),
        "track": sample.verdict.track,
    }


def _answer(sample: Sample, origin: str) -> str:
    """What the model is to say. To a prompt that was not sent, the kernel in a block of code."""
    if origin != "sent" or sample.answer is None:
        return f"```python\n{sample.source.rstrip()}\n```"
    thought = f"<think>\n{sample.reasoning.strip()}\n</think>\n\n" if sample.reasoning else ""
    return f"{thought}{sample.answer}"


def _beats(a: Sample, b: Sample) -> bool:
    """Whether a is surely better: right where b is wrong, or its interval lies above b's."""
    if a.correct != b.correct:
        return a.correct
    if a.speedup is None or b.speedup is None:
        return False
    return a.speedup.low > b.speedup.high


def _low(sample: Sample) -> float:
    return sample.speedup.low if sample.speedup else 0.0


def _speedup(sample: Sample) -> dict[str, float] | None:
    s = sample.speedup
    if s is None:
        return None
    return {"median": s.median, "low": s.low, "high": s.high, "pairs": s.pairs}


def _unmeasured(sample: Sample) -> str:
    return "it was accepted without a timing" if sample.correct else "only accepted ones are timed"


def _messages(prompt: Messages) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in prompt]


def _id(sample: Sample) -> str:
    return f"{sample.run}/{sample.attempt.candidate.id}"
