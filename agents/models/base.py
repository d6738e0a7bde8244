"""Model: messages in, message and cost out. Everything that answers a prompt is one.

`make_model` (`models/spec.py`) turns what a user writes (`openai:NAME`, …) into a Model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from kernelwright.agents.models.keys import redact
from kernelwright.agents.roles import Spend


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str
    stable: int = 0
    """So many characters at the front stay the same from call to call: worth a provider's cache."""


@dataclass(frozen=True)
class Schema:
    """The form of a structured answer: a JSON schema of an object, with a name for it."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counts them. None: it does not say.

    `cached` are those of `input` that were read from the provider's cache, `cache_written` those
    that were put there; `reasoning` are those of `output` that were spent on thinking.
    """

    input: int | None = None
    cached: int | None = None
    cache_written: int | None = None
    output: int | None = None
    reasoning: int | None = None


UNKNOWN = Spend(None, None, None)
"""What a call cost of which nobody knows what it cost."""

StopReason = Literal["end", "length", "refused"]


@dataclass(frozen=True)
class Exchange:
    """How an answer came: of the last attempt, without waits before it. None: not known."""

    first_token_s: float | None = None
    """Seconds from the request to the first piece of answer or reasoning."""
    total_s: float | None = None
    streamed: bool | None = None
    structured: bool | None = None
    """Whether the provider itself held the answer to the schema; None where none was asked for."""


@dataclass(frozen=True)
class Reply:
    """An answer. `text` holds no reasoning; that stands apart, as far as the provider shows it."""

    text: str
    stop: StopReason = "end"
    """`length`: cut off at the token limit; `refused`: the provider declined to answer."""
    reasoning: str = ""
    usage: Usage = Usage()
    spend: Spend = field(default_factory=Spend)
    model: str = ""
    """The name that the provider gives for what answered."""
    exchange: Exchange = Exchange()


class ModelError(Exception):
    """A call gave no reply. The message is one line for the user, without keys.

    `retryable`: the same call may pass later (timeouts, 429, 5xx, cut connections).
    `status`: the HTTP status where there is one. `spend`: what was billed all the same, and `usage`
    the counts of it, where the provider gave them.
    `retry_after_s`: how long the provider asks to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        status: int | None = None,
        retry_after_s: float | None = None,
        spend: Spend | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(redact(message))
        self.retryable = retryable
        self.status = status
        self.retry_after_s = retry_after_s
        self.spend = spend or Spend()
        self.usage = usage

    @property
    def at_fault(self) -> Literal["user", "provider"]:
        """Who can mend it: a key, a name, a request (4xx), or time."""
        return "provider" if self.retryable or self.status is None else "user"


class OverBudget(ModelError):
    """The budget does not allow the request; nothing was sent. `budget` is `usd` or `tokens`."""

    def __init__(self, message: str, budget: Literal["usd", "tokens"]) -> None:
        super().__init__(message)
        self.budget = budget


class Meter(Protocol):
    """Stands between a model and every single request that may cost something."""

    def charged(
        self, spec: str, size: int, most: int | None, call: Callable[[int | None], Reply]
    ) -> Reply:
        """`call(limit)`, reserved before and settled after, whatever comes of it.

        `spec`: the model that is billed. `size`: bytes of all that is sent (`size_of`), which are
        more than its tokens. `most`: the most output tokens that the model would ask for, reasoning
        included; None where it would set no limit. `limit` is what it has to send as the limit:
        `most`, or less where the budget is nearly used up; None: no limit.

        Raises OverBudget, and what `call` raises.
        """
        ...


class Unmetered:
    """No budget, no books."""

    def charged(
        self, spec: str, size: int, most: int | None, call: Callable[[int | None], Reply]
    ) -> Reply:
        """`call(most)`."""
        return call(most)


UNMETERED = Unmetered()


def size_of(messages: Sequence[Message], *more: str) -> int:
    """Bytes of a request's texts: no fewer than its tokens.

    Every token of the byte-level vocabularies in use stands for at least one byte. What providers
    put around each message, and around the whole, is allowed for on top.
    """
    texts = [*(message.text for message in messages), *more]
    return 512 + sum(64 + len(text.encode("utf-8", "surrogatepass")) for text in texts)


class RecordingEnded(ModelError):
    """A recording holds no answer to this call: it goes no further."""


class Cancelled(ModelError):
    """The user stopped the call; nothing is wrong with the model."""


class Model(Protocol):
    """Answers a conversation. Calls may be made from several threads at once."""

    @property
    def spec(self) -> str:
        """What makes this model again, without secrets."""
        ...

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """One answer. `label` names the call within its run (`propose:3`, `judge:3:repair`).

        A replay finds the answer by it. With a `schema` the answer should be such a JSON object;
        a model that cannot be held to it answers as it likes, so the caller checks. Every request,
        retries too, goes through `meter`; models that ask another model hand it on.
        Raises ModelError.
        """
        ...
