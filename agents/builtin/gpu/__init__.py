"""What Triton and CUDA have in common: a plan's kernels as text for a grid of many threads.

`text` writes loops, values and reductions over the dialect that a language is (`triton/`, `cuda/`),
`form` decides what a program or block works on, `product` knows products, `source` puts it together.
"""
