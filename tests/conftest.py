"""No test reads or writes what the user's own runs have left, nor tries each small task in the sandbox."""

import os

os.environ["KERNELWRIGHT_MEMORY"] = "off"
os.environ["KERNELWRIGHT_TRUST_TASKS"] = "1"
