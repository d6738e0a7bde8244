"""kernelwright makes GPU and CPU kernels with language models and verifies every one of them."""

__version__ = "0.1.0"
