"""`make_model`: from what a user writes to a Model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from kernelwright.agents.models import anthropic_model, mailbox, mix, openai_model
from kernelwright.agents.models.base import Model
from kernelwright.agents.models.command import CommandModel
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.options import split
from kernelwright.agents.models.replay import RecordingModel, ReplayModel
from kernelwright.agents.models.retry import Retry
from kernelwright.tasks.errors import UsageError


class Form(NamedTuple):
    """One way to name a model."""

    form: str
    what: str
    options: tuple[str, ...] = ()
    """What may follow the form as `?NAME=VALUE&NAME=VALUE`."""


FORM_LIST = (
    Form("builtin", "the built-in optimizer: no key, no cost; it is no language model"),
    Form("openai:NAME", "OpenAI's Responses API", openai_model.OPTIONS),
    Form("openai-chat:NAME", "OpenAI's chat completions", openai_model.OPTIONS),
    Form("anthropic:NAME", "Anthropic, with prompt caching and thinking", anthropic_model.OPTIONS),
    Form(
        "URL#NAME",
        "any server with OpenAI's chat completions: vLLM, SGLang, Ollama, llama.cpp",
        openai_model.OPTIONS,
    ),
    Form("command:CMD", "a program: the prompt on stdin, the answer on stdout"),
    Form("mailbox:DIR", "files: a person or another agent answers", mailbox.OPTIONS),
    Form("mix:W=SPEC,W=SPEC", "each call to one of several models, drawn by weight"),
    Form("record:FILE:SPEC", "another model, with every answer written down"),
    Form("replay:FILE", "the answers that were written down"),
)
"""All that `--model` takes. `builtin` is no Model: it plays the roles itself."""
FORMS = ", ".join(form.form for form in FORM_LIST)


def make_model(
    spec: str, retry: Retry | None = None, *, halt: Halt | None = None, seed: int = 0
) -> Model:
    """The model that `spec` names. Connects to nothing and imports no client.

    `seed` is for what draws between models. Raises UsageError for an unknown form, a wrong option,
    a missing key, program or file.
    """
    halt = halt or Halt()
    retry = retry or Retry(wait=halt.wait)
    if re.match(r"https?://", spec):
        return _server(spec, retry, halt)
    kind, _, rest = spec.partition(":")
    match kind:
        case "openai" | "openai-chat" | "anthropic":
            made = anthropic_model if kind == "anthropic" else openai_model
            name, options = split(rest, spec, made.OPTIONS)
            if name and made is anthropic_model:
                return anthropic_model.anthropic_model(
                    name, spec=spec, options=options, retry=retry, halt=halt
                )
            if name:
                return openai_model.openai_model(
                    name,
                    chat=kind == "openai-chat",
                    spec=spec,
                    options=options,
                    retry=retry,
                    halt=halt,
                )
        case "command" if rest:
            return CommandModel(rest, halt=halt)
        case "mailbox":
            folder, options = split(rest, spec, mailbox.OPTIONS)
            if folder:
                return mailbox.MailboxModel(Path(folder), spec=spec, options=options, halt=halt)
        case "mix" if rest:
            parts = mix.split(rest, spec)
            models = [(w, make_model(s, retry, halt=halt, seed=seed)) for w, s in parts]
            return mix.MixModel(spec, models, seed)
        case "replay" if rest:
            return ReplayModel(Path(rest))
        case "record":
            path, _, inner = rest.partition(":")
            if path and inner:
                return RecordingModel(make_model(inner, retry, halt=halt, seed=seed), Path(path))
    raise UsageError(f"unknown model {spec!r}: give one of {FORMS}")


def _server(spec: str, retry: Retry, halt: Halt) -> Model:
    url, _, rest = spec.rpartition("#")
    name, options = split(rest, spec, openai_model.OPTIONS)
    if not url or not name:
        raise UsageError(f"model {spec!r}: name the server's model after the address: URL#NAME")
    try:
        address = urlsplit(url)
        usable = bool(address.hostname) and (address.port is None or address.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"model {spec!r}: {url} is no address")
    if address.username or address.password:
        raise UsageError(
            f"the address of model {name!r} holds a password: it would be written down with the "
            f"run; set {openai_model.SERVER_KEY} instead"
        )
    return openai_model.openai_model(name, url, spec=spec, options=options, retry=retry, halt=halt)


def asked_models(spec: str) -> tuple[str, ...]:
    """The specs of the models that get the calls: the parts of a mixture, what is recorded, …"""
    kind, _, rest = spec.partition(":")
    if kind == "mix":
        found = [one for _, part in mix.split(rest, spec) for one in asked_models(part)]
        return tuple(dict.fromkeys(found))
    if kind == "record":
        return asked_models(rest.partition(":")[2])
    return (spec,)
