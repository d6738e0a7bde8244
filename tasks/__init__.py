"""What to compute: the task format, the suites, and the loaders of other people's suites."""
