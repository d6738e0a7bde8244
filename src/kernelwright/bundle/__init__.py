"""Bundles: a run as one archive that others can check and judge again."""
