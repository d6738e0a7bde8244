"""No test reads or writes what the user's own runs have left."""

import os

os.environ["KERNELWRIGHT_MEMORY"] = "off"
