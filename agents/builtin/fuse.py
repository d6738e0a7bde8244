"""Library calls replaced by templates: products, convolutions and attention with what follows fused.

A library call and the one kernel that reads its result become a template with that kernel as its
epilogue. Attention written by hand (product, softmax, product) becomes one template. Where anything
does not fit, the stages stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import count

import torch

from kernelwright.agents.builtin import index
from kernelwright.agents.builtin.cgen import KernelText
from kernelwright.agents.builtin.expr import Buffer, Expr, load, substitute, walk
from kernelwright.agents.builtin.index import Index, Var
from kernelwright.agents.builtin.kernel import Kernel, Stage
from kernelwright.agents.builtin.lane_text import FLOATS, Inexpressible, LaneText, declaration
from kernelwright.agents.builtin.lazy import LibraryCall
from kernelwright.agents.builtin.plan import View, view_of
from kernelwright.agents.builtin.templates import header
from kernelwright.agents.builtin.templates.attention import Score, attention_source
from kernelwright.agents.builtin.templates.conv import conv2d_source, output_size
from kernelwright.agents.builtin.templates.gemm import gemm_source
from kernelwright.agents.builtin.templates.kernel_text import Epilogue, Operand
from kernelwright.tasks.errors import UsageError

DTYPE_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


LOOPS = "loops.h"
"""Among the traits of a template: it needs the helpers of generated loops."""


@dataclass(eq=False)
class TemplateCall:
    """A template as a stage: C++ text with `extern "C" void name(buffers...)`."""

    name: str
    says: str
    headers: tuple[str, ...]
    text: str
    buffers: tuple[tuple[Buffer, bool], ...]
    """Parameters in order, and whether they are written."""
    traits: frozenset[str]
    work: int


AnyStage = Stage | TemplateCall


def fused(stages: list[Stage], attention: bool, products: bool) -> list[AnyStage]:
    """The stages with templates put in wherever they fit."""
    result: list[AnyStage] = list(stages)
    if attention:
        result = _by_hand(result)
    for stage in list(result):
        if not isinstance(stage, LibraryCall):
            continue
        is_attention = stage.name == "attention"
        if (is_attention and not attention) or (not is_attention and not products):
            continue
        replaced = _replaced(result, stage)
        if replaced is not None:
            result = replaced
    return result


def readers(stages: list[AnyStage], buffer: Buffer) -> list[AnyStage]:
    """The stages that read a buffer."""
    found: list[AnyStage] = []
    for stage in stages:
        if isinstance(stage, LibraryCall):
            views = [view_of(a) for a in stage.arguments]
            reads = any(v is not None and v.buffer is buffer for v in views)
        elif isinstance(stage, TemplateCall):
            reads = any(b is buffer and not written for b, written in stage.buffers)
        else:
            reads = any(
                n.op == "load" and n.attr[0] is buffer for n in stage.everything(stage.roots)
            )
        if reads:
            found.append(stage)
    return found


def aliases(stages: list[AnyStage]) -> dict[Buffer, Buffer]:
    """Results of kernels that can lie where the library's result lay that they are made of."""
    found: dict[Buffer, Buffer] = {}
    for call in stages:
        if not isinstance(call, LibraryCall) or call.result.strides:
            continue
        using = readers(stages, call.result)
        if len(using) != 1 or not isinstance(using[0], Kernel) or _has_reductions(using[0]):
            continue
        for part in using[0].parts:
            for store in part.stores:
                loads = [
                    n
                    for n in walk([s.expr for s in part.stores])
                    if n.op == "load" and n.attr[0] is call.result
                ]
                if (
                    len(using[0].parts) == len(part.stores) == 1
                    and store.buffer.dtype == call.result.dtype
                    and store.buffer.size == call.result.size
                    and all(n.attr[1] == store.index for n in loads)
                ):
                    found[store.buffer] = call.result
    return found


def worthless(stages: list[AnyStage]) -> str | None:
    """The library operator that does all the work, where nothing else is left to make faster."""
    calls = [s for s in stages if isinstance(s, LibraryCall)]
    kernels = [s for s in stages if isinstance(s, Kernel)]
    templates = len(stages) - len(calls) - len(kernels)
    if calls and not templates and all(r.op == "load" for k in kernels for r in k.roots):
        return calls[0].name
    return None


