"""What a candidate imports: `from kernelwright.inline import cpp, cuda, tuned`."""

from kernelwright.harness.inline_cpp import BuildError, Library, cpp, tuned
from kernelwright.harness.inline_cuda import KernelFault, Module, cuda

__all__ = ["BuildError", "KernelFault", "Library", "Module", "cpp", "cuda", "tuned"]
