"""The built-in model's CUDA: words, kernels and products (`agents/builtin/gpu/`)."""
