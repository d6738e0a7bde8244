"""`python run_kernels.py FOLDER`: runs every kernel of a folder under the guard, prints JSON by name.

In a process of its own, since Triton decides at import whether it interprets.
"""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"

import torch

from kernelwright.harness.triton import interpret


def main() -> None:
    watched = interpret.install()
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.py")):
        torch.manual_seed(0)
        watched.guard.undefined.clear()
        watched.guard.taken()
        found[path.stem] = outcome(path, watched)
    print(json.dumps(found))


def outcome(path: Path, watched: interpret.Interpreter) -> dict[str, object]:
    wrong, error = None, None
    try:
        got, want = runpy.run_path(str(path))["run"]()
        wrong = not torch.allclose(got, want, rtol=1e-5, atol=1e-5)
    except Exception as raised:
        lines = [
            f.lineno for f in traceback.extract_tb(raised.__traceback__) if f.filename == str(path)
        ]
        error = {"type": type(raised).__name__, "message": str(raised), "line": lines[-1]}
    return {**watched.report(), "wrong": wrong, "error": error}


if __name__ == "__main__":
    main()
