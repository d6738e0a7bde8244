"""Budgets, prices and keys on the command line, against a provider of our own."""

import io
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from frontdoor_fakes import KERNEL, FakeEvaluator

from kernelwright import text
from kernelwright.agents.budget import Spent, Stop
from kernelwright.agents.models.prices import Price, Quote, Tier
from kernelwright.card import spent_json
from kernelwright.cli import main
from kernelwright.console import Console
from kernelwright.display import PlainDisplay
from kernelwright.outputs import RunFolder
from kernelwright.progress import Title

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))
from provider_server import ProviderServer

KEY = "planted+secret/0123456789=key"
MODEL = "openai:gpt-5-mini"
USD_A_CALL = (600 * 0.25 + 400 * 0.025 + 100 * 2.0) / 1e6
"""What the server says it bills, at the kept price of that model."""

Run = Callable[..., tuple[int, dict[str, object], str]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """Writes another kernel each time; repeats the key in its advice."""
    count = iter(range(1_000_000))

    def answer(body: object) -> str:
        if "You advise the author" in str(body):
            return json.dumps({"cause": f"slow {KEY}", "change": "faster", "predicted_gain": None})
        return f"NOTE: key {KEY}\n```python\n{KERNEL}\nNUMBER = {next(count)}\n```"

    with ProviderServer(text=answer) as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/v1")
        yield server


@pytest.fixture
def optimize(
    task_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    evaluator: type[FakeEvaluator],
) -> Run:  # fmt: skip
    """Runs the command; gives the status, the object of `--json` and stderr."""

    def run(*arguments: str) -> tuple[int, dict[str, object], str]:
        out = str(tmp_path / "out")
        command = ["optimize", str(task_file), "--out", out, "--json", "--ablate", "no-islands"]
        status = main([*command, *arguments])
        said, err = capfd.readouterr()
        return status, json.loads(said) if said else {}, err

    return run


def test_a_budget_ends_a_run_with_its_champion_and_more_goes_on(
    server: ProviderServer, optimize: Run, tmp_path: Path
) -> None:
    status, result, err = optimize("--model", MODEL, "--budget-usd", "0.02")
    spent = result["spent"]
    assert status == 0
    assert result["champion"]
    assert result["stop"]["reason"] == "budget_usd"  # type: ignore[index]
    assert spent["usd"] == pytest.approx(len(server.requests) * USD_A_CALL)  # type: ignore[index]
    assert spent["usd"] <= spent["budget"]["usd"] == 0.02  # type: ignore[index]
    first, last = err.splitlines()[0], err.splitlines()[-1]
    assert first.startswith("budget: at most $0.02; openai:gpt-5-mini: $0.25 in, $0.025 cached")
    assert "genai-prices" in first
    assert last.endswith(f"--resume {result['run']} --out {tmp_path / 'out'} --budget-usd MORE")

    before = len(server.requests)
    status, more, err = optimize("--resume", "--budget-usd", "9", "--budget-evals", "50")
    assert len(server.requests) > before
    assert more["spent"]["usd"] == pytest.approx(len(server.requests) * USD_A_CALL)  # type: ignore[index]
    assert more["stop"]["reason"] != "budget_usd"  # type: ignore[index]


def test_what_was_spent_by_whom(server: ProviderServer, optimize: Run, tmp_path: Path) -> None:
    _, result, err = optimize("--model", MODEL, "--budget-evals", "3")
    spent = result["spent"]
    assert spent["budget"] == {"usd": 5.0, "tokens": None}  # type: ignore[index]
    roles, models = spent["by_role"], spent["by_model"]  # type: ignore[index]
    assert (roles["coder"]["calls"], roles["judge"]["calls"]) == (3, 2)
    assert models[MODEL]["calls"] == len(server.requests) == 5
    assert models[MODEL]["cached"] == 5 * 400
    assert models[MODEL]["reasoning"] == 5 * 60
    assert models[MODEL]["usd"] == spent["usd"] == pytest.approx(5 * USD_A_CALL)  # type: ignore[index]
    assert models[MODEL]["cache_written"] is None
    assert spent["reasons"][f"by_model.{MODEL}.cache_written"]  # type: ignore[index]
    assert len(spent["by_candidate"]) == 3  # type: ignore[index]
    shares = [share["usd"] for share in spent["by_candidate"].values()]  # type: ignore[index]
    assert sum(shares) == pytest.approx(spent["usd"])  # type: ignore[index]
    assert {body["service_tier"] for _, body, _ in server.requests} == {"default"}
    assert spent["usd_at_most"] == spent["usd"]  # type: ignore[index]
    assert spent["gpu_s"] == 0.0  # type: ignore[index]
    assert f"{text.dollars(5 * USD_A_CALL)} of $5.00, 5,500 tokens" in err
    (run,) = (tmp_path / "out").glob("*/*")
    asked = json.loads((run / "run.json").read_text())
    assert asked["prices"][0]["price"]["tiers"][0]["output"] == 2.0
    assert asked["prices"][0]["price"]["source"].startswith("genai-prices")
    report = (run / "report.md").read_text()
    assert "| coder | 3 | 3,000 | 1,200 | 300 | 180 | $0.0011 |" in report
    assert f"| {MODEL} | 5 |" in report
    card = json.loads((run / "card.json").read_text())
    assert card["search"]["spent"]["by_role"]["judge"]["calls"] == 2


def test_a_token_budget(server: ProviderServer, optimize: Run) -> None:
    _, result, _ = optimize("--model", MODEL, "--budget-tokens", "60000", "--no-dollar-cap")
    assert result["stop"]["reason"] == "budget_tokens"  # type: ignore[index]
    assert 0 < result["spent"]["tokens"] <= 60_000  # type: ignore[index]


def test_a_key_is_nowhere(server: ProviderServer, optimize: Run, tmp_path: Path) -> None:
    record = tmp_path / "out" / "answers"
    record.parent.mkdir()
    _, result, err = optimize("--model", f"record:{record}:{MODEL}", "--budget-evals", "2")
    assert KEY in str([headers for _, _, headers in server.requests])
    assert KEY not in err
    assert KEY not in json.dumps(result)
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(files) > 6
    for file in files:
        assert KEY.encode() not in file.read_bytes(), file
    assert "[redacted]" in err


def test_a_price_of_the_user_s_own(server: ProviderServer, optimize: Run) -> None:
    local = f"{server.url}/v1#local"
    status, _, err = optimize("--model", local, "--budget-usd", "1")
    assert status == 2
    assert err.count("\n") == 1
    assert f"the price of {local} is unknown: say --price IN,OUT" in err
    assert server.requests == []

    _, result, err = optimize(
        "--model", local, "--budget-usd", "1", "--price", "10,100", "--budget-evals", "1"
    )
    assert "$10 in, $100 out per million tokens (--price" in err
    assert result["spent"]["usd"] == pytest.approx((1000 * 10 + 100 * 100) / 1e6)  # type: ignore[index]

    status, _, err = optimize("--resume", "--price", "1,1")
    assert status == 2
    assert "keeps the price" in err
    _, more, _ = optimize("--resume", "--budget-evals", "2")
    assert more["spent"]["usd"] == pytest.approx(3 * 0.02)  # type: ignore[index]


@pytest.mark.parametrize("model", ["openai:gpt-unheard-of", "https://api.example.com/v1#x"])
def test_an_unknown_price_of_a_provider_is_not_called(
    server: ProviderServer, optimize: Run, model: str
) -> None:
    status, _, err = optimize("--model", model)
    assert (status, server.requests) == (2, [])
    assert "--no-dollar-cap" in err


def test_without_a_cap_an_unknown_price_stays_unknown(
    server: ProviderServer, optimize: Run
) -> None:
    _, result, err = optimize(
        "--model", "openai:gpt-unheard-of", "--no-dollar-cap", "--budget-evals", "1"
    )
    assert err.startswith("budget: no limit on dollars; openai:gpt-unheard-of: price unknown (")
    assert result["spent"]["usd"] is None  # type: ignore[index]
    assert "unknown cost" in result["spent"]["reasons"]["usd"]  # type: ignore[index]
    assert result["spent"]["tokens"] == 1100  # type: ignore[index]


def test_a_program_has_no_dollar_budget_unless_asked_for(optimize: Run) -> None:
    program = shlex.join([sys.executable, "-c", f"print('''```python\\n{KERNEL}```''')"])
    _, result, err = optimize("--model", f"command:{program}", "--budget-evals", "1")
    assert "no limit on dollars" in err
    assert result["spent"]["usd"] is None  # type: ignore[index]
    assert result["spent"]["budget"] == {"usd": None, "tokens": None}  # type: ignore[index]


def test_the_built_in_model_costs_nothing_and_says_nothing_of_prices(
    optimize: Run, cast: Callable[[object], None]
) -> None:
    from frontdoor_fakes import FakeCoder

    cast(FakeCoder(KERNEL))
    _, result, err = optimize()
    assert "budget:" not in err
    assert result["spent"]["usd"] == 0.0  # type: ignore[index]
    assert result["spent"]["by_role"] == {}  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--budget-usd", "0"], "not a number above 0"),
        (["--budget-usd", "1", "--no-dollar-cap"], "not allowed with"),
        (["--budget-tokens", "0"], "at least 1"),
        (["--price", "cheap"], "give IN,OUT"),
        (["--model", "command:sh --key sk-0123456789abcdefghij"], "holds a key"),
    ],
)
def test_what_cannot_be_asked_for(optimize: Run, arguments: list[str], said: str) -> None:
    status, _, err = optimize(*arguments)
    assert status == 2
    assert said in err
    assert "sk-0123456789" not in err
    assert err.count("\n") == 1


