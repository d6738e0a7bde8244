"""The built-in model's Triton: words, kernels and products (`agents/builtin/gpu/`)."""