def _replaced(stages: list[AnyStage], call: LibraryCall) -> list[AnyStage] | None:
    """The stages with one library call made a template, or None where that does not go."""
    using = readers(stages, call.result)
    name = _new_name(stages)
    try:
        if call.name == "attention":
            made = _attention(name, call)
            return [made if s is call else s for s in stages]
        if len(using) != 1 or not isinstance(using[0], Kernel):
            return None
        made = _with_epilogue(name, call, using[0])
    except (Inexpressible, UsageError):
        return None
    return [made if s is using[0] else s for s in stages if s is not call]


def _new_name(stages: Sequence[AnyStage]) -> str:
    """A name that no stage has yet. Places in the list are no names: it shrinks."""
    taken = {stage.name for stage in stages}
    return next(name for n in count() if (name := f"fused{n}") not in taken)


def _split(write: Callable[..., str]) -> tuple[str, tuple[str, ...]]:
    """A template's own text, and the headers that it needs beside vec.h, in order."""
    whole, plain = write(headers=True), write(headers=False)
    names = [n for n in header_names() if n != "vec.h" and header(n) in whole]
    return plain, tuple(sorted(names, key=lambda n: whole.index(header(n))))


@cache
def header_names() -> tuple[str, ...]:
    """The C++ files beside the templates."""
    folder = files("kernelwright.agents.builtin.templates")
    return tuple(sorted(f.name for f in folder.iterdir() if f.name.endswith(".h")))


# ---- products and convolutions ----


def _with_epilogue(name: str, call: LibraryCall, kernel: Kernel) -> TemplateCall:
    shape = call.result.shape
    if call.name == "convolution":
        if len(shape) not in (3, 4) or call.detail["transposed"]:
            raise Inexpressible("a convolution of another rank")
        batch, rows, columns = shape[0], shape[1], math.prod(shape[2:])
    elif call.name in ("mm", "bmm"):
        batch = shape[0] if call.name == "bmm" else 1
        rows, columns = shape[-2:]
    else:
        raise Inexpressible(call.name)
    if call.result.strides or call.result.dtype not in FLOATS:
        raise Inexpressible("a result that is not contiguous")
    if call.name != "convolution" and _has_reductions(kernel):
        finish, buffers, more = row_epilogue(kernel, call.result, (batch, rows, columns))
    else:
        text = epilogue(kernel, call.result, (batch, rows, columns))
        buffers, more = text.buffers, {"EXP_DEGREE"} if text.exp else set()
        finish = Epilogue(
            tuple(declaration(b, w) for b, w in buffers.items()), "\n".join(text.lines)
        )
    views = [_float_view(a) for a in call.arguments]
    headers: tuple[str, ...]
    if call.name == "convolution":
        source, headers = _convolution(name, call, views, finish)
        traits = {"THREADS", "NC"}
    else:
        a, b = (_operand(v) for v in views)
        source, headers = _split(
            partial(
                gemm_source, name, m=rows, n=columns, k=views[0].shape[-1], a=a, b=b,
                epilogue=finish, batch=batch,
            )
        )  # fmt: skip
        traits = {"THREADS", "KC", "NC"}
    traits |= more
    ordered: dict[Buffer, bool] = {v.buffer: False for v in views}
    for buffer, written in buffers.items():
        ordered[buffer] = ordered.get(buffer, False) or written
    says = f"{call.name} {batch}x{rows}x{columns} with a fused epilogue"
    return TemplateCall(
        name, says, headers, source, tuple(ordered.items()), frozenset(traits), call.work
    )


def _has_reductions(kernel: Kernel) -> bool:
    return any(n.op in ("red", "scan") for n in kernel.everything(kernel.roots))


def row_epilogue(
    kernel: Kernel, result: Buffer, shape: tuple[int, int, int]
) -> tuple[Epilogue, dict[Buffer, bool], set[str]]:
    """A kernel that works row by row on a product, as an epilogue over complete rows."""
    batch, rows, columns = shape
    if math.prod(v.extent for v in kernel.prefix) != batch * rows or result.dtype != torch.float32:
        raise Inexpressible("rows that are not those of the product")
    number = index.linear(
        tuple(index.var(v) for v in kernel.prefix), tuple(v.extent for v in kernel.prefix)
    )
    for node in kernel.everything(kernel.roots):
        if node.op == "load" and node.attr[0] is result:
            low, high = (node.attr[1] - number * columns).bounds
            if low < 0 or high >= columns:
                raise Inexpressible("a row that reads another")
    text = KernelText(kernel, threads=False)
    if text.lanes.prefix is not None:
        raise Inexpressible("vectors across rows")
    body = text.write_row()
    buffers = {b: w for b, w in text.buffers.items() if b is not result}
    if text.buffers.get(result):
        raise Inexpressible("a product that is overwritten")
    own = f"{kernel.name}_row"
    parameters = ", ".join(declaration(b, w) for b, w in text.buffers.items())
    arguments = ", ".join(
        f"row - (b * {rows}L + i) * {columns}L" if b is result else b.name for b in text.buffers
    )
    helper = f"static inline void {own}(long p, {parameters}) {{\n{body}\n}}\n"
    finish = Epilogue(
        tuple(declaration(b, w) for b, w in buffers.items()),
        f"{own}(b * {rows}L + i, {arguments});",
        rows=True,
        helpers=helper,
    )
    return finish, buffers, (text.traits - {"THREADS"}) | {LOOPS}


