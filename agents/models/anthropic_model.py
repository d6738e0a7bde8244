"""Anthropic's models by the official client."""

from __future__ import annotations

import os

from kernelwright.agents.models import keys, prices
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.messages_api import MAX_TOKENS, MessagesApi
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.provider import TIMEOUT_S, ProviderModel
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.wire import CONNECT_S, IDLE_S, Wire, watch
from kernelwright.tasks.errors import UsageError

OPTIONS = ("max_tokens", "temperature", "top_p", "effort", "thinking", "timeout")


def anthropic_model(
    name: str,
    *,
    spec: str | None = None,
    options: Options | None = None,
    retry: Retry | None = None,
    halt: Halt | None = None,
) -> ProviderModel:
    """`anthropic:NAME`. ANTHROPIC_BASE_URL overrides the address.

    Raises UsageError without a key, or for options that Anthropic does not take together.
    """
    spec = spec or f"anthropic:{name}"
    options, halt = options or Options(), halt or Halt()
    key = keys.needed("anthropic", spec)
    limit = _limit(options, spec)
    timeout_s = options.timeout or TIMEOUT_S

    def connect() -> Wire:
        import anthropic

        client = anthropic.Anthropic(
            api_key=key.reveal(),
            timeout=anthropic.Timeout(min(timeout_s, IDLE_S), connect=min(timeout_s, CONNECT_S)),
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(event_hooks={"request": [watch]}),
            default_headers={"Connection": "close"},
        )
        return Wire(anthropic, client, spec, timeout_s, halt)

    return ProviderModel(
        spec,
        name,
        MessagesApi(),
        connect,
        lambda usage: prices.spend(name, usage),
        provider=os.environ.get("ANTHROPIC_BASE_URL") or "anthropic",
        options=options,
        limit=limit,
        retry=retry or Retry(wait=halt.wait),
        halt=halt,
    )


def _limit(options: Options, spec: str) -> int:
    """Most output tokens: by default as much for the answer as without thinking."""
    thinking = options.thinking
    if not isinstance(thinking, int):
        thinking = 0
    if options.max_tokens and thinking >= options.max_tokens:
        raise UsageError(
            f"model {spec!r}: thinking={thinking} must be less than max_tokens={options.max_tokens}"
        )
    if options.thinking not in (None, "off") and options.temperature not in (None, 1.0):
        raise UsageError(f"model {spec!r}: thinking allows no temperature but 1")
    return options.max_tokens or max(MAX_TOKENS, thinking + MAX_TOKENS // 2)
