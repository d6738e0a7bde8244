"""`kernelwright models`: who can write kernels, and what one of them can do and costs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from kernelwright.agents.models import keys, prices
from kernelwright.agents.models.base import Message, ModelError, Reply
from kernelwright.agents.models.retry import Retry
from kernelwright.agents.models.spec import FORM_LIST, FORMS, Form, asked_models, make_model
from kernelwright.commands.arguments import Subparsers, add_command, add_json
from kernelwright.console import Console, complain
from kernelwright.players import BUILTIN

DONE, NO_ANSWER, BAD_USAGE = 0, 1, 2
ATTEMPTS = 2
"""Of a check: whoever asks whether a model answers now does not want to wait for a minute."""
_WRITERS = re.compile(r"(?:claude|gpt|o\d|codex)[-\w.]*$")
_OTHERS = re.compile(
    r"image|audio|realtime|tts|transcribe|search|vision|instruct|-\d{4}$|claude-[v\d]|gpt-3|gpt-4(?:-|$)|-20\d\d-"
)
"""Names of models that write text, and of those that are for something else or long retired."""


def add_parser(commands: Subparsers) -> None:
    """Declare `models [list]` and `models check SPEC`."""
    parser = add_command(commands, "models", "list the models that can be used, or try one")
    add_json(parser)
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list forms, keys and prices (the default)")
    listing.set_defaults(run=_list)
    checking = actions.add_parser(
        "check", help="send one tiny request: latency, tokens, price, features"
    )
    checking.add_argument("spec", metavar="MODEL", help=FORMS.replace("%", "%%"))
    checking.set_defaults(run=_check)
    for action in (listing, checking):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _list(args: argparse.Namespace, console: Console) -> int:
    """What `--model` takes. Of a key only whether it is there is told, never what it is."""
    held = {name: keys.key(name) is not None for name in keys.VARIABLES}
    quotes = _known()
    console.emit(
        {
            "forms": [
                {"form": f.form, "what": f.what, "options": list(f.options)} for f in FORM_LIST
            ],
            "keys": {keys.VARIABLES[name]: there for name, there in held.items()},
            "models": [{"model": q.spec, "price": q.price and q.price.to_json()} for q in quotes],
        }
    )
    width = max(len(form.form) for form in FORM_LIST)
    for form in FORM_LIST:
        console.show(f"{form.form:{width}}  {form.what}{_options(form)}")
    console.show("\nKeys, from the environment or the keyring:")
    for name, there in held.items():
        console.show(f"  {keys.VARIABLES[name]:20} {'there' if there else '-'}")
    console.show("\nPrices in dollars per million tokens (input, cached input, output):")
    longest = max(len(quote.spec) for quote in quotes)
    for quote in quotes:
        for line in _prices(quote, longest):
            console.show(f"  {line}")
    console.show("\nTry one, for a fraction of a cent: kernelwright models check MODEL")
    return DONE


def _known() -> list[prices.Quote]:
    """The models of OpenAI and Anthropic that the price library knows, one that writes text."""
    from genai_prices.data_snapshot import get_snapshot

    names = [
        f"{provider.id}:{model.id}"
        for provider in get_snapshot().providers
        if provider.id in ("openai", "anthropic")
        for model in provider.models
        if _WRITERS.match(model.id) and not _OTHERS.search(model.id)
    ]
    return [quote for quote in map(prices.quote, sorted(names)) if quote.price]


def _options(form: Form) -> str:
    return f" (options: {', '.join(form.options)})" if form.options else ""


def _prices(quote: prices.Quote, width: int) -> Iterator[str]:
    assert quote.price
    name = quote.spec
    for tier in quote.price.tiers:
        cached = "-" if tier.cached is None else f"{tier.cached:g}"
        above = f"  above {tier.above} input tokens" if tier.above else ""
        yield f"{name:{width}} {tier.input:>6g} {cached:>6} {tier.output:>6g}{above}"
        name = ""


def _check(args: argparse.Namespace, console: Console) -> int:
    """Ask once, each model behind the spec; 0 if all answer, 2 if the user has to mend something."""
    checks = [_ask(spec, console) for spec in asked_models(args.spec)]
    status = max(status for _, status in checks)
    console.emit(
        {"model": args.spec, "able": status == DONE, "checks": [check for check, _ in checks]}
    )
    return status


def _ask(spec: str, console: Console) -> tuple[dict[str, Any], int]:
    """What became of one request: for JSON, and as a status. Tells people about it."""
    if spec == BUILTIN:
        console.show("builtin: needs no key and costs nothing; it is always there")
        return {"model": spec, "able": True, "error": None}, DONE
    quote = prices.quote(spec)
    model = make_model(spec, Retry(attempts=ATTEMPTS))
    from kernelwright.agents import structured
    from kernelwright.agents.llm_roles import JudgeAnswer

    question = Message("user", _QUESTION)
    try:
        reply = model.ask([question], label="check:1", schema=structured.schema_of(JudgeAnswer))
    except ModelError as error:
        complain(error)
        status = BAD_USAGE if error.at_fault == "user" else NO_ANSWER
        return {"model": spec, "able": False, "error": str(error)}, status
    _, fault = structured.read(reply, JudgeAnswer)
    able = bool(reply.text.strip()) and reply.stop != "refused"
    for line in _lines(reply, quote, fault):
        console.show(line)
    lack = None if able else f"{spec}: no answer: {fault}"
    if lack:
        complain(lack)
    found = {**_as_json(spec, reply, quote), "able": able, "error": lack}
    return {**found, "advice_fault": fault or None}, DONE if able else NO_ANSWER


_QUESTION = (
    "This is a test of the connection. Answer with this JSON object and nothing else: "
    '{"cause": "test", "change": "none", "predicted_gain": null}'
)


def _as_json(spec: str, reply: Reply, quote: prices.Quote) -> dict[str, Any]:
    came, usage = reply.exchange, reply.usage
    return {
        "model": spec,
        "answered_by": reply.model,
        "latency_s": {"first_token": came.first_token_s, "total": came.total_s},
        "tokens": {
            "input": usage.input,
            "cached": usage.cached,
            "output": usage.output,
            "reasoning": usage.reasoning,
        },
        "usd": _usd(reply, quote),
        "price": quote.to_json(),
        "features": _features(reply),
    }


def _usd(reply: Reply, quote: prices.Quote) -> float | None:
    """What the check cost; None where the price or the counts are unknown."""
    if quote.price is None:
        return None
    return 0.0 if quote.price.free else quote.price.usd(reply.usage)


def _features(reply: Reply) -> dict[str, bool | None]:
    """None: it cannot be told from this answer."""
    came, usage = reply.exchange, reply.usage
    return {
        "streaming": came.streamed,
        "usage": usage.input is not None and usage.output is not None,
        "structured_output": came.structured,
        "reasoning": True if reply.reasoning or usage.reasoning else None,
    }


def _lines(reply: Reply, quote: prices.Quote, fault: str) -> Iterator[str]:
    came, usage, usd = reply.exchange, reply.usage, _usd(reply, quote)
    stopped = "" if reply.stop == "end" else f" (ended by: {reply.stop})"
    yield f"{'model':18} {quote.spec}, answered by {reply.model}{stopped}"
    yield f"{'first token':18} {_seconds(came.first_token_s)}"
    yield f"{'whole answer':18} {_seconds(came.total_s)}"
    counts = {
        "input": usage.input,
        "cached": usage.cached,
        "output": usage.output,
        "reasoning": usage.reasoning,
    }
    known = [f"{count} {name}" for name, count in counts.items() if count is not None]
    yield f"{'tokens':18} {', '.join(known) or 'unknown: the provider gives no counts'}"
    yield f"{'price':18} {_price(quote)}"
    yield f"{'this check':18} {'unknown' if usd is None else f'${usd:.6f}'}"
    for name, there in _features(reply).items():
        yield f"{name.replace('_', ' '):18} {_SHOWN[there]}"
    yield f"{'usable answer':18} {f'no: {fault}' if fault else 'yes'}"


_SHOWN = {True: "yes", False: "no", None: "not seen"}


def _price(quote: prices.Quote) -> str:
    if quote.price is None:
        return f"unknown: {quote.reason}"
    if quote.price.free:
        return "free"
    first = quote.price.tiers[0]
    more = ", more for long inputs" if len(quote.price.tiers) > 1 else ""
    return f"${first.input:g} in, ${first.output:g} out per million tokens{more}"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"
