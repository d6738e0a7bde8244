"""Small tasks and candidates, as text, that several test files use."""

from pathlib import Path

SECRET = "sk-nobody-may-see-this-0451"

TASK = """
import torch

N = 33

class Model(torch.nn.Module):
    def forward(self, x):
        return x * 2 + 1

def get_inputs():
    return [torch.randn(17, N)]

def get_init_inputs():
    return []
"""

KERNEL = '''
import torch
from kernelwright.inline import cpp

lib = cpp(r"""
#include <cstdint>
extern "C" void twice_plus_one(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] * 2.0f + 1.0f;
}
""")

class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.twice_plus_one(x, y, x.numel())
        return y
'''


def model(body: str, before: str = "", init: str = "") -> str:
    """A candidate whose `forward(self, x)` has the given body; `before` runs at import."""
    indented = "\n".join("        " + line for line in body.strip().splitlines())
    started = "\n".join("        " + line for line in (init.strip() or "pass").splitlines())
    return f"""
import torch
{before}
class ModelNew(torch.nn.Module):
    def __init__(self):
        super().__init__()
{started}
    def forward(self, x):
{indented}
"""


def open_descriptors() -> int:
    """How many file descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
