"""The gallery: runs the built-in model on a few tasks and publishes its champions in kernels_out/gallery/.

Run it on a quiet machine, for the cards are what people read: a task whose machine was busy while it was
timed is not published. A task that is in the gallery already is replaced by a champion of this run.

    python benchmarks/gallery.py                    the five tasks below, some fifteen minutes
    python benchmarks/gallery.py core/softmax ...   others
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

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


def publish(task: str, runs: Path) -> str:
    """Search for a champion and put it in the gallery. Returns what became of it, in words."""
    asked = ["optimize", task, "--out", str(runs), "--budget-minutes", str(MINUTES), "--json"]
    done = _kernelwright(*asked)
    if done.returncode not in (0, 1):
        return f"failed: {done.stderr.strip().splitlines()[-1:] or 'no word'}"
    result = json.loads(done.stdout)
    if result["champion"] is None:
        return f"no champion: {result['stop']['message']}"
    card = json.loads(Path(result["champion"]["card"]).read_text(encoding="utf-8"))
    if any(finding["code"] == "busy_machine" for finding in card["verdict"]["findings"]):
        return "not published: the machine was busy while it was timed"
    published = _kernelwright(
        "export", result["folder"], "--runs", str(runs), "--gallery", "--json"
    )
    if published.returncode:
        return f"not published: {published.stderr.strip()}"
    found = Path(json.loads(published.stdout)["folder"])
    home = ROOT / "kernels_out" / "gallery" / found.name
    home.mkdir(parents=True, exist_ok=True)
    for file in sorted(found.iterdir()):
        (home / file.name).write_bytes(file.read_bytes())
    gain = result["champion"]["speedup"]["eager"]
    return f"{gain['median']:.2f}x [{gain['low']:.2f}, {gain['high']:.2f}] against eager: {home}"


def _kernelwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kernelwright", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def main() -> None:
    """Publish each task's champion."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tasks", nargs="*", default=TASKS, metavar="TASK")
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as runs:
        for task in track(tasks, "Gallery", console=Console(stderr=True)):
            print(f"{task}: {publish(task, Path(runs))}", flush=True)


if __name__ == "__main__":
    main()
