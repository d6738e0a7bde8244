"""Values as C++: every expression is written once, in the outermost scope that knows its parts."""

from __future__ import annotations

import torch

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.expr import Buffer, Expr, children
from kernelwright.agents.builtin.index import Clamp, Div, Index, Mod, Value, Var
from kernelwright.agents.builtin.kernel import Kernel, Store
from kernelwright.agents.builtin.optext import SCALAR, VECTOR, literal, operation
from kernelwright.agents.builtin.scope import Name, Scope, lane_text, loop_name


class Values:
    """Writes the values of one kernel into scopes."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.numbers = 0
        self.buffers: dict[Buffer, bool] = {}
        """Buffers used, and whether they are written."""
        self.traits: set[str] = set()
        """Names of the tuning space that matter here."""
        self.inverses = True
        """Divide a row by one number through its inverse."""
        self.inverted: dict[str, str] = {}

    # ---- names ----

    def fresh(self, stem: str = "v") -> str:
        """A new C++ name."""
        self.numbers += 1
        return f"{stem}{self.numbers}"

    def pointer(self, buffer: Buffer, written: bool = False) -> str:
        """The name of a buffer's pointer, noting its use."""
        self.buffers[buffer] = self.buffers.get(buffer, False) or written
        return buffer.name

    # ---- values ----

    def value(self, node: Expr, scope: Scope) -> Name:
        """Write a node, unless that has been done, and give its name."""
        for around in scope.chain():
            if node in around.names:
                return around.names[node]
        if node.op == "const":
            return Name(literal(node.attr, node.kind), False)
        if node.op == "red":
            raise AssertionError(f"reduction used before it ran: {node}")
        narrow = self._narrow(node, scope)
        if narrow is not None:
            return narrow
        inner = [self.value(child, scope) for child in children(node)]
        home = self.home(node, scope)
        if node.op == "scan":
            return self.scan(node, home)
        vector = any(n.vector for n in inner) or (
            home.lanes is not None and not node.args and home.lanes in node.vars
        )
        text = self.text(node, inner, vector, home)
        name = Name(self.fresh(), vector)
        if vector and node.kind in ("i64", "f64"):
            self.traits.add("WIDE")
        self.declare(node, name, text, home)
        home.names[node] = name
        return name

    def _narrow(self, node: Expr, scope: Scope) -> Name | None:
        """Positions in vectors of int32, not int64, where they are compared, converted or looked up.

        None where the node is none of these. Vectors of 16 int64 are twice as wide as any register.
        """
        if node.op == "bound" and node.args[0].op == "load" and node.attr[0] < 2**31:
            return self._looked_up(node, scope)
        if node.op == "cast" and _small(node.args[0]) and node.kind in ("f32", "i32"):
            home = self.home(node, scope, node.args[0])
            if home.lanes is None or home.lanes not in node.vars:
                return None
            x = self.index_lanes(node.args[0].attr, home, "kw::I")
            text = x if node.kind == "i32" else f"kw::to<float>({x})"
        elif node.op in ("lt", "le", "gt", "ge", "eq", "ne") and node.args[0].kind == "i64":
            at = next((k for k in (0, 1) if _small(node.args[k])), None)
            if at is None:
                return None
            other = self.value(node.args[1 - at], scope)
            home = self.home(node, scope, node.args[at])
            if other.vector or home.lanes is None or home.lanes not in node.args[at].vars:
                return None
            x = self.index_lanes(node.args[at].attr, home, "kw::I")
            y = f"kw::set<kw::I>(kw::saturated({other.text}))"
            sign = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[node.op]
            text = f"({x}) {sign} {y}" if at == 0 else f"{y} {sign} ({x})"
        else:
            return None
        name = Name(self.fresh(), True)
        self.declare(node, name, text, home)
        home.names[node] = name
        return name

    def _looked_up(self, node: Expr, scope: Scope) -> Name | None:
        """A checked index that is read from memory, as int32."""
        buffer, where = node.args[0].attr
        if any(isinstance(a, Value) for a in index.atoms(where)):
            return None
        home = self.home(node, scope, node.args[0])
        if home.lanes is None or where.coefficient(home.lanes) != 1:
            return None
        size, negative = node.attr
        name = Name(self.fresh(), True)
        at = f"{self.pointer(buffer)} + {self.place(where, home)}"
        flag = str(negative).lower()
        home.lines.append(f"const kw::I {name.text} = kw::ld_checked({at}, {size}L, {flag}, t);")
        home.names[node] = name
        return name

    def home(self, node: Expr, scope: Scope, leaf: Expr | None = None) -> Scope:
        """The outermost scope that knows all a node needs; `leaf`: an argument not written itself."""
        chain = scope.chain()
        needs: set[Var] = set(node.vars) if not node.args else set()
        reds: list[Expr] = []
        deepest: Scope | None = None
        for child in children(node):
            for around in chain:
                if child in around.names:
                    if deepest is None or around.depth > deepest.depth:
                        deepest = around
                    break
            if child.op == "red":
                reds.append(child)
        if node.op in ("load", "index", "inrange"):
            needs = {
                v for i in _places(node) for a in index.atoms(i) if isinstance(a, Var) for v in (a,)
            }
        if leaf is not None:
            needs = needs | leaf.vars
        if node.op == "scan":
            return scope
        result = scope
        for around in chain:
            if needs <= around.bound and (deepest is None or around.depth >= deepest.depth):
                result = around
        if node.op == "bound" and result.parent is None and scope.parent is not None:
            return [s for s in chain if s.parent is not None][-1]
        return result

    def text(self, node: Expr, inner: list[Name], vector: bool, scope: Scope) -> str:
        """The right-hand side of a node."""
        if node.op == "load":
            return self.load(node, vector, scope)
        if node.op == "index":
            return self.index_number(node.attr, vector, scope)
        if node.op == "inrange":
            i, low, high = node.attr
            if not vector:
                x = self.place(i, scope)
                return f"({x}) >= {low}L && ({x}) < {high}L"
            x = self.index_lanes(i, scope, "kw::I")
            ranges = i.bounds
            tests = [f"x >= {low}"] if ranges[0] < low else []
            tests += [f"x < {high}"] if ranges[1] >= high else []
            return f"[&] {{ const kw::I x = {x}; return {' & '.join(f'({t})' for t in tests)}; }}()"
        if node.op == "bound":
            size, negative = node.attr
            if vector:
                return (
                    f"kw::checked_lanes<{VECTOR[node.kind]}>({inner[0].text}, {size}L, "
                    f"{str(negative).lower()}, t)"
                )
            return (
                f"kw::checked<{SCALAR[node.kind]}>({inner[0].text}, {size}L, "
                f"{str(negative).lower()})"
            )
        self.note(node)
        if (
            node.op == "div"
            and vector
            and inner[0].vector
            and not inner[1].vector
            and self.inverses
        ):
            return f"{inner[0].text} * {self.inverse(node.args[1], inner[1], scope)}"
        args = [
            n.text
            if n.vector or not vector
            else f"kw::set<{VECTOR[a.kind]}>({lane_text(n.text, a.kind)})"
            for n, a in zip(inner, node.args, strict=True)
        ]
        return operation(node, args, vector)

    def inverse(self, node: Expr, name: Name, scope: Scope) -> str:
        """1 / node, once for all lanes and all turns of the loops inside."""
        if name.text not in self.inverted:
            home = next((s for s in scope.chain() if node in s.names), scope.chain()[-1])
            text = self.fresh("inverse")
            kind = SCALAR[node.kind]
            home.lines.append(f"const {kind} {text} = {literal(1, node.kind)} / {name.text};")
            self.inverted[name.text] = text
        return f"kw::set<{VECTOR[node.kind]}>({self.inverted[name.text]})"

    def note(self, node: Expr) -> None:
        """Remember what of the tuning space a node brings in."""
        if node.op in ("exp", "sigmoid"):
            self.traits.add("EXP_DEGREE")

    def broadcast(self, name: Name, node: Expr, vector: bool) -> str:
        """The name, as a vector where one is wanted."""
        if name.vector or not vector:
            return name.text
        return f"kw::set<{VECTOR[node.kind]}>({lane_text(name.text, node.kind)})"

    # ---- memory ----

    def load(self, node: Expr, vector: bool, scope: Scope) -> str:
        """C++ that reads an element, or a vector of them."""
        buffer, where = node.attr
        p = self.pointer(buffer)
        flag = node.kind == "b"
        if not vector:
            at = self.place(where, scope)
            return f"kw::ldb1({p} + {at})" if flag else f"kw::ld1<{SCALAR[node.kind]}>({p} + {at})"
        assert scope.lanes is not None
        v = VECTOR[node.kind]
        if where.coefficient(scope.lanes) == 1:
            at = self.place(where, scope)
            return f"kw::ldb({p} + {at}, t)" if flag else f"kw::ld<{v}>({p} + {at}, t)"
        if where.coefficient(scope.lanes) == 2 and node.kind == "f32":
            return f"kw::ld_even<{v}>({p} + {self.place(where, scope)}, t)"
        if buffer.dtype == torch.float32 and self._pickable(where, scope):
            return f"kw::pick({p}, {self.index_lanes(where, scope, 'kw::I')}, t)"
        at = self.place(where, scope, lane=True)
        one = (
            f"(int32_t)-kw::ldb1({p} + {at})"
            if flag
            else f"kw::ld1<{SCALAR[node.kind]}>({p} + {at})"
        )
        return f"kw::gather<{v}>(t, [&](long l) {{ return {one}; }})"

    def _pickable(self, i: Index, scope: Scope) -> bool:
        """Whether all lanes of an index can be computed as a vector of int32."""
        assert scope.lanes is not None
        if i.bounds[1] >= 2**31 or i.bounds[0] < 0:
            return False
        return all(isinstance(a, Var | Value) or scope.lanes not in a.of.vars for a, _ in i.terms)

    def store_pair(self, first: Store, second: Store, scope: Scope) -> bool:
        """Write two stores to neighbouring elements as one, where they are."""
        lane = scope.lanes
        if (
            lane is None
            or first.buffer is not second.buffer
            or first.expr.kind != "f32"
            or first.index.coefficient(lane) != 2
            or (second.index - first.index) != index.const(1)
        ):
            return False
        a, b = self.value(first.expr, scope), self.value(second.expr, scope)
        at = self.place(first.index, scope)
        x, y = (self.broadcast(n, s.expr, True) for n, s in ((a, first), (b, second)))
        p = self.pointer(first.buffer, True)
        scope.lines.append(f"kw::st_pairs({p} + {at}, {x}, {y}, t);")
        return True

    def store(self, store: Store, scope: Scope) -> None:
        """Write one element, or a vector of them."""
        name = self.value(store.expr, scope)
        p = self.pointer(store.buffer, True)
        flag = store.expr.kind == "b"
        if scope.lanes is None or scope.lanes not in store.index.vars:
            scope.lines.append(f"kw::st1({p} + {self.place(store.index, scope)}, {name.text});")
            return
        text = self.broadcast(name, store.expr, True)
        if store.index.coefficient(scope.lanes) == 1:
            at = self.place(store.index, scope)
            scope.lines.append(f"kw::{'stb' if flag else 'st'}({p} + {at}, {text}, t);")
            return
        at = self.place(store.index, scope, lane=True)
        local = self.fresh()
        scope.lines.append(f"const {VECTOR[store.expr.kind]} {local} = {text};")
        one = f"({local}[l] != 0)" if flag else f"{local}[l]"
        scope.lines.append(f"kw::each_lane(t, [&](long l) {{ kw::st1({p} + {at}, {one}); }});")

    def place(self, i: Index, scope: Scope, lane: bool = False) -> str:
        """C++ of an index; with `lane`, that of lane number l."""
        parts = []
        for atom, coefficient in i.terms:
            text = self.atom(atom, scope, lane)
            parts.append(text if coefficient == 1 else f"{coefficient}L * {text}")
        if i.constant or not parts:
            parts.append(f"{i.constant}L")
        return (
            " + ".join(parts).replace("+ -", "- ") if len(parts) == 1 else f"({' + '.join(parts)})"
        )

    def atom(self, atom: index.Atom, scope: Scope, lane: bool) -> str:
        """C++ of a part of an index."""
        if isinstance(atom, Var):
            return f"({loop_name(atom)} + l)" if lane and atom is scope.lanes else loop_name(atom)
        if isinstance(atom, Value):
            name = self.value(atom.expr, scope)
            return f"(long){name.text}[l]" if name.vector else f"(long){name.text}"
        of = self.place(atom.of, scope, lane)
        low = atom.of.bounds[0]
        if isinstance(atom, Clamp):
            return f"kw::clamp_index({of}, {atom.low}L, {atom.high}L)"
        if isinstance(atom, Div):
            return f"({of}) / {atom.by}L" if low >= 0 else f"kw::floordiv<long>({of}, {atom.by}L)"
        assert isinstance(atom, Mod)
        return f"(({of}) % {atom.by}L)" if low >= 0 else f"kw::rem<long>({of}, {atom.by}L)"

    def index_number(self, i: Index, vector: bool, scope: Scope) -> str:
        """An index as an int64 value."""
        if not vector:
            return f"(int64_t)({self.place(i, scope)})"
        return self.index_lanes(i, scope, "kw::L")

    def index_lanes(self, i: Index, scope: Scope, kind: str) -> str:
        """All lanes of an index, as a vector of integers."""
        lane = scope.lanes
        assert lane is not None
        number = "int32_t" if kind == "kw::I" else "int64_t"
        base = Index((), i.constant)
        parts: list[str] = []
        for atom, coefficient in i.terms:
            times = "" if coefficient == 1 else f" * ({number}){coefficient}"
            if atom is lane:
                base += index.var(lane) * coefficient
                parts.append(f"kw::iota<{kind}>(){times}")
            elif isinstance(atom, Value) and (name := self.value(atom.expr, scope)).vector:
                parts.append(f"kw::to<{number}>({name.text}){times}")
            elif not isinstance(atom, Var | Value) and lane in atom.of.vars:
                one = self.place(i, scope, True)
                return f"kw::gather<{kind}>(kw::Full(), [&](long l) {{ return {one}; }})"
            else:
                base += Index(((atom, coefficient),))
        if base.terms or base.constant or not parts:
            parts.insert(0, f"kw::set<{kind}>(({number})({self.place(base, scope)}))")
        return " + ".join(parts)

    # ---- what a writer of loops adds ----

    def scan(self, node: Expr, scope: Scope) -> Name:
        """A running total at this place of its loop."""
        raise NotImplementedError

    def declare(self, node: Expr, name: Name, text: str, home: Scope) -> None:
        """Write the declaration of a value."""
        kind = (VECTOR if name.vector else SCALAR)[node.kind]
        home.lines.append(f"const {kind} {name.text} = {text};")


def _small(node: Expr) -> bool:
    """Whether a node is a position that fits into an int32."""
    if node.op != "index":
        return False
    low, high = node.attr.bounds
    return bool(low > -(2**31) and high < 2**31 - 1)


def _places(node: Expr) -> list[Index]:
    if node.op == "load":
        return [node.attr[1]]
    return [node.attr] if node.op == "index" else [node.attr[0]]
