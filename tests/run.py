"""Runs all tests in two processes: `python tests/run.py [PYTEST ARGUMENT...]`.

Tests that judge kernels want the cores for themselves, and leave them idle half of the time. So the others
run beside them at the lowest priority; their output follows when both are done. Exit status: pytest's, the
worse of the two.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
JUDGING = ("adversaries", "harness")


def main() -> int:
    """Both parts; the judging one shows itself while it runs."""
    folders = sorted(f.name for f in HERE.iterdir() if f.is_dir() and any(f.rglob("test_*.py")))
    others = [name for name in folders if name not in JUDGING]
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(
            command(others), stdout=output, stderr=output, preexec_fn=lambda: os.nice(19)
        )
        try:
            status = subprocess.run(command(JUDGING), check=False).returncode
            found = [status, beside.wait()]
        finally:
            beside.kill()
        output.seek(0)
        sys.stdout.flush()
        shutil.copyfileobj(output, sys.stdout.buffer)
    ran = [status for status in found if status != pytest.ExitCode.NO_TESTS_COLLECTED]
    return max(ran, default=int(pytest.ExitCode.NO_TESTS_COLLECTED))


def command(folders: tuple[str, ...] | list[str]) -> list[str]:
    """pytest over these folders."""
    paths = [str(HERE / name) for name in folders]
    return [sys.executable, "-m", "pytest", *sys.argv[1:], *paths]


if __name__ == "__main__":
    sys.exit(main())
