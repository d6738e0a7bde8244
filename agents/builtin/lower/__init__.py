"""From ATen operators to lazy tensors: one small function an operator, found by its name."""
