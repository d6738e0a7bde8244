"""C++ for Hugging Face's builder: sources, their declarations, and bindings as operators of torch.

Each `extern "C"` function becomes an operator that is named by the content of its source, and `_native.py`
gives these to the kernel's Python in the place of the inline builder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from kernelwright.export.hub_sources import CppSource
from kernelwright.harness import inline_cpp

_PORTABLE = [f for f in inline_cpp.FLAGS if f not in ("-march=native", "-fPIC", "-shared")]
_LEVELS = {"avx512f": ("x86-64-v4", "AVX512"), "avx2": ("x86-64-v3", "AVX2")}
"""By what the verified machine has: what the compiler may use, and what torch calls such a processor."""
_SHIM = '''"""C++ that kernel-builder compiled, by the content of its source, for the kernel's Python."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import torch

from ._ops import ops

FUNCTIONS = {functions}
CAPABILITIES = {capabilities}
if CAPABILITIES and torch.backends.cpu.get_cpu_capability() not in CAPABILITIES:
    raise ImportError(f"the kernel is compiled for a processor with {{' or '.join(CAPABILITIES)}}")


def tuned(**space):
    """The first value of each name."""
    return SimpleNamespace(**{{name: values[0] for name, values in space.items()}})


def cpp(source, *, flags=(), defines=None):
    """The functions of a source. Raises ImportError for one that was not compiled."""
    named = vars(defines) if isinstance(defines, SimpleNamespace) else dict(defines or {{}})
    words = [source, *flags, *(f"-D{{name}}={{value}}" for name, value in sorted(named.items()))]
    key = hashlib.sha256("\\0".join(words).encode()).hexdigest()[:12]
    if key not in FUNCTIONS:
        raise ImportError("this C++ was not compiled with the package")
    return SimpleNamespace(**{{name: getattr(ops, op) for name, op in FUNCTIONS[key].items()}})
'''


def native_files(
    name: str, package: str, sources: Sequence[CppSource], isa: Sequence[str]
) -> dict[str, str]:
    """`build.toml`, the sources, the bindings and the shim. Raises BuildError for odd prototypes."""
    level = next((_LEVELS[flag] for flag in _LEVELS if flag in isa), None)
    build = [
        "[general]",
        f'name = "{name}"',
        "version = 1",
        'license = "Apache-2.0"',
        'backends = ["cpu"]',
        "",
        "[torch]",
        'src = ["torch-ext/torch_binding.cpp", "torch-ext/torch_binding.h"]',
    ]
    declared: list[str] = []
    wrapped: list[str] = []
    registered: list[str] = []
    functions: dict[str, dict[str, str]] = {}
    files: dict[str, str] = {}
    for source in sources:
        key = _key(source)
        functions[key] = {}
        renamed = []
        for function, (returned, arguments) in sorted(inline_cpp.prototypes(source.text).items()):
            op = f"{function}_{key}"
            const_ = _const(source.text, function, len(arguments))
            functions[key][function] = op
            renamed.append(f"#define {function} {op}\n")
            for lines, line in zip(
                (declared, wrapped, registered),
                _bound(op, returned, arguments, const_),
                strict=True,
            ):
                lines.append(line)
        path = f"{package}_cpu/{key}.cpp"
        files[path] = "".join(renamed) + source.text
        march = [f"-march={level[0]}"] if level else []
        flags = json.dumps([*_PORTABLE, *march, *source.flags])
        build += [
            "",
            f"[kernel.{package}_{key}]",
            'backend = "cpu"',
            'depends = ["torch"]',
            f'src = ["{path}"]',
            f"cxx-flags = {flags}",
        ]
    capabilities = {"AVX2": ("AVX2", "AVX512"), "AVX512": ("AVX512",)}[level[1]] if level else ()
    return files | {
        "build.toml": "\n".join(build) + "\n",
        "torch-ext/torch_binding.h": "#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\n"
        + "".join(declared),
        "torch-ext/torch_binding.cpp": '#include <torch/library.h>\n\n#include "registration.h"\n'
        + '#include "torch_binding.h"\n\nnamespace {\n'
        + "".join(wrapped)
        + "}  // namespace\n\nTORCH_LIBRARY_EXPAND(TORCH_EXTENSION_NAME, ops) {\n"
        + "".join(registered)
        + "}\n\nREGISTER_EXTENSION(TORCH_EXTENSION_NAME)\n",
        f"torch-ext/{package}/_native.py": _SHIM.format(
            functions=json.dumps(functions, indent=4), capabilities=capabilities
        ),
    }


def _const(source: str, function: str, count: int) -> list[bool]:
    """Which arguments of a function point to what it only reads."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.S)
    found = re.search(rf"\b{function}\s*\(([^()]*)\)\s*\{{", text)
    arguments = found[1].split(",") if found and count else []
    if len(arguments) != count:
        raise inline_cpp.BuildError(f"the prototype of {function} cannot be read")
    return [bool(re.search(r"\bconst\b.*\*", argument)) for argument in arguments]


def _key(source: CppSource) -> str:
    return hashlib.sha256("\0".join([source.text, *source.flags]).encode()).hexdigest()[:12]


def _bound(
    op: str, returned: Any, arguments: Sequence[Any], const_: Sequence[bool]
) -> tuple[str, str, str]:
    """Declaration, wrapper and registration of one function; types as ctypes has them.

    Pointers are declared as void *: the names of extern "C" functions say nothing of types. `const_` says of
    each argument whether what it points to is only read.
    """
    kinds = [_kind(kind) for kind in arguments]
    takes = ", ".join("void *" if kind == "Tensor" else c for kind, c, _ in kinds)
    gives = "void" if returned is None else _kind(returned)[1]
    parameters = ", ".join(
        f"const at::Tensor &a{i}" if kind == "Tensor" else f"{cpp} a{i}"
        for i, (kind, _, cpp) in enumerate(kinds)
    )
    passed = ", ".join(
        f"a{i}.data_ptr()" if kind == "Tensor" else f"static_cast<{c}>(a{i})"
        for i, (kind, c, _) in enumerate(kinds)
    )
    schema = ", ".join(
        f"Tensor(m{i}!) a{i}" if kind == "Tensor" and not const_[i] else f"{kind} a{i}"
        for i, (kind, _, _) in enumerate(kinds)
    )
    result, body, arrow = "void", f"{op}({passed});", "()"
    if returned is not None:
        arrow, _, result = _kind(returned)
        body = f"return {body}"
    return (
        f'extern "C" {gives} {op}({takes});\n',
        f"{result} torch_{op}({parameters}) {{ {body} }}\n",
        f'  ops.def("{op}({schema}) -> {arrow}");\n  ops.impl("{op}", c10::kCPU, &torch_{op});\n',
    )


def _kind(kind: Any) -> tuple[str, str, str]:
    """A ctypes type as torch's schema, C and torch's C++ have it. Raises BuildError."""
    code = str(kind._type_)
    if code == "P":
        return "Tensor", "void *", "const at::Tensor &"
    if code == "?":
        return "bool", "bool", "bool"
    if code in "fd":
        return "float", {"f": "float", "d": "double"}[code], "double"
    c = {"b": "int8_t", "B": "uint8_t", "h": "int16_t", "H": "uint16_t", "i": "int32_t",
         "I": "uint32_t", "l": "int64_t", "L": "uint64_t", "q": "int64_t", "Q": "uint64_t",
         "c": "char"}  # fmt: skip
    if code not in c:
        raise inline_cpp.BuildError(f"no operator of torch takes {kind.__name__}")
    return "int", c[code], "int64_t"
