"""CUDA C++ to C++: what the preprocessor cannot do.

Shared variables get a place in the block's arena, each `extern "C"` kernel a function that Python can call,
system headers move before the emulator's. All else are macros and functions of the headers. Lines keep
their numbers. Text that needs what only a GPU has is refused by name: `CannotEmulate`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kernelwright.harness.cuda_emulation.assemble import CANDIDATE, assemble
from kernelwright.harness.inline_cpp import BuildError

CANNOT = "cannot be emulated"
"""How the refusal of what only a GPU can run begins."""
IS_CUDA = "-xcuda"
"""The first flag of a build whose source is CUDA."""
FLAGS = ("-w",)
CHECKED_FLAGS = (
    *("-O1", "-g1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-fsanitize=thread"),
    "-fsanitize=alignment,null,bounds,object-size,signed-integer-overflow,integer-divide-by-zero",
    *("-fsanitize=unreachable,return", "-fno-delete-null-pointer-checks", "-U__SANITIZE_THREAD__"),
    "-ftrivial-auto-var-init=pattern",
    # gcc would link the sanitizers' runtimes; `hooks.h` stands in for them.
    *("-nodefaultlibs", "-Wl,--no-as-needed", "-lgomp", "-lstdc++", "-lm", "-lc", "-lgcc_s", "-lgcc"),
)  # fmt: skip
_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"][^\n]*$', re.M)
_DYNAMIC = re.compile(
    r"extern\s+__shared__\s+((?:(?:__align__|alignas)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*)?)"
    r"([\w:<>, ]+?)\s*((?:(?:__align__|alignas)\s*\([^()]*\)\s*)?)\b(\w+)\s*\[\s*\]\s*;"
)
_SHARED = re.compile(r"(?:\bstatic\s+)?\b__shared__\b(?:\s+static\b)?([^;]*);")
_ALIGN = re.compile(r"\b(?:__align__|alignas)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
_DECLARATOR = re.compile(r"^(.*?)\b(\w+)\s*((?:\[[^\]]*\]\s*)*)$", re.S)
_KERNEL = re.compile(r"\b__global__\b")
_NAME = re.compile(r"(\w+)\s*\(")
_IMPOSSIBLE: Sequence[tuple[str, str]] = (
    (r"\basm\b\s*(?:volatile|__volatile__)?\s*\(", "inline PTX (asm)"),
    (r"\bcub::|#\s*include\s*<cub/", "CUB"),
    (r"\bthrust::|#\s*include\s*<thrust/", "Thrust"),
    (r"\bcute::|\bcutlass::|#\s*include\s*<(?:cute|cutlass)/", "CUTLASS"),
    (r"#\s*include\s*<cuda/|\bcuda::", "libcu++ (cuda::)"),
    (r"\bCUtensorMap\b|\bcp_async_bulk\w*", "TMA"),
    (r"\bwgmma\b|\btcgen05\b", "wgmma"),
    (r"\bcudaTextureObject_t\b|\btex[123]D\w*\s*[<(]|\bcudaSurfaceObject_t\b", "textures and surfaces"),
    (r"\bthis_cluster\b|\bcluster_group\b|\b__cluster_dims__\b", "thread block clusters"),
    (r"\bthis_grid\b|\bgrid_group\b", "grid-wide synchronisation"),
    (r"\bmemcpy_async\b|#\s*include\s*<cuda_pipeline", "asynchronous copies"),
    (r"#\s*include\s*<cuda_fp[468]\.h>|\b__nv_fp[468]", "8-bit, 6-bit and 4-bit floating point"),
    (r"#\s*include\s*<curand", "cuRAND"),
)  # fmt: skip


class CannotEmulate(BuildError):
    """The source needs what the CPU emulator does not have: nothing is known of it without a GPU."""


def translate(source: str, *, checked: bool) -> str:
    """The C++ text of a CUDA source. Raises CannotEmulate, and BuildError for what is no kernel."""
    text = without_comments(source)
    for pattern, name in _IMPOSSIBLE:
        found = re.search(pattern, text)
        if found:
            line = text.count("\n", 0, found.start()) + 1
            raise CannotEmulate(f"{CANNOT}: {name} (CUDA line {line}) needs a GPU")
    if "<<<" in text:
        line = text.count("\n", 0, text.index("<<<")) + 1
        raise BuildError(f"CUDA line {line}: launch from Python: module.kernel[grid, block](...)")
    names = kernels(text)
    if not names:
        raise BuildError('no kernel: write extern "C" __global__ void name(...) { ... }')
    includes = frozenset(found.group(1) for found in _INCLUDE.finditer(text))
    body = _INCLUDE.sub("", text)
    body = _shared(_dynamic_shared(body))
    calls = "".join(
        f'extern "C" int emu_launch_{name}(const emu::Launch* l, void** a)'
        f" {{ return emu::run(*l, emu::Call<&{name}>::call, a); }}\n"
        for name in names
    )
    return assemble(f'{body}\n#line 1 "emulator/launchers"\n{calls}', includes, checked=checked)


def prepared(source: str, flags: Sequence[str], *, checked: bool) -> tuple[str, list[str]]:
    """Text and flags for the C++ compiler: of the given flags only macros mean anything to it."""
    macros = [flag for flag in flags if flag.startswith(("-D", "-U"))]
    return translate(source, checked=checked), [
        *macros,
        *FLAGS,
        *(CHECKED_FLAGS if checked else ()),
    ]


def kernels(text: str) -> list[str]:
    """Names of the `extern "C"` kernels of a source without comments."""
    names: list[str] = []
    for found in _KERNEL.finditer(text):
        before = text[: found.start()].rstrip()
        after = re.sub(r"^\s*__launch_bounds__\s*\([^()]*\)", "", text[found.end() :])
        after = re.sub(r"^\s*void\s+__launch_bounds__\s*\([^()]*\)", " void ", after)
        name = _NAME.search(after)
        inside = _in_extern_block(text, found.start())
        if name and (inside or re.search(r'extern\s+"C"(?:\s+(?:static|inline))*$', before)):
            names.append(name.group(1))
    return list(dict.fromkeys(names))


def without_comments(source: str) -> str:
    """The source with blanks for comments; strings and line numbers stay."""

    def blank(found: re.Match[str]) -> str:
        said = found.group()
        return said if said[0] in "\"'" else re.sub(r"[^\n]", " ", said)

    return _COMMENT.sub(blank, source)


def said(message: str) -> str:
    """The compiler's message, cut to what speaks of the candidate's own text."""
    lines = [line.replace(f"{CANDIDATE}:", "CUDA line ") for line in message.splitlines()]
    errors = [line for line in lines if " error: " in line]
    own = [line for line in errors if line.startswith("CUDA line ")]
    return "\n".join((own or errors or lines)[:5])


def _in_extern_block(text: str, position: int) -> bool:
    """Whether a place lies in an `extern "C" { ... }`."""
    for block in re.finditer(r'extern\s+"C"\s*\{', text[:position]):
        inner = text[block.end() : position]
        if inner.count("{") == inner.count("}"):
            return True
    return False


def _dynamic_shared(text: str) -> str:
    """`extern __shared__ T name[];` as a pointer; outside of functions as a macro."""

    def place(found: re.Match[str]) -> str:
        kind, name = found.group(2).strip(), found.group(4)
        before = text[: found.start()]
        if (
            before.count("{")
            - before.count("}")
            - len(re.findall(r'(?:extern\s+"C"|namespace\s*\w*)\s*\{', before))
            > 0
        ):
            return f"{kind}* {name} = emu::dynamic_shared<{kind}>();" + "\n" * found.group().count(
                "\n"
            )
        return (
            f"\n#define {name} (emu::dynamic_shared<{kind}>())\n#line {before.count(chr(10)) + 1}\n"
        )

    return _DYNAMIC.sub(place, text)


def _shared(text: str) -> str:
    """`__shared__ T a[N], b;` as references into the arena of the block."""
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        declared = found.group(1)
        aligns = _ALIGN.findall(declared)
        align = aligns[0] if aligns else "1"
        pieces = _split(_ALIGN.sub("", declared))
        base = ""
        said = []
        for number, piece in enumerate(pieces):
            parts = _DECLARATOR.match(piece.strip())
            if parts is None:
                line = text.count("\n", 0, found.start()) + 1
                raise BuildError(f"CUDA line {line}: cannot read this __shared__ declaration")
            base = parts.group(1).strip() if number == 0 else base
            name, tag = parts.group(2), f"EmuShared{count}"
            count += 1
            kind = f"{base} {parts.group(3).strip()}".strip().removeprefix("volatile ")
            said.append(
                f'struct {tag} {{ EMU_OWN static const char* name() {{ return "{name}"; }} }};'
                f" using {tag}Type = {kind};"
                f" auto& {name} = emu::shared<{tag}Type, {tag}, {align}>();"
            )
        return " ".join(said) + "\n" * found.group().count("\n")

    return _SHARED.sub(place, text)


def _split(text: str) -> list[str]:
    """Parts between commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter in "([{<") - (letter in ")]}>")
        if letter == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]
