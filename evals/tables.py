"""The leaderboard as CSV (a row for each task of each entry) and as Markdown (a row for each entry)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

_TASK_COLUMNS = (
    "entry", "label", "models", "suite", "suite_version", "device_kind", "device", "task", "hash",
    "category", "level", "state", "reason", "correct", "confirmed", "language", "track", "precision",
    "time_ms", "speedup_eager", "speedup_eager_low", "speedup_eager_high", "speedup_compile",
    "speedup_compile_low", "speedup_compile_high", "speedup_best", "roofline", "sol_eager",
    "own_time_share", "attempts", "accepted", "samples", "samples_correct", "usd", "tokens",
    "evaluations", "wall_s", "audit", "findings", "candidate", "sha256", "bundle",
)  # fmt: skip


def to_csv(board: Mapping[str, Any]) -> str:
    """One row for each task of each entry; an empty cell is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _TASK_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in board["entries"]:
        for task in entry["tasks"]:
            writer.writerow({k: _inert(v) for k, v in _row(entry, task).items()})
    return text.getvalue()


def _row(entry: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    kernel = task["kernel"] or {}
    gains = kernel.get("speedup") or {}
    samples = task["samples"] or {}
    spent = task["spent"]

    def gain(baseline: str, figure: str) -> Any:
        return (gains.get(baseline) or {}).get(figure)

    return {
        "entry": entry["id"],
        "label": entry["label"],
        "models": " ".join(entry["models"]),
        "suite": entry["suite"],
        "suite_version": entry["suite_version"],
        "device_kind": entry["device"]["kind"],
        "device": entry["device"]["name"],
        **{k: task[k] for k in ("task", "hash", "category", "level", "state", "reason")},
        "correct": int(task["correct"]),
        **{k: kernel.get(k) for k in ("language", "track", "precision", "roofline")},
        "confirmed": int(kernel["confirmed"]) if kernel else None,
        "time_ms": (kernel.get("time_ms") or {}).get("candidate"),
        "speedup_eager": gain("eager", "median"),
        "speedup_eager_low": gain("eager", "low"),
        "speedup_eager_high": gain("eager", "high"),
        "speedup_compile": gain("compile", "median"),
        "speedup_compile_low": gain("compile", "low"),
        "speedup_compile_high": gain("compile", "high"),
        "speedup_best": gain("best", "median"),
        "sol_eager": (kernel.get("sol") or {}).get("eager"),
        **{k: kernel.get(k) for k in ("own_time_share", "candidate", "sha256", "bundle")},
        **{k: task[k] for k in ("attempts", "accepted", "audit")},
        "samples": samples.get("n"),
        "samples_correct": samples.get("correct"),
        **{k: spent[k] for k in ("usd", "tokens", "evaluations", "wall_s")},
        "findings": " ".join(f["code"] for f in kernel.get("findings", ())),
    }


def _inert(value: Any) -> Any:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def to_markdown(board: Mapping[str, Any]) -> str:
    """A table for each suite and device: they are not compared with one another."""
    return "\n".join(_markdown(board)) + "\n"


def _markdown(board: Mapping[str, Any]) -> Iterator[str]:
    yield "# Leaderboard"
    yield ""
    yield f"Made {board['made']} by kernelwright {board['kernelwright']}. Intervals: {board['intervals']}."
    yield "Every task of a batch counts; failures are in every denominator. `geomean`: failures at 1.0."
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for entry in board["entries"]:
        device = f"{entry['device']['name']} ({entry['device']['kind']})"
        groups.setdefault((entry["suite"], entry["suite_version"], device), []).append(entry)
    for (suite, version, device), found in groups.items():
        yield ""
        yield f"## {_cell(suite)} (version {_cell(version)}) on {_cell(device)}"
        yield ""
        yield (
            "| | tasks | correct | fast_1 eager | fast_1 compile | geomean eager | geomean compile "
            "| median | roofline | $ a kernel | min a kernel |"
        )
        yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
        for entry in found:
            yield f"| {_cell(entry['label'])} | {entry['n']} | {' | '.join(_figures(entry))} |"
        for entry in found:
            yield from _unfinished(entry)


def _figures(entry: Mapping[str, Any]) -> Iterator[str]:
    figures = entry["figures"]
    against = figures["against"]
    yield _share(figures["correct"])
    yield _share(against["eager"]["fast_1"])
    yield _share(against["compile"]["fast_1"])
    yield _factor(against["eager"]["geomean_all"])
    yield _factor(against["compile"]["geomean_all"])
    yield _factor(against["eager"]["median"])
    yield _share(figures["roofline"])
    yield _plain(figures["usd_per_kernel"])
    yield _plain(figures["minutes_per_kernel"])


def _unfinished(entry: Mapping[str, Any]) -> Iterator[str]:
    rest = {state: n for state, n in entry["states"].items() if state != "done"}
    if rest:
        told = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(rest.items()))
        yield ""
        yield f"{_cell(entry['label'])}: {told} of {entry['n']}; they count as failures."


def _share(figure: Mapping[str, Any]) -> str:
    return _with_interval(figure, lambda v: f"{v:.0%}")


def _factor(figure: Mapping[str, Any]) -> str:
    return _with_interval(figure, lambda v: f"{v:.2f}x")


def _plain(figure: Mapping[str, Any]) -> str:
    return _with_interval(figure, lambda v: f"{v:.2f}" if v else "0")


def _with_interval(figure: Mapping[str, Any], said: Any) -> str:
    if figure["value"] is None:
        return f"unknown ({_cell(figure.get('reason', 'no reason given'))})"
    if figure["low"] is None:
        return str(said(figure["value"]))
    return f"{said(figure['value'])} [{said(figure['low'])}, {said(figure['high'])}]"


def _cell(text: str) -> str:
    """Text that cannot leave its cell nor become markup."""
    flat = " ".join(str(text).split())
    for sign in "\\`|*_<>[]":
        flat = flat.replace(sign, f"\\{sign}")
    return flat
