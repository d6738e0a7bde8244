"""`make_model`: from what a user writes to a Model."""

from __future__ import annotations

import re
from pathlib import Path

from kernelwright.agents.models.anthropic_model import AnthropicModel
from kernelwright.agents.models.base import Model
from kernelwright.agents.models.command import CommandModel
from kernelwright.agents.models.openai_model import OpenAIModel
from kernelwright.agents.models.replay import RecordingModel, ReplayModel
from kernelwright.agents.models.retry import Retry
from kernelwright.tasks.errors import UsageError

FORMS = "builtin, openai:NAME, anthropic:NAME, URL#NAME, command:CMD, replay:FILE, record:FILE:SPEC"
"""All that `--model` takes. `builtin` is no Model: it plays the roles itself."""


def make_model(spec: str, retry: Retry | None = None) -> Model:
    """The model that `spec` names. Connects to nothing and imports no client.

    Raises UsageError for an unknown form, a missing key, program or file.
    """
    retry = retry or Retry()
    if re.match(r"https?://", spec):
        url, _, name = spec.rpartition("#")
        if not url or not name:
            raise UsageError(f"model {spec!r}: name the server's model after the address: URL#NAME")
        return OpenAIModel(name, url, retry=retry)
    kind, _, rest = spec.partition(":")
    if rest:
        match kind:
            case "openai":
                return OpenAIModel(rest, retry=retry)
            case "anthropic":
                return AnthropicModel(rest, retry=retry)
            case "command":
                return CommandModel(rest)
            case "replay":
                return ReplayModel(Path(rest))
            case "record":
                path, _, inner = rest.partition(":")
                if path and inner:
                    return RecordingModel(make_model(inner, retry), Path(path))
    raise UsageError(f"unknown model {spec!r}: give one of {FORMS}")
