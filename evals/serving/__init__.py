"""Evaluators that live in other processes: beside this one, or on a device elsewhere."""
