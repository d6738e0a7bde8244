"""Probe: inputs that somebody believes to break a candidate, told as data; a counterexample is one that did.

No code is in it: which shape, and for each input a filling, single elements, and a layout. `realise.py`
makes the tensors. So a probe may come from a language model or lie in a file for years: reading it runs
nothing, and `Probe.from_json` takes only what it knows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast, get_args

Kind = Literal[
    "own", "normal", "constant", "ramp", "alternating", "ties", "sorted", "saturating", "cancelling",
    "reversed", "same", "extremes",
]  # fmt: skip
"""Fillings. The last three are for integers, which also know `own` and `ties`."""
Layout = Literal["contiguous", "transposed", "every second", "expanded"]
Special = Literal["nan", "inf", "-inf", "-0.0", "denormal", "max", "-max"]

KINDS: tuple[Kind, ...] = get_args(Kind)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
SPECIALS: tuple[Special, ...] = get_args(Special)
OWN = "own"
"""The shape of the task as it stands."""

MOST_INPUTS, MOST_EDITS, MOST_OFFSET, LONGEST = 16, 16, 64, 300
_HUGE = 1 << 40
_LARGEST, _LARGEST_SCALE, _SMALLEST_SCALE, _MOST_SHIFT = 1e4, 1e3, 1e-6, 64.0
"""Beyond these the honest formulas of one function part ways: a variance by squares, say."""


@dataclass(frozen=True)
class Edit:
    """One element set by itself; in `every_row` the element of that index along the last dimension.

    Negative indices count from the end. Without `every_row` the index is that of the flattened tensor.
    """

    index: int
    value: float | Special
    every_row: bool = False


@dataclass(frozen=True)
class InputPlan:
    """How one input is made; an input without a plan is as the task draws it.

    own         the task's own values x scale + shift
    normal      normal values x scale + shift
    constant    `shift` everywhere
    ramp        from -scale to scale along each row, + shift
    alternating magnitudes scale and scale/1000 in turns, random signs, + shift
    ties        `count` different values, so that most are equal to others
    sorted      own values x scale + shift, each row in order (scale < 0: falling)
    saturating  scale or -scale, at random, + shift
    cancelling  pairs of neighbours v, -v with v = normal x scale, + shift
    reversed, same, extremes   integers: the other way round; one of them; the least and the largest

    An input that the task draws without negative values gets none: magnitudes are taken.
    """

    input: int
    kind: Kind = "own"
    scale: float = 1.0
    shift: float = 0.0
    count: int = 3
    edits: tuple[Edit, ...] = ()
    layout: Layout = "contiguous"


@dataclass(frozen=True)
class Probe:
    """Inputs of one call. `shape`: `own`, a declared form (`M=64, N=100`, `train mode`), or any other

    constants of the task's. `offset`: so many elements lie before each input, off its alignment.
    """

    shape: str = OWN
    inputs: tuple[InputPlan, ...] = ()
    offset: int = 0
    seed: int = 0
    why: str = ""

    @property
    def id(self) -> str:
        """Names it by its content, whatever the reason given for it."""
        data = {**self.to_json(), "why": ""}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def words(self) -> str:
        """What it is, for people, in one line."""
        told = [_told(plan) for plan in self.inputs if plan != InputPlan(plan.input)]
        if self.offset:
            told.append(f"inputs {self.offset} elements off their alignment")
        where = "" if self.shape == OWN else f"shape {self.shape}: "
        return f"counterexample {self.id}: {where}{'; '.join(told) or 'own inputs'}"

    @property
    def advisory(self) -> str | None:
        """Why an honest kernel might fail it, so that it can only be a note; None where none would."""
        for plan in self.inputs:
            for edit in plan.edits:
                if edit.value in ("-0.0", "denormal", "max", "-max"):
                    return f"honest kernels differ at {edit.value}"
                if isinstance(edit.value, float) and abs(edit.value) > _LARGEST:
                    return f"honest kernels differ at numbers above {_LARGEST:g}"
            size = abs(plan.scale)
            centred = abs(plan.shift) <= _MOST_SHIFT * size or plan.kind == "constant"
            if not (_SMALLEST_SCALE <= size <= _LARGEST_SCALE and centred) or (
                abs(plan.shift) > _LARGEST_SCALE
            ):
                return "honest kernels differ at numbers of such a size"
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return cast(dict[str, Any], json.loads(json.dumps(asdict(self))))

    @staticmethod
    def from_json(data: object) -> Probe:
        """The inverse. Raises ValueError, in a line, for anything that is not such an object."""
        given = _object(data, Probe)
        return Probe(
            shape=_text(given.get("shape", OWN), "shape"),
            inputs=tuple(
                _plan(item) for item in _list(given.get("inputs", []), "inputs", MOST_INPUTS)
            ),
            offset=_whole(given.get("offset", 0), "offset", 0, MOST_OFFSET),
            seed=_whole(given.get("seed", 0), "seed", 0, (1 << 31) - 1),
            why=_text(given.get("why", ""), "why"),
        )


def _plan(data: object) -> InputPlan:
    given = _object(data, InputPlan)
    if "input" not in given:
        raise ValueError("an input plan lacks its number: input")
    return InputPlan(
        input=_whole(given["input"], "input", 0, 255),
        kind=cast(Kind, _one_of(given.get("kind", "own"), "kind", KINDS)),
        scale=_number(given.get("scale", 1.0), "scale"),
        shift=_number(given.get("shift", 0.0), "shift"),
        count=_whole(given.get("count", 3), "count", 1, 1 << 20),
        edits=tuple(_edit(item) for item in _list(given.get("edits", []), "edits", MOST_EDITS)),
        layout=cast(Layout, _one_of(given.get("layout", "contiguous"), "layout", LAYOUTS)),
    )


def _edit(data: object) -> Edit:
    given = _object(data, Edit)
    if not {"index", "value"} <= set(given):
        raise ValueError("an edit needs index and value")
    value, every = given["value"], given.get("every_row", False)
    if not isinstance(every, bool):
        raise ValueError("every_row must be true or false")
    return Edit(
        _whole(given["index"], "index", -_HUGE, _HUGE),
        cast(Special, _one_of(value, "value", SPECIALS))
        if isinstance(value, str)
        else _number(value, "value"),
        every,
    )


def _object(data: object, kind: type[Probe] | type[InputPlan] | type[Edit]) -> Mapping[str, object]:
    known = {field.name for field in fields(kind)}
    if not isinstance(data, dict):
        raise ValueError(f"{kind.__name__}: an object is due")
    unknown = sorted(set(map(str, data)) - known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no field {unknown[0]!r:.60}")
    return data


def _list(value: object, name: str, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name} must be a list of at most {most}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise ValueError(f"{name} must be one line of at most {LONGEST} characters")
    return value


def _whole(value: object, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 3e38:
        return float(value)
    raise ValueError(f"{name} must be a finite number")


def _one_of(value: object, name: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}")
    return value


def _told(plan: InputPlan) -> str:
    numbers = {
        "own": "" if (plan.scale, plan.shift) == (1.0, 0.0) else f" x {plan.scale:g} + {plan.shift:g}",
        "constant": f" {plan.shift:g}",
        "ties": f" among {plan.count} values",
        "reversed": "", "same": "", "extremes": "",
    }  # fmt: skip
    rest = f" of scale {plan.scale:g}" + (f" around {plan.shift:g}" if plan.shift else "")
    said = [f"{plan.kind}{numbers.get(plan.kind, rest)}"]
    for edit in plan.edits[:4]:
        value = edit.value if isinstance(edit.value, str) else f"{edit.value:g}"
        said.append(f"{value} at {edit.index}{' of every row' if edit.every_row else ''}")
    if len(plan.edits) > 4:
        said.append(f"{len(plan.edits) - 4} more")
    if plan.layout != "contiguous":
        said.append(f"{plan.layout} in memory")
    return f"input {plan.input} {', '.join(said)}"
