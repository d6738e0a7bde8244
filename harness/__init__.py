"""What is true: candidates, builds, sandbox, oracle, timing, counters, verdicts."""
