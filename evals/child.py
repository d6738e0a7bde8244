"""`python -m kernelwright.evals.child PARENT MODULE ARGUMENT...`: a module run, ended with its parent."""

from __future__ import annotations

import runpy
import sys

from kernelwright.harness.sandbox.system import die_with_parent


def main() -> None:
    """Have the kernel end this process when PARENT dies, and be `python -m MODULE ARGUMENT...`."""
    die_with_parent(int(sys.argv[1]))
    module = sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
