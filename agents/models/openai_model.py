"""OpenAI's models, and every server that speaks OpenAI's chat protocol, by the official client."""

from __future__ import annotations

import os

from kernelwright.agents.models import keys, prices
from kernelwright.agents.models.base import Usage
from kernelwright.agents.models.chat_api import ChatApi
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.options import Options
from kernelwright.agents.models.provider import TIMEOUT_S, ProviderModel
from kernelwright.agents.models.responses_api import STANDARD, ResponsesApi
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.wire import CONNECT_S, IDLE_S, Wire, watch
from kernelwright.agents.roles import Spend

SERVER_KEY = keys.VARIABLES["server"]
"""Key for a compatible server. OPENAI_API_KEY is never sent to a URL of the user's own."""
MAX_TOKENS = 32_000
"""Reasoning and answer together. A server of the user's own has its own limit."""
OPTIONS = ("max_tokens", "temperature", "top_p", "effort", "timeout")


def openai_model(
    name: str,
    url: str | None = None,
    *,
    chat: bool = False,
    spec: str | None = None,
    options: Options | None = None,
    retry: Retry | None = None,
    halt: Halt | None = None,
) -> ProviderModel:
    """`openai:NAME` (responses, or chat where the server has none), `openai-chat:NAME`, `URL#NAME`.

    OPENAI_BASE_URL overrides the address of the first two. Raises UsageError without a key.
    """
    spec = spec or (f"{url}#{name}" if url else f"openai{'-chat' * chat}:{name}")
    options, halt = options or Options(), halt or Halt()
    key = keys.key("server") if url else keys.needed("openai", spec)
    timeout_s = options.timeout or TIMEOUT_S

    def connect() -> Wire:
        import openai

        client = openai.OpenAI(
            api_key=key.reveal() if key else "none",
            base_url=url,
            timeout=openai.Timeout(min(timeout_s, IDLE_S), connect=min(timeout_s, CONNECT_S)),
            max_retries=0,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [watch]}),
            default_headers={"Connection": "close"},
        )
        return Wire(openai, client, spec, timeout_s, halt)

    def price(usage: Usage) -> Spend:
        """A server of the user's own has no price that we could know."""
        if url:
            return Spend(None, usage.input, usage.output)
        return prices.spend(name, usage)

    newer = ChatApi("max_completion_tokens", tier=STANDARD)
    return ProviderModel(
        spec,
        name,
        ChatApi() if url else newer if chat else ResponsesApi(),
        connect,
        price,
        provider=url or os.environ.get("OPENAI_BASE_URL") or "openai",
        options=options,
        limit=options.max_tokens or (None if url else MAX_TOKENS),
        retry=retry or Retry(wait=halt.wait),
        halt=halt,
        fallback=None if url or chat else newer,
        lenient=url is not None,
    )
