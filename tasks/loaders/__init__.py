"""Loaders of other people's suites: a file each, listed in `known.py`."""
