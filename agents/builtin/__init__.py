"""The built-in model: an optimizer that plays Coder and Judge without a language model.

`trace` makes a graph of ATen operators of a task, `build` lowers it to lazy tensors, `plan` decides
on kernels, `cgen` writes them in C++ (`gpu/`, `triton/` and `cuda/` for a GPU), `python_file` writes the
candidate; `builtin` plays the roles.
"""
