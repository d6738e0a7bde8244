"""`mix:0.7=SPEC,0.3=SPEC`: each call goes to one of several models, drawn by weight."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence

from kernelwright.agents.models.base import UNMETERED, Message, Meter, Model, Reply, Schema
from kernelwright.tasks.errors import UsageError

_PART = re.compile(r"(?:^|,)(\d*\.?\d+)=")


class MixModel:
    """The draw depends on the seed and the label only, so a resumed run draws the same.

    A repair goes to the model that has to repair.
    """

    def __init__(self, spec: str, parts: Sequence[tuple[float, Model]], seed: int = 0) -> None:
        self.spec = spec
        self._weights = [weight for weight, _ in parts]
        self._models = [model for _, model in parts]
        self._seed = seed

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """The drawn model's answer. Raises ModelError as that one does."""
        return self.drawn(label).ask(messages, label=label, schema=schema, meter=meter)

    def drawn(self, label: str) -> Model:
        """Who answers the call of that label."""
        turn = ":".join(label.split(":")[:2])
        draw = random.Random(f"{self._seed}:mix:{turn}")
        return draw.choices(self._models, self._weights)[0]


def split(text: str, spec: str) -> list[tuple[float, str]]:
    """Weights and specs of `0.7=SPEC,0.3=SPEC`. Raises UsageError."""
    marks = list(_PART.finditer(text))
    if not marks or marks[0].start():
        raise UsageError(f"model {spec!r}: give mix:WEIGHT=SPEC,WEIGHT=SPEC")
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    parts = [
        (float(mark[1]), text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)
    ]
    if not all(part for _, part in parts):
        raise UsageError(f"model {spec!r}: give mix:WEIGHT=SPEC,WEIGHT=SPEC")
    if not all(math.isfinite(w) and w > 0 for w, _ in parts):
        raise UsageError(f"model {spec!r}: every weight must be above 0")
    return parts