def epilogue(kernel: Kernel, result: Buffer, shape: tuple[int, int, int]) -> LaneText:
    """A kernel over a result as text over (b, i, j). Raises Inexpressible where it is no epilogue."""
    if len(kernel.parts) != 1 or any(
        n.op in ("red", "scan") for n in kernel.everything(kernel.roots)
    ):
        raise Inexpressible("reductions over the result")
    part = kernel.parts[0]
    loops = [*kernel.prefix, *part.loops]
    extents = tuple(v.extent for v in loops)
    whole = index.linear(tuple(index.var(v) for v in loops), extents)
    if math.prod(extents) != result.size:
        raise Inexpressible("a result that is read more than once")
    reads = [n for n in walk(kernel.roots) if n.op == "load" and n.attr[0] is result]
    inverse = order_of(loops, reads)
    coordinates = [Var(e) for e in shape]
    position = index.linear(tuple(index.var(v) for v in coordinates), shape)
    ordered = [loops[d] for d in inverse]
    at = index.delinear(position, tuple(v.extent for v in ordered))
    mapping = dict(zip(ordered, at, strict=True))
    del whole
    lane = coordinates[2]
    names = dict(zip(coordinates, "bij", strict=True))
    read = load(result, position)
    text = LaneText(names, lane, {read: "acc"})
    for store in part.stores:
        value, where = moved(store.expr, store.index, mapping)
        text.store(store.buffer, where, value)
    if result in text.buffers:
        raise Inexpressible("another element of the result")
    return text


def order_of(loops: list[Var], reads: list[Expr]) -> list[int]:
    """The order of loops in which the result is read element after element."""
    where: Index = reads[0].attr[1]
    if not where.affine:
        raise Inexpressible("a result that is read out of order")
    steps = [where.coefficient(v) or 0 for v in loops]
    order = sorted(range(len(loops)), key=lambda d: -steps[d])
    expected = 1
    for d in reversed(order):
        if steps[d] != expected:
            raise Inexpressible("a result that is read out of order")
        expected *= loops[d].extent
    return order


def moved(value: Expr, where: Index, mapping: dict[Var, Index]) -> tuple[Expr, Index]:
    """A value and its place with loop variables replaced."""
    there = substitute([value], mapping)[0]
    return there, where.substitute(mapping, lambda e: substitute([e], mapping)[0])


def _float_view(argument: object) -> View:
    view = view_of(argument)  # type: ignore[arg-type]
    if view is None or view.buffer.dtype not in FLOATS:
        raise Inexpressible("an operand that is no view of floats")
    return view


def _operand(view: View) -> Operand:
    steps = view.strides
    strides = (steps[0] if len(steps) == 3 else 0, steps[-2], steps[-1])
    offset = f"b * {strides[0]} + {view.offset}" if view.offset else ""
    return Operand(view.buffer.name, strides, DTYPE_NAMES[view.buffer.dtype], offset)


def _convolution(
    name: str, call: LibraryCall, views: list[View], finish: Epilogue
) -> tuple[str, tuple[str, ...]]:
    x, weight = views
    for view in views:
        if view.offset or not _is_contiguous(view):
            raise Inexpressible("an operand that is not contiguous")
    if x.buffer.dtype != weight.buffer.dtype:
        raise Inexpressible("operands of two dtypes")
    detail = call.detail

    def pair(given: tuple[int, ...], fill: int) -> tuple[int, int]:
        """One-dimensional convolutions run as those of images with one row."""
        return (given[0], given[1]) if len(given) == 2 else (fill, given[0])

    kernel, size = pair(weight.shape[2:], 1), pair(x.shape[2:], 1)
    stride, padding, dilation = (
        pair(detail[key], fill)  # type: ignore[arg-type]
        for key, fill in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    assert output_size(size, kernel, stride, padding, dilation) == pair(call.result.shape[2:], 1)
    return _split(
        partial(
            conv2d_source, name, batch=x.shape[0], in_channels=x.shape[1], size=size,
            out_channels=weight.shape[0], kernel=kernel, stride=stride, padding=padding,
            dilation=dilation, groups=int(detail["groups"]), epilogue=finish,  # type: ignore[call-overload]
            dtype=DTYPE_NAMES[x.buffer.dtype], pointers=(x.buffer.name, weight.buffer.name),
        )
    )  # fmt: skip


def _is_contiguous(view: View) -> bool:
    return all(
        e == 1 or s == c
        for e, s, c in zip(view.shape, view.strides, _contiguous(view.shape), strict=True)
    )


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[d + 1 :]) for d in range(len(shape)))


