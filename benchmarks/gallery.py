"""The gallery: runs the built-in model on a few tasks and publishes its champions in kernels_out/gallery/.

Run it on a quiet machine, for the cards are what people read: a task whose machine was busy while it was
timed is not published. A task that is in the gallery already is replaced by a champion of this run. The
page of the gallery is made anew of all cards that lie in it.

    python benchmarks/gallery.py                    the five tasks below, some fifteen minutes
    python benchmarks/gallery.py core/softmax ...   others
    python benchmarks/gallery.py --rehearse DIR --minutes 0.5 core/softmax
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from kernelwright import text
from kernelwright.harness.verdict import Verdict

ROOT = Path(__file__).resolve().parents[1]
TASKS = (
    "core/bias_gelu_erf",
    "core/softmax",
    "core/layer_norm",
    "core/group_norm_silu",
    "core/cumsum",
)
MINUTES = 3.0
"""For the search of one task, its confirmation not counted."""


def publish(task: str, runs: Path, home: Path, minutes: float, *, busy: bool) -> str:
    """Search for a champion and put it in the gallery. Returns what became of it, in words."""
    asked = ["optimize", task, "--out", str(runs), "--budget-minutes", str(minutes), "--json"]
    done = _kernelwright(*asked)
    if done.returncode not in (0, 1):
        return f"failed: {_last_line(done.stderr)}"
    result = json.loads(done.stdout)
    if result["champion"] is None:
        return f"no champion: {result['stop']['message']}"
    card = json.loads(Path(result["champion"]["card"]).read_text(encoding="utf-8"))
    findings = card["verdict"]["findings"]
    if not busy and any(finding["code"] == "busy_machine" for finding in findings):
        return "not published: the machine was busy while it was timed"
    published = _kernelwright(
        "export", result["folder"], "--runs", str(runs), "--gallery", "--json"
    )
    if published.returncode:
        return f"not published: {_last_line(published.stderr)}"
    found = Path(json.loads(published.stdout)["folder"])
    folder = home / found.name
    if folder.exists():
        shutil.rmtree(folder)  # a file of an older champion must not stay
    shutil.copytree(found, folder)
    gain = result["champion"]["speedup"]["eager"]
    return f"{gain['median']:.2f}x [{gain['low']:.2f}, {gain['high']:.2f}] against eager: {folder}"


def index(home: Path) -> str:
    """The page of a gallery: a row for each card that lies in it, the fastest first."""
    cards = [
        (card.parent.name, json.loads(card.read_text(encoding="utf-8")))
        for card in sorted(home.glob("*/card.json"))
    ]
    cards.sort(key=lambda found: -found[1]["verdict"]["speedup"]["eager"]["median"])
    lines = [
        "# Gallery",
        "",
        "Champions as `kernelwright optimize` published them, each confirmed in a clean process on",
        "inputs drawn anew. Intervals cover the scatter of one machine on one day; judge them on yours",
        "with `kernelwright verify task.py kernel.py` in a folder.",
        "",
        "| task | against eager | against torch.compile | track | model | machine | made |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, card in cards:
        verdict, environment = Verdict.from_json(card["verdict"]), card["environment"]
        gains = (text.ratio(verdict.speedup.get(baseline)) for baseline in ("eager", "compile"))
        machine = f"{environment['device_name']}, {environment['threads']} threads"
        cells = [f"[{card['task']['name']}]({name}/)", *gains, str(verdict.track)]
        cells += [card["search"]["model"], machine, card["made"][:10]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["no word"])[-1]


def _kernelwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kernelwright", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def main() -> None:
    """Publish each task's champion, then the page of all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tasks", nargs="*", default=TASKS, metavar="TASK")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for the search of a task")
    parser.add_argument(
        "--rehearse", type=Path, metavar="DIR", help="a gallery for nobody, on a busy machine too"
    )
    given = parser.parse_args()
    home = given.rehearse or ROOT / "kernels_out" / "gallery"
    with tempfile.TemporaryDirectory() as runs:
        for task in track(given.tasks, "Gallery", console=Console(stderr=True)):
            became = publish(task, Path(runs), home, given.minutes, busy=given.rehearse is not None)
            print(f"{task}: {became}", flush=True)
    if any(home.glob("*/card.json")):
        (home / "README.md").write_text(index(home), encoding="utf-8")


if __name__ == "__main__":
    main()
