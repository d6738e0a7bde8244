"""`python compile_kernels.py OUT TARGETS FILE...`: compiles the kernels of files (`sm_80,sm_90`)."""

import os
import runpy
import sys
from pathlib import Path

import torch

from kernelwright.harness.triton import ahead


def main() -> None:
    out, targets = Path(sys.argv[1]), sys.argv[2].split(",")
    os.environ["TRITON_CACHE_DIR"] = str(out / "cache")
    report = ahead.prepare(str(out), targets)
    for path in sys.argv[3:]:
        torch.manual_seed(0)
        runpy.run_path(path)["run"]()
    report()


if __name__ == "__main__":
    main()
