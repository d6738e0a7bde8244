"""Triton on a machine without a GPU: interpreted under a guard, and compiled ahead of time for several.

The two never meet in one process: Triton decides at import which of both it is.
"""