# ---- attention ----


def _attention(name: str, call: LibraryCall) -> TemplateCall:
    q, k, v = (_float_view(a) for a in call.arguments[:3])
    if any(len(x.shape) != 4 or x.offset for x in (q, k, v)):
        raise Inexpressible("attention of another rank")
    if len({x.buffer.dtype for x in (q, k, v)}) != 1 or len({x.buffer for x in (q, k, v)}) != 3:
        raise Inexpressible("operands that share a buffer")
    batch, heads, length, dim = q.shape
    score = None
    extra: tuple[tuple[Buffer, bool], ...] = ()
    if call.detail["masked"]:
        mask = view_of(call.arguments[3])
        if mask is None or mask.offset:
            raise Inexpressible("a mask that is no view")
        lead = 4 - len(mask.shape)
        steps = [0] * lead + [
            0 if e == 1 else s for e, s in zip(mask.shape, mask.strides, strict=True)
        ]
        names = [Var(batch), Var(heads), Var(length), Var(k.shape[2])]
        where = index.strided(tuple(index.var(n) for n in names), tuple(steps))
        text = LaneText(dict(zip(names, "bhij", strict=True)), names[3], {})
        read = text.value(load(mask.buffer, where))
        bool_mask = mask.buffer.dtype == torch.bool
        last = (
            f"return kw::select({read}, s, kw::set<V>(-__builtin_inff()));"
            if bool_mask
            else f"return s + {read};"
        )
        score = Score(
            tuple(declaration(b, w) for b, w in text.buffers.items()),
            "\n".join([*text.lines, last]),
        )
        extra = tuple(text.buffers.items())
    scale = call.detail["scale"] or 1 / math.sqrt(dim)
    out = call.result
    strides = out.strides or _contiguous(out.shape)
    if k.shape[1] != heads and not call.detail["gqa"]:
        raise Inexpressible("heads that broadcast")
    source, headers = _split(partial(
        attention_source, name, batch=batch, heads=heads, kv_heads=k.shape[1], q_len=length,
        kv_len=k.shape[2],
        head_dim=dim, value_dim=v.shape[3], scale=float(scale),  # type: ignore[arg-type]
        q_strides=q.strides, k_strides=k.strides, v_strides=v.strides, out_strides=strides,  # type: ignore[arg-type]
        dtype=DTYPE_NAMES[q.buffer.dtype], causal=bool(call.detail["causal"]), score=score,
        empty_rows="zero",
    ))  # fmt: skip
    buffers = ((q.buffer, False), (k.buffer, False), (v.buffer, False), *extra, (out, True))
    if len({b for b, _ in buffers}) != len(buffers):
        raise Inexpressible("operands that share a buffer")
    return TemplateCall(
        name, "attention in one pass", headers, source, buffers,
        frozenset({"THREADS", "EXP_DEGREE", "KEYS", "QUERIES"}), call.work,
    )  # fmt: skip


def _by_hand(stages: list[AnyStage]) -> list[AnyStage]:
    """Product, softmax kernel, product: made one template each time."""
    for second in list(stages):
        if not (isinstance(second, LibraryCall) and second.name in ("bmm", "mm")):
            continue
        try:
            found = _matched(stages, second)
        except (Inexpressible, UsageError):
            continue
        if found is not None:
            made, gone = found
            stages = [made if s is second else s for s in stages if s not in gone]
    return stages


def _matched(
    stages: list[AnyStage], second: LibraryCall
) -> tuple[TemplateCall, list[AnyStage]] | None:
    weights = view_of(second.arguments[0])
    if weights is None or weights.offset or not _is_contiguous(weights):
        return None
    kernel = next(
        (
            s
            for s in stages
            if isinstance(s, Kernel)
            and any(t.buffer is weights.buffer for p in s.parts for t in p.stores)
        ),
        None,
    )
    if kernel is None or len(kernel.parts) != 1 or len(kernel.parts[0].stores) != 1:
        return None
    first = next(
        (
            s
            for s in stages
            if isinstance(s, LibraryCall)
            and s.name == second.name
            and any(
                n.op == "load" and n.attr[0] is s.result for n in kernel.everything(kernel.roots)
            )
        ),
        None,
    )
    if first is None or readers(stages, weights.buffer) != [second]:
        return None
    if readers(stages, first.result) != [kernel] or first.result.strides:
        return None
    score = softmax_scores(kernel, weights.buffer)
    if score is None:
        return None
    return _template_by_hand(first, kernel, second, score, stages), [first, kernel]


