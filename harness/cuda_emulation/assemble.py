"""The emulator's headers in one text with the kernel: nothing is looked up in folders when it is built."""

from __future__ import annotations

import functools
import re
from pathlib import Path

CANDIDATE = "candidate.cu"
"""The file name under which compilers and reports speak of the kernel's source."""
_ALWAYS = ("qualifiers", "fault", "threads", "barriers", "shared", "launch", "shadow", "builtins")
_CHECKED = ("watch", "hooks")
_WHEN_INCLUDED = {
    "cuda_fp16.h": ("half",),
    "cuda_bf16.h": ("bfloat16",),
    "cooperative_groups.h": ("cooperative",),
    "cooperative_groups/reduce.h": ("cooperative",),
    "mma.h": ("half", "bfloat16", "wmma"),
}
PROVIDED = frozenset(
    {
        *_WHEN_INCLUDED,
        *("cuda.h", "cuda_runtime.h", "cuda_runtime_api.h", "device_launch_parameters.h"),
        *("math_constants.h", "vector_types.h", "vector_functions.h", "device_functions.h"),
    }
)
"""Headers of the CUDA toolkit that the emulator stands in for."""


def assemble(source: str, includes: frozenset[str], *, checked: bool) -> str:
    """The whole C++ text: system headers, the emulator, then `source`, whose lines keep their numbers."""
    parts = [*_ALWAYS, "mathematics", *(_CHECKED if checked else ())]
    for header, needed in _WHEN_INCLUDED.items():
        parts += [part for part in needed if header in includes and part not in parts]
    system = "".join(f"#include <{name}>\n" for name in sorted(includes - PROVIDED))
    emulator = "".join(f'#line 1 "emulator/{part}.h"\n{_header(part)}' for part in parts)
    define = "#define EMU_CHECKED 1\n" if checked else ""
    return f'{define}{system}{emulator}#line 1 "{CANDIDATE}"\n{source}'


@functools.cache
def _header(name: str) -> str:
    text = (Path(__file__).parent / "headers" / f"{name}.h").read_text(encoding="utf-8")
    return re.sub(r'^#include "(\w+)"$', lambda found: _header(found.group(1)), text, flags=re.M)
