"""Structured answers: asked for by a JSON schema, checked, and sent back once where they are wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from kernelwright.agents import answers, briefing
from kernelwright.agents.models.base import Message, Model, ModelError, Reply, Schema
from kernelwright.agents.roles import Spend

Shape = TypeVar("Shape", bound=BaseModel)
MOST_ECHO = 8000
"""Characters. What was cut off at the token limit would be paid for once more as input."""
_UNKNOWN_TO_PROVIDERS = ("title", "exclusiveMinimum", "exclusiveMaximum", "minLength", "default")
"""Keywords that not every provider takes; we check them ourselves."""


@dataclass(frozen=True)
class Structured(Generic[Shape]):
    """What came of it: a value, or why there is none. `spend` is for both."""

    value: Shape | None
    fault: str
    spend: Spend


def ask(
    model: Model,
    talk: Sequence[Message],
    shape: type[Shape],
    *,
    label: str,
    form: type[BaseModel] | None = None,
) -> Structured[Shape]:
    """A `shape` from a model. A usable answer is needed once: one repair turn, none for a refusal.

    `form` is what providers hold the answer to, where that is more than `shape` insists on. Raises
    ModelError, with what was spent up to it.
    """
    schema = schema_of(form or shape)
    reply = model.ask(talk, label=label, schema=schema)
    value, fault = read(reply, shape)
    if value is not None or reply.stop == "refused":
        return Structured(value, fault, reply.spend)
    again = [
        *talk,
        Message("assistant", echo(reply.text)),
        Message("user", briefing.prompt("repair", fault=fault, form=json.dumps(schema.body))),
    ]
    try:
        second = model.ask(again, label=f"{label}:repair", schema=schema)
    except ModelError as error:
        error.spend += reply.spend
        raise
    value, fault = read(second, shape)
    return Structured(value, fault, reply.spend + second.spend)


def echo(said: str) -> str:
    """An unusable answer as it is sent back: not empty, which providers refuse, and not long."""
    said = said.strip()
    if len(said) <= MOST_ECHO:
        return said or "(nothing)"
    return f"{said[: MOST_ECHO // 2]}\n[...]\n{said[-MOST_ECHO // 2 :]}"


def read(reply: Reply, shape: type[Shape]) -> tuple[Shape | None, str]:
    """The first valid object in an answer, and what is wrong with the last one if none is."""
    if reply.stop == "refused":
        return None, f"the model declined: {' '.join(reply.text.split())[:200]}"
    fault = "there is no JSON object in the answer"
    if reply.stop == "length":
        fault = "the answer was cut off at the token limit"
    for data in answers.objects(reply.text):
        try:
            return shape.model_validate(data), ""
        except ValidationError as error:
            fault = _fault(error)
    return None, fault


def schema_of(shape: type[BaseModel]) -> Schema:
    """The JSON schema of a shape, in the dialect that OpenAI and Anthropic enforce."""
    return Schema(shape.__name__.lower(), _strict(shape.model_json_schema()))


def _strict(schema: Any) -> Any:
    """Every property is required and there are no others."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: _strict(v) for k, v in schema.items() if k not in _UNKNOWN_TO_PROVIDERS}
    if kept.get("type") == "object":
        kept["properties"] = {k: _strict(v) for k, v in schema.get("properties", {}).items()}
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept


def _fault(error: ValidationError) -> str:
    """The first thing that is wrong, in words for the model."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f'"{where}": {first["msg"]}'