def softmax_scores(kernel: Kernel, into: Buffer) -> Expr | None:
    """The scores of a kernel that is a softmax over its one inner loop, else None."""
    part = kernel.parts[0]
    store = part.stores[0]
    if len(part.loops) != 1 or store.index.coefficient(part.loops[0]) != 1:
        return None
    root, loop = store.expr, part.loops[0]
    if root.op != "div" or root.args[0].op != "exp" or root.args[1].op != "red":
        return None
    powers, total = root.args
    away = powers.args[0]
    if away.op != "sub" or away.args[1].op != "red":
        return None
    scores, top = away.args
    for node, kind, body in ((total, "sum", powers), (top, "max", scores)):
        reduction = node.attr[0]
        inner = kernel.loops_of(reduction)
        if (
            reduction.reduces != kind
            or len(inner.loops) != 1
            or inner.loops[0].extent != loop.extent
        ):
            return None
        same = substitute([kernel.body(node)], {inner.loops[0]: index.var(loop)})[0]
        if same is not body:
            return None
    return scores


def _template_by_hand(
    first: LibraryCall, kernel: Kernel, second: LibraryCall, scores: Expr, stages: list[AnyStage]
) -> TemplateCall:
    views = [_float_view(a) for a in (*first.arguments, second.arguments[1])]
    q, k, v = views
    shape = first.result.shape
    batch = shape[0] if len(shape) == 3 else 1
    queries, keys = shape[-2:]
    loops = [*kernel.prefix, *kernel.parts[0].loops]
    reads = [n for n in walk([scores]) if n.op == "load" and n.attr[0] is first.result]
    ordered = [loops[d] for d in order_of(loops, reads)]
    store = kernel.parts[0].stores[0]
    coordinates = [Var(batch), Var(queries), Var(keys)]
    position = index.linear(tuple(index.var(c) for c in coordinates), (batch, queries, keys))
    mapping = dict(
        zip(ordered, index.delinear(position, tuple(o.extent for o in ordered)), strict=True)
    )
    score_at, where = moved(scores, store.index, mapping)
    if where != position:
        raise Inexpressible("weights in another order than scores")
    names = dict(zip(coordinates, "bij", strict=True))
    text = LaneText(names, coordinates[2], {load(first.result, position): "s"})
    result = text.value(score_at)
    if first.result in text.buffers:
        raise Inexpressible("other scores")
    score = Score(
        tuple(declaration(b, w) for b, w in text.buffers.items()),
        "\n".join([*text.lines, f"return {result};"]),
    )

    def four(view: View, turned: bool = False) -> tuple[int, int, int, int]:
        if view.offset:
            raise Inexpressible("an operand that starts inside its buffer")
        steps = view.strides if len(view.strides) == 3 else (0, *view.strides)
        return (steps[0], 0, steps[2], steps[1]) if turned else (steps[0], 0, steps[1], steps[2])

    out = second.result
    if out.strides or len({x.buffer.dtype for x in views}) != 1 or out.dtype != q.buffer.dtype:
        raise Inexpressible("operands of two dtypes")
    dim, width = q.shape[-1], v.shape[-1]
    steps = (queries * width, 0, width, 1)
    name = _new_name(stages)
    source, headers = _split(partial(
        attention_source, name, batch=batch, heads=1, kv_heads=1, q_len=queries, kv_len=keys, head_dim=dim,
        value_dim=width, scale=1.0, q_strides=four(q), k_strides=four(k, True), v_strides=four(v),
        out_strides=steps, dtype=DTYPE_NAMES[q.buffer.dtype], score=score,
    ))  # fmt: skip
    buffers = tuple([(x.buffer, False) for x in views] + list(text.buffers.items()) + [(out, True)])
    if len({b for b, _ in buffers}) != len(buffers):
        raise Inexpressible("operands that share a buffer")
    return TemplateCall(
        name, "attention by hand in one pass", headers, source, buffers,
        frozenset({"THREADS", "EXP_DEGREE", "KEYS", "QUERIES"}), first.work + second.work,
    )  # fmt: skip
