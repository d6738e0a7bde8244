"""Made-up landscapes in the form of a recorded pool: to choose the rules of the search on.

The recorded pool is what `search_ablation.py` reports; rules that were fitted to it would only know it. So
they are chosen here: four or five edits, most of them helpful, some of no use without another, some wrong,
pairs that add to or take from each other, up to two numbers that matter much, little or not at all. Noise
is that of a quiet machine. Equal numbers give equal landscapes.

    python benchmarks/made_up.py 0 10 /tmp/made_up.json
    python benchmarks/search_ablation.py --pool /tmp/made_up.json --qualities middle --seeds 8
"""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

STRATEGIES = (
    "thread_grain", "fast_math", "vectorise", "data_reuse", "algebra", "register_block", "fuse",
    "cache_block", "split_k", "software_pipeline", "load_balance", "lane_reduce", "online",
    "streaming", "branch_free", "precision",
)  # fmt: skip
VALUES = (1, 2, 3)
"""Of each number."""
START = -1.5
"""Natural logarithm of the plain kernel's speedup."""
NOISE = (0.012, 0.035)
"""Least and largest standard deviation of a measurement's logarithm."""


def made_up(number: int) -> dict[str, Any]:
    """One task's part of a pool."""
    rng = random.Random(f"dev{number}")
    names = rng.sample(STRATEGIES, rng.choice([4, 5, 5, 5]))
    edits = {name.upper(): name for name in names}
    wrong = {rng.choice(list(edits))} if rng.random() < 0.5 else set()
    right = [e for e in edits if e not in wrong]
    worth = {e: rng.uniform(0.1, 0.9) for e in right}
    if rng.random() < 0.6:
        worth[rng.choice(right)] = rng.uniform(-0.3, 0.03)
    pairs = {frozenset(pair): rng.gauss(0, 0.2) for pair in itertools.combinations(right, 2)}
    needs = dict([rng.sample(right, 2)]) if rng.random() < 0.4 else {}
    hosts = [e for e in right if worth[e] > 0.05 and e not in needs] or right
    host = {name: rng.choice(hosts) for name in ("A", "B") if rng.random() < 0.9}
    effect = {
        name: {value: rng.gauss(0, rng.choice([0.03, 0.15, 0.35])) for value in VALUES}
        for name in host
    }
    together: dict[tuple[int, ...], float] = {}
    structures: dict[str, Any] = {}
    first: dict[frozenset[str], str] = {}
    for combination in itertools.chain.from_iterable(
        itertools.combinations(edits, count) for count in range(len(edits) + 1)
    ):
        key = "+".join(combination)
        active = frozenset(e for e in combination if needs.get(e, e) in combination)
        if active in first:
            structures[key] = {"same_as": first[active]}
            continue
        first[active] = key
        space = {name: list(VALUES) for name, edit in host.items() if edit in active}
        structures[key] = held = {"source": key, "space": space, "points": {}}
        if active & wrong:
            held |= {"fails": "correctness", "code": "wrong_value", "message": "wrong"}
            continue
        base = START + sum(worth[e] for e in active)
        base += sum(value for pair, value in pairs.items() if pair <= active)
        for choice in itertools.product(*space.values()):
            log = base + sum(effect[n][v] for n, v in zip(space, choice, strict=True))
            if len(choice) == len(host) == 2:
                log += together.setdefault(choice, rng.gauss(0, 0.08))
            speed, wide = math.exp(log), math.exp(1.96 * rng.uniform(*NOISE))
            held["points"][",".join(map(str, choice))] = {
                "speedup": [speed, speed / wide, speed * wide],
                "ms": 1 / speed,
                "roofline": [rng.choice(["memory", "compute"]), min(0.9, 0.2 * speed)],
            }
    return {"category": "made up", "edits": edits, "structures": structures, "busy_points": 0}


def main() -> int:
    """Write landscapes FROM to UNTIL, the last not included, to a file."""
    if len(sys.argv) != 4 or not all(word.isdigit() for word in sys.argv[1:3]):
        print("usage: python benchmarks/made_up.py FROM UNTIL FILE", file=sys.stderr)
        return 2
    begin, end, path = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    about = {"date": "made up", "machine": "none", "threads": 0, "torch": "none"}
    command = " ".join(["python benchmarks/made_up.py", *sys.argv[1:]])
    tasks = {f"made_up/{number}": made_up(number) for number in range(begin, end)}
    path.write_text(json.dumps({"provenance": {**about, "command": command}, "tasks": tasks}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
