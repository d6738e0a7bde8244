"""Callgrind over recorded calls: arguments arrive as they were, and the function is seen by its name."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from kernelwright.harness import inline_cpp
from kernelwright.harness.counters import callgrind
from kernelwright.harness.counters.recording import BUFFERS, CALLS

SOURCE = r"""
#include <cstdint>
extern "C" void mixed(const float* x, float f, int32_t a, double d, int64_t b, bool t, int64_t c, int64_t e,
                      const float* y, int32_t g, float h) {
  bool right = x[0] == 1.5f && y[1] == -2.0f && f == 0.25f && d == 1e300 && a == -7 && b == 1LL << 40 && t
    && c == 3 && e == 4 && g == -9 && h == 8.0f;
  if (!right) __builtin_trap();
  volatile float sum = 0;
  for (int i = 0; i < 1000; i++) sum = sum + x[0];
}
"""
FLOATS = [("c_float", 0.25), ("c_int32", -7), ("c_double", 1e300), ("c_int64", 1 << 40)]
REST = [("c_bool", True), ("c_int64", 3), ("c_int64", 4)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind here")
def test_a_function_is_called_with_its_arguments_and_counted(tmp_path: Path) -> None:
    library = inline_cpp.build_here(SOURCE, ["-march=x86-64-v3"])
    given: list[dict[str, object]] = [{"buffer": 0, "offset": 0}]
    given += [{"type": kind, "value": value} for kind, value in (*FLOATS, *REST)]
    given += [{"buffer": 64, "offset": 0}]
    given += [{"type": kind, "value": value} for kind, value in (("c_int32", -9), ("c_float", 8.0))]
    call = {"library": library, "function": "mixed", "result": None, "arguments": given}
    (tmp_path / CALLS).write_text(json.dumps({"calls": [call], "problem": None}))
    data = bytearray(128)
    data[0:4], data[68:72] = b"\x00\x00\xc0\x3f", b"\x00\x00\x00\xc0"
    (tmp_path / BUFFERS).write_bytes(data)
    caller = Path(inline_cpp.build_here(callgrind.CALLER, ()))
    argv = callgrind.command(tmp_path, ("mixed",), caller)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / callgrind.OUTPUT).read_text()
    (kernel,) = callgrind.counted(text, ("mixed",), 1).kernels
    counted = kernel.values["instructions"].value
    assert isinstance(counted, int) and 4000 <= counted <= 8000
