"""Judging on a GPU: its memory, its clock, its counters."""