def test_costs_in_words() -> None:
    known = Spent(0.1234, 3400, 1, 1.0, budget_usd=5.0, budget_tokens=10_000)
    assert text.cost(known) == "$0.12 of $5.00, 3,400 tokens of 10,000"
    assert text.cost(Spent(None, None, 1, 1.0, 1, 0.034)) == "at most $0.034, tokens unknown"
    assert text.cost(Spent(0.0, 0, 1, 1.0, budget_usd=5.0)) == "no cost"
    assert [text.dollars(usd) for usd in (0, 0.00001234, 0.0034, 0.03, 0.1, 1234.5)] == [
        "$0.00", "$1.2e-05", "$0.0034", "$0.03", "$0.10", "$1,234.50",
    ]  # fmt: skip
    tiers = (Tier(1.0, 2.0), Tier(3.0, 4.0, above=200_000))
    quote = Quote("m", Price(tiers, "--price", "2026-01-02"))
    assert list(text.terms([quote], 5.0, 100_000)) == [
        "budget: at most $5.00 and at most 100,000 tokens; m: $1 in, $2 out per million tokens, "
        "more above 200,000 in (--price, 2026-01-02)"
    ]


def test_what_is_null_has_its_reason() -> None:
    data = spent_json(Spent(None, None, 1, 1.0, unknown=2))
    assert {name for name, value in data.items() if value is None} == set(data["reasons"])
    assert data["reasons"]["usd"].startswith("2 calls have")
    assert spent_json(Spent(0.5, 1, 1, 1.0))["reasons"] == {}


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_complaints_show_no_key(
    json_too: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_API_KEY", KEY)
    assert main(["verify", "core/softmax", f"/no/such/{KEY}.py", *json_too]) == 2
    out, err = capfd.readouterr()
    assert "[redacted]" in err
    assert KEY not in out + err


def test_what_is_shown_and_written_holds_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERNELWRIGHT_API_KEY", KEY)
    stream = io.StringIO()
    PlainDisplay(Title("task", KEY, "run"), stream).stopped(Stop("no_idea", KEY))
    for as_json in (False, True):
        with Console(as_json=as_json) as console:
            console.show(KEY)
            console.note(KEY)
            console.emit({"said": [KEY]})
    shown = [stream.getvalue(), *capfd.readouterr()]
    assert all("[redacted]" in text and KEY not in text for text in shown)

    folder = RunFolder(tmp_path)
    folder.write(folder.report, f"said {KEY}")
    folder.write(folder.card, {"said": [KEY]})
    folder.write(folder.kernel, f"# {KEY}")
    assert folder.report.read_text() == "said [redacted]"
    assert json.loads(folder.card.read_text()) == {"said": ["[redacted]"]}
    assert folder.kernel.read_text() == f"# {KEY}", "the file that was judged, to the byte"
