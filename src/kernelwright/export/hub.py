"""The layout of Hugging Face's `kernels`: https://huggingface.co/docs/kernels/builder/writing-kernels

`build.toml`, `torch-ext/<name>/` and `tests/`. C++ whose sources can be told without running the kernel is
laid out for the builder to compile; everything else, Triton above all, in the form without native code
(`[torch-noarch]`), where C++ is built at first use as in every other export.

Not tried: kernel-builder itself, which needs Nix, and loading from the Hub.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelwright.export.check_text import check_file
from kernelwright.export.hub_native import native_files
from kernelwright.export.hub_sources import cpp_sources, without_carried
from kernelwright.export.python_text import Parts, hub_file, init_file

_BUILD = """[general]
name = "{name}"
version = 1
license = "Apache-2.0"
backends = ["{backend}"]

[torch-noarch]
"""
_FLAKE = """{{
  description = "{name}";

  inputs.kernel-builder.url = "github:huggingface/kernels";

  outputs =
    {{ self, kernel-builder }}:
    kernel-builder.lib.genKernelFlakeOutputs {{
      inherit self;
      path = ./.;
    }};
}}
"""
_CI = "\npytestmark = pytest.mark.kernels_ci\n"


def files(parts: Parts, package: str, isa: Sequence[str]) -> dict[str, str]:
    """Path to text, the card left out. `isa`: what the processor has that the kernel was verified on."""
    name = package.replace("_", "-")
    head = "SPEC, reference = OPERATOR.spec, OPERATOR.reference\n"
    test = check_file(parts, package).replace(head, head + _CI, 1)
    direct = f"torch.ops.{parts.spec.name.replace('::', '.')}.default"
    sources = cpp_sources(parts.kernel) if parts.spec.device == "cpu" else None
    made = {
        "build.toml": _BUILD.format(name=name, backend=parts.spec.device),
        "flake.nix": _FLAKE.format(name=name),
        f"torch-ext/{package}/__init__.py": init_file(parts),
        f"torch-ext/{package}/op.py": hub_file(parts),
        f"torch-ext/{package}/kernel.py": parts.kernel,
        f"torch-ext/{package}/reference.py": parts.reference,
        "tests/__init__.py": "",
        f"tests/test_{parts.op}.py": test.replace(direct, "OPERATOR._op._opoverload"),
    }
    if sources is not None:
        made |= native_files(name, package, sources, isa)
        made[f"torch-ext/{package}/kernel.py"] = without_carried(parts.kernel, "._native")
    return made


def use(parts: Parts, package: str) -> list[str]:
    """How it is built and loaded, for the card."""
    return [
        "```sh",
        "kernel-builder build  # of huggingface/kernels; it writes build/",
        "```",
        "",
        "```python",
        "from kernels import get_local_kernel",
        "",
        f'module = get_local_kernel(Path("."), "{package}").{parts.module}',
        "```",
    ]
