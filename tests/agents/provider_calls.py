"""Calls of a provider's model, for tests."""

from typing import Any

from provider_server import ProviderServer

from kernelwright.agents.models.anthropic_model import anthropic_model
from kernelwright.agents.models.base import Message, Model, Reply
from kernelwright.agents.models.openai_model import openai_model

KEY = "sk-secret-0123456789"
TALK = (Message("system", "be brief"), Message("user", "hi"))
SPECS = ("responses", "chat", "anthropic")
"""The protocols. `openai-chat` is the second one, at OpenAI."""


def ask(model: Model) -> Reply:
    return model.ask(TALK, label="propose:1")


def model_at(server: ProviderServer, kind: str, **settings: Any) -> Model:
    match kind:
        case "responses":
            return openai_model("gpt-5-mini", **settings)
        case "openai-chat":
            return openai_model("gpt-5-mini", chat=True, **settings)
        case "chat":
            return openai_model("local-7b", server.url + "/v1", **settings)
        case _:
            return anthropic_model("claude-haiku-4-5", **settings)
