"""The instruction mix of a kernel, from its SASS as `nvdisasm -c` or `cuobjdump -sass` print it.

Counted are instructions as they stand in the code, not as often as they run. The opcodes' names are
those of the CUDA Binary Utilities manual, tables of the instruction sets from Volta to Blackwell.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Callable, Mapping

_FUNCTION = re.compile(r"^\s*(?:\.section\s+\.text\.([^,\s]+)|Function : (\S+))", re.M)
_INSTRUCTION = re.compile(
    r"^\s*(?:/\*[0-9a-f]{4,}\*/)?\s*(?:@!?U?P[0-9T]+\s+)?([A-Z][A-Z0-9_]*(?:\.[A-Za-z0-9_]+)*)\b[^;\n]*;",
    re.M,
)
_TENSOR = ("HMMA", "IMMA", "DMMA", "BMMA", "QMMA", "OMMA", "HGMMA", "IGMMA", "QGMMA", "BGMMA")
_BLACKWELL_TENSOR = ("UTCHMMA", "UTCIMMA", "UTCQMMA", "UTCOMMA")
_LOADS, _STORES = ("LDG", "LD"), ("STG", "ST")
_BRANCHES = ("BRA", "BRX", "JMP", "JMX", "CALL", "RET", "BREAK", "BRXU", "JMXU")
_ASYNC = ("LDGSTS", "UBLKCP", "UTMALDG", "UTMASTG", "UTMAREDG", "UBLKRED")
_ATOMICS = ("ATOM", "ATOMG", "ATOMS", "RED", "REDG")
_WIDE = re.compile(r"\.(128|256)\b")


def _one_of(*names: str) -> Callable[[str], bool]:
    return lambda opcode: opcode.partition(".")[0] in names


def _wide(*names: str) -> Callable[[str], bool]:
    return lambda opcode: opcode.partition(".")[0] in names and bool(_WIDE.search(opcode))


CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "tensor_core_instructions": _one_of(*_TENSOR, *_BLACKWELL_TENSOR),
    "global_loads": _one_of(*_LOADS),
    "global_loads_wide": _wide(*_LOADS),
    "global_stores": _one_of(*_STORES),
    "global_stores_wide": _wide(*_STORES),
    "async_copies": _one_of(*_ASYNC),
    "local_loads": _one_of("LDL"),
    "local_stores": _one_of("STL"),
    "shared_loads": _one_of("LDS", "LDSM"),
    "shared_stores": _one_of("STS", "STSM"),
    "atomics": _one_of(*_ATOMICS),
    "shuffles": _one_of("SHFL"),
    "barriers": _one_of("BAR", "SYNCS", "WARPSYNC"),
    "branches": _one_of(*_BRANCHES),
    "fp32_instructions": _one_of("FADD", "FMUL", "FFMA", "FFMA2", "FADD2", "FMUL2", "FMNMX"),
    "special_functions": _one_of("MUFU"),
}
"""Name of each counter, and the opcodes that it counts. `wide`: of 128 bits a thread or more."""


def mixes(text: str) -> dict[str, dict[str, int]]:
    """By function: how many instructions of each category, and of all (`instructions`, without NOP)."""
    found: dict[str, dict[str, int]] = {}
    heads = list(_FUNCTION.finditer(text))
    for i, head in enumerate(heads):
        end = heads[i + 1].start() if i + 1 < len(heads) else len(text)
        body = text[head.end() : end]
        opcodes = [o for o in _INSTRUCTION.findall(body) if o != "NOP"]
        if opcodes:
            found[head.group(1) or head.group(2)] = _mix(opcodes)
    return found


def _mix(opcodes: list[str]) -> dict[str, int]:
    tally = Tally(opcodes)
    return {
        "instructions": len(opcodes),
        **{
            name: sum(count for opcode, count in tally.items() if counted(opcode))
            for name, counted in CATEGORIES.items()
        },
    }
