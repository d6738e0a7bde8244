"""Faults of the harness or of its machine: exit status 3, never charged to a candidate."""


class HarnessError(Exception):
    """Something of ours or of the machine failed; the message says what and what to do."""
