"""Synthetic records: made up, and used nowhere but here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
