"""The running values of reductions inside their loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import Expr
from kernelwright.agents.builtin.index import Var
from kernelwright.agents.builtin.lazy import Reduction
from kernelwright.agents.builtin.optext import SCALAR, VECTOR, combine, neutral
from kernelwright.agents.builtin.scope import Name, Scope, lane_text

if TYPE_CHECKING:
    from kernelwright.agents.builtin.cgen import KernelText

CHAIN = 16_384
"""A sum of more elements than this is cut, and the parts are added in a wider accumulator."""
SMALL = 32
"""Loops of so many turns are written out by the compiler."""


class Accumulator:
    """The running value of one reduction."""

    def __init__(
        self, text: KernelText, node: Expr, body: Expr, scope: Scope, lane: Var | None,
        loops: list[Var],
    ) -> None:  # fmt: skip
        self.text, self.node, self.body, self.lane = text, node, body, lane
        self.reduction: Reduction = node.attr[0]
        self.places = self.reduction.reduces in ("argmax", "argmin")
        self.kind = body.kind
        self.outer_lanes = scope.lanes
        self.vector = lane is not None or (
            scope.lanes is not None and scope.lanes in text.kernel.free(node)
        )
        self.name = text.fresh("a")
        self.loops = loops
        self.small = (
            lane is None
            and math.prod(v.extent for v in loops) <= SMALL
            and not set(loops) & text.bounds.keys()
        )
        """A window: written out, with one accumulator."""
        self.count = "1" if self.small else "UNROLL"
        self.level = self._level()
        self.total: str | None = f"{self.name}_total" if self.level > 0 or self._long() else None
        if self.places:
            self.level, self.total = 0, None

    def _level(self) -> int:
        """The loop outside of which accumulators start anew: inside it a chain is short enough."""
        if self.reduction.reduces != "sum" or self.kind not in ("f32",):
            return 0
        for level in range(len(self.loops)):
            if math.prod(v.extent for v in self.loops[level:]) <= CHAIN:
                return level
        return max(len(self.loops) - 1, 0)

    def _long(self) -> bool:
        return False

    @property
    def type(self) -> str:
        """C++ type of an accumulator."""
        return (VECTOR if self.vector else SCALAR)[self.kind]

    @property
    def neutral(self) -> str:
        """The value it starts from, as its type."""
        zero = neutral(self.reduction.reduces, self.kind)
        if not self.vector:
            return zero
        return f"kw::set<{self.type}>({lane_text(zero, self.kind)})"

    def declare_total(self, scope: Scope) -> None:
        """The accumulator of accumulators, where there is one."""
        if self.total is None:
            return
        own = self.lane is None and self.vector
        kind = self.type if own else "double"
        scope.lines.append(f"{kind} {self.total} = {self.neutral if own else '0'};")

    def declare(self, scope: Scope) -> None:
        """The accumulators of one chain."""
        scope.lines.append(f"{self.type} {self.name}[{self.count}];")
        scope.lines.append(
            f"for (int u = 0; u < {self.count}; ++u) {self.name}[u] = {self.neutral};"
        )
        if self.places:
            i = "kw::I" if self.vector else "int32_t"
            start = "kw::set<kw::I>(0)" if self.vector else "0"
            scope.lines.append(f"{i} {self.name}_at[{self.count}];")
            scope.lines.append(
                f"for (int u = 0; u < {self.count}; ++u) {self.name}_at[u] = {start};"
            )

    def step(self, scope: Scope, u: str) -> None:
        """Take in one element, or one vector of them."""
        x = self.text.value(self.body, scope)
        text = self.text.broadcast(x, self.body, self.vector)
        if self.lane is not None:
            text = f"kw::keep({text}, {self.neutral}, t)"
        a = f"{self.name}[{u}]"
        if not self.places:
            f = combine(self.reduction.reduces, self.kind)
            scope.lines.append(f"{a} = {f}<{self.type}>({a}, {text});")
            return
        inner = self.text.kernel.loops_of(self.reduction)
        position = index.linear(inner.place, self.reduction.ranges)
        if self.vector and scope.lanes is not None and scope.lanes in position.vars:
            where = self.text.index_lanes(position, scope, "kw::I")
        else:
            where = f"(int32_t)({self.text.place(position, scope)})"
            if self.vector:
                where = f"kw::set<kw::I>({where})"
        largest = str(self.reduction.reduces == "argmax").lower()
        m = self.text.fresh("m")
        value = self.text.fresh()
        wrap = "kw::lanes32" if self.vector else "bool"
        scope.lines += [
            f"const {self.type} {value} = {text};",
            f"const auto {m} = {wrap}(kw::beats<{largest}>({value}, {a}));",
            f"{a} = kw::where({m}, {value}, {a});",
            f"{self.name}_at[{u}] = kw::where({m}, {where}, {self.name}_at[{u}]);",
        ]

    def _folded(self, scope: Scope) -> str:
        """All accumulators of a chain as one value."""
        f = combine(self.reduction.reduces, self.kind)
        a = self.name
        scope.lines.append(
            f"for (int u = 1; u < {self.count}; ++u) {a}[0] = {f}<{self.type}>({a}[0], {a}[u]);"
        )
        if self.lane is None:
            return f"{self.name}[0]"
        if self.kind == "f32" and self.reduction.reduces in ("sum", "max", "min"):
            return f"kw::h{self.reduction.reduces}({self.name}[0])"
        scalar = SCALAR[self.kind] if self.kind != "b" else "int32_t"
        folded = f"kw::fold({self.name}[0], []({scalar} x, {scalar} y) {{ return {f}<{scalar}>(x, y); }})"
        return f"({folded} != 0)" if self.kind == "b" else folded

    def flush(self, scope: Scope) -> None:
        """Add a chain to the total."""
        if self.total is not None:
            text = self._folded(scope)
            scope.lines.append(f"{self.total} = {self.total} + {text};")

    def result(self, scope: Scope) -> Name:
        """The reduction's value."""
        name = self.text.fresh("r")
        vector = self.vector and self.lane is None
        kind = (VECTOR if vector else SCALAR)[self.node.kind]
        if self.places:
            self._winner(scope, name, vector)
            return Name(name, vector)
        if self.total is not None:
            scope.lines.append(f"const {kind} {name} = ({kind}){self.total};")
        else:
            scope.lines.append(f"const {kind} {name} = {self._folded(scope)};")
        return Name(name, vector)

    def _winner(self, scope: Scope, name: str, vector: bool) -> None:
        """The place of the best over accumulators and lanes: of equals the first."""
        largest = str(self.reduction.reduces == "argmax").lower()
        a, at = self.name, f"{self.name}_at"
        count = self.count if vector or self.lane is None else f"{self.count} * kw::W"
        if vector:
            wrap = "kw::lanes32"
            scope.lines += [
                f"for (int u = 1; u < {self.count}; ++u) {{",
                f"  const auto m = {wrap}(kw::beats<{largest}>({a}[u], {a}[0]));",
                f"  const auto e = {wrap}(({a}[u] == {a}[0]) | (({a}[u] != {a}[u]) & ({a}[0] != {a}[0])));",
                f"  const auto f = {wrap}({at}[u] < {at}[0]);",
                f"  {a}[0] = kw::where(m | (e & f), {a}[u], {a}[0]);",
                f"  {at}[0] = kw::where(m | (e & f), {at}[u], {at}[0]);",
                "}",
                f"const kw::L {name} = kw::to<int64_t>({at}[0]);",
            ]
            return
        one = f"{a}[k]" if self.lane is None else f"{a}[k / kw::W][k % kw::W]"
        one_at = f"{at}[k]" if self.lane is None else f"{at}[k / kw::W][k % kw::W]"
        scalar = SCALAR[self.kind] if self.kind != "b" else "int32_t"
        if self.lane is not None:
            first, first_at = f"{a}[0][0]", f"{at}[0][0]"
        else:
            first, first_at = f"{a}[0]", f"{at}[0]"
        scope.lines += [
            f"{scalar} {name}_best = {first}; int64_t {name} = {first_at};",
            f"for (int k = 1; k < {count}; ++k) {{",
            f"  const {scalar} x = {one}; const int64_t i = {one_at};",
            f"  const bool same = x == {name}_best || (x != x && {name}_best != {name}_best);",
            f"  if (kw::beats<{largest}>(x, {name}_best) || (same && i < {name})) {{",
            f"    {name}_best = x;",
            f"    {name} = i;",
            "  }",
            "}",
        ]
