"""What can be counted of a kernel: compiled counters with no GPU, and the processor's own."""
