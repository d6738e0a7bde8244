import itertools
import json
import math
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts there import each other by name

EDITS = {"THREADS": "thread_grain", "WIDE": "vectorise", "BLOCK": "cache_block", "WRONG": "algebra"}
WORTH = {"THREADS": 0.6, "WIDE": 0.7, "BLOCK": 0.4}
LANES = (4, 8, 16)


def made_up_pool():
    """Two tasks; WRONG breaks a kernel, BLOCK pays only beside WIDE, LANES=8 is the best number."""
    structures = {}
    for count in range(len(EDITS) + 1):
        for edits in itertools.combinations(EDITS, count):
            key = "+".join(edits)
            space = {"LANES": list(LANES)} if "WIDE" in edits else {}
            held = {"source": key, "space": space, "points": {}}
            structures[key] = held
            if "WRONG" in edits:
                held |= {"fails": "correctness", "code": "wrong_value", "message": "wrong"}
                continue
            worth = {**WORTH, "BLOCK": 0.4 if "WIDE" in edits else -0.2}
            base = sum(worth[e] for e in edits) - 0.5
            for choice in itertools.product(*space.values()):
                speed = math.exp(base - sum(0.2 * abs(LANES.index(v) - 1) for v in choice))
                held["points"][",".join(map(str, choice))] = {
                    "speedup": [speed, speed * 0.98, speed * 1.02],
                    "ms": 1 / speed,
                    "roofline": ["memory", 0.2 * speed],
                }
    task = {"category": "made up", "edits": EDITS, "structures": structures, "busy_points": 0}
    about = {"date": "never", "machine": "none", "threads": 2, "torch": "none", "command": "none"}
    return {"provenance": about, "tasks": {"core/one": task, "core/two": task}}


@pytest.fixture
def pool(tmp_path):
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(made_up_pool()))
    return path


@pytest.fixture
def land(pool):
    from landscape import landscapes

    return landscapes(pool)[0]
