"""What a candidate imports: `from kernelwright.inline import cpp, tuned`."""

from kernelwright.harness.inline_cpp import BuildError, Library, cpp, tuned

__all__ = ["BuildError", "Library", "cpp", "tuned"]
