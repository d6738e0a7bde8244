"""Makes the helpers of this folder importable by its tests; models at a local provider."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from provider_calls import KEY, model_at

from kernelwright.agents.models.retry import Retry


@pytest.fixture
def waits() -> list[float]:
    """Seconds that `connect`'s models would have waited between attempts."""
    return []


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Callable[..., object]:
    """Makes a model that asks a local server by one of the protocols."""

    def connect(server, kind, **settings):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        retry = Retry(attempts=4, base_s=0.01, wait=waits.append)
        return model_at(server, kind, **{"retry": retry} | settings)

    return connect
