"""`python -m kernelwright` is the `kernelwright` command."""

import sys

from kernelwright.cli import main

sys.exit(main())
