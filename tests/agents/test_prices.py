"""Prices: from the kept library, told by the user, or unknown."""

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.agents.models.base import Message, Usage, size_of
from kernelwright.agents.models.prices import Price, Quote, Tier, price_of, quote, read_price, spend
from kernelwright.agents.roles import Spend
from kernelwright.tasks.errors import UsageError

LONG = "anthropic:claude-haiku-5-5"
"""Dearer above 100,000 input tokens."""
MODELS = ["openai:gpt-5-mini", "openai:gpt-5.4", "anthropic:claude-sonnet-4-5", LONG]
PUBLISHED = {
    # Input, cached, cache written, output: dollars per million, from the providers' own price pages
    # (platform.claude.com/docs/en/about-claude/pricing, developers.openai.com/api/docs/pricing).
    "claude-opus-5": (5.0, 0.5, 6.25, 25.0),
    "claude-sonnet-5": (2.0, 0.2, 2.5, 10.0),
    "claude-sonnet-4-5": (3.0, 0.3, 3.75, 15.0),
    "claude-haiku-5-5": (0.1, 0.01, 0.125, 0.5),
    "claude-haiku-4-5": (1.0, 0.1, 1.25, 5.0),
    "gpt-5.4": (2.5, 0.25, None, 15.0),
    "gpt-5.4-mini": (0.75, 0.075, None, 4.5),
    "gpt-5.2": (1.75, 0.175, None, 14.0),
    "gpt-5": (1.25, 0.125, None, 10.0),
    "gpt-5-mini": (0.25, 0.025, None, 2.0),
    "gpt-4.1": (2.0, 0.5, None, 8.0),
}

counts = st.integers(0, 600_000)


def price(spec: str) -> Price:
    found = quote(spec).price
    assert found
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_library_agrees_with_what_the_providers_publish(name: str) -> None:
    found = price_of(name)
    assert found
    tier = found.tiers[0]
    assert (tier.input, tier.cached, tier.cache_written, tier.output) == PUBLISHED[name]
    assert found.source == f"genai-prices {genai_prices.__version__}"


@given(st.sampled_from(MODELS), counts, counts, counts, counts)
def test_our_sum_is_the_library_s(
    spec: str, fresh: int, cached: int, written: int, out: int
) -> None:
    kind, _, name = spec.partition(":")
    usage = Usage(fresh + cached + written, cached, written, out)
    asked = genai_prices.Usage(
        input_tokens=fresh + cached + written,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=out,
    )
    theirs = genai_prices.calc_price(asked, name, provider_id=kind).total_price
    assert price(spec).usd(usage) == pytest.approx(float(theirs), rel=1e-12)


@given(st.sampled_from(MODELS), counts, counts, counts, counts, counts)
def test_no_call_costs_more_than_the_most(
    spec: str, fresh: int, cached: int, written: int, out: int, spare: int
) -> None:
    total = fresh + cached + written
    usd = price(spec).usd(Usage(total, cached, written, out))
    assert usd is not None
    assert usd <= price(spec).most_usd(total + spare, out + spare) * (1 + 1e-12)


@given(st.sampled_from(MODELS), counts, st.floats(0, 5))
def test_what_the_dollars_pay_for_is_within_them(spec: str, size: int, usd: float) -> None:
    output = price(spec).most_output(size, usd)
    assert output is not None
    if output < 0:
        assert price(spec).most_usd(size, 0) > usd * (1 - 1e-8)
    else:
        assert price(spec).most_usd(size, output) <= usd
        assert price(spec).most_usd(size, output + 2) > usd * (1 - 1e-8)


def test_the_long_context_price_holds_for_the_whole_call() -> None:
    assert price(LONG).usd(Usage(100_000, output=0)) == pytest.approx(0.01)
    assert price(LONG).usd(Usage(100_001, output=0)) == pytest.approx(0.0500005)
    assert [tier.above for tier in price("openai:gpt-5.4").tiers] == [0, 272_000]


def test_dated_names_are_their_family_s() -> None:
    assert price_of("gpt-5-mini-2025-08-07") == price_of("gpt-5-mini")
    assert price_of("claude-haiku-4-5-20251001") == price_of("claude-haiku-4-5")
    assert price_of("gpt-5-minimal") is None


def test_options_of_a_call_do_not_change_the_price() -> None:
    plain = price("openai:gpt-5.4")
    assert price("openai-chat:gpt-5.4") == plain
    assert price("openai:gpt-5.4?effort=high&max_tokens=32000") == plain
    told = {"http://localhost/v1#x": Tier(1.0, 2.0)}
    assert quote("http://localhost/v1#x?temperature=0", told).price is not None


def test_unknown_is_not_nothing() -> None:
    assert spend("gpt-unheard-of", Usage(10, output=1)) == Spend(None, 10, 1)
    assert spend("gpt-5-mini", Usage(input=5)).usd is None
    assert spend("gpt-5-mini", Usage(output=5)).usd is None
    for spec in ("openai:gpt-unheard-of", "https://api.example.com/v1#x", "command:claude -p"):
        unknown = quote(spec)
        assert unknown.price is None
        assert unknown.reason
    assert price("builtin").free
    assert price("replay:file").free


@pytest.mark.parametrize(
    ("spec", "capped"),
    [
        ("openai:gpt-unheard-of", True),
        ("https://api.example.com/v1#x", True),
        ("https://openrouter.ai/api/v1#openai/gpt-5", True),
        ("http://127.0.0.1:8000/v1#x", False),
        ("http://192.168.1.5/v1#x", False),
        ("http://[::1]:8000/v1#x", False),
        ("http://workstation:8000/v1#x", False),
        ("command:x", False),
        ("mailbox:dir", False),
        ("replay:f", False),
    ],
)
def test_a_cap_is_due_where_a_provider_sends_the_bill(spec: str, capped: bool) -> None:
    assert quote(spec).capped is capped


def test_known_hosts_have_prices() -> None:
    served = price("https://openrouter.ai/api/v1#openai/gpt-5")
    assert served.tiers[0].output == price("openai:gpt-5").tiers[0].output


def test_the_user_s_price_wins_and_one_model_s_before_all() -> None:
    told = dict([read_price("1,2"), read_price("command:x --n=3=4,5,0.5")])
    assert quote("openai:gpt-5", told).price == Price(
        (Tier(1.0, 2.0),), "--price", price("openai:gpt-5").taken
    )
    assert quote("command:x --n=3", told).price == Price(
        (Tier(4.0, 5.0, 0.5),), "--price", price("openai:gpt-5").taken
    )
    assert price("replay:f").free
    assert quote("command:y", {"command:x": Tier(1.0, 1.0)}).price is None


@pytest.mark.parametrize("text", ["", "1", "1,", "a,b", "-1,2", "1,2,3,4", "nan,1", "inf,1", "m="])
def test_prices_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="give IN,OUT"):
        read_price(text)


@pytest.mark.parametrize("spec", [*MODELS, "command:x", "builtin"])
def test_a_snapshot_comes_back_as_it_was(spec: str) -> None:
    assert Quote.from_json(quote(spec).to_json()) == quote(spec)


@given(st.text())
def test_bytes_are_no_fewer_than_characters(text: str) -> None:
    assert size_of((Message("user", text),)) >= len(text)
