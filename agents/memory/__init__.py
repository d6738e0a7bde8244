"""What was learnt in one run, for the runs of other tasks."""
