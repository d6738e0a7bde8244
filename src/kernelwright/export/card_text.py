"""The card of an exported operator: what it takes, where its kernel runs, how fast, and whence it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernelwright import text
from kernelwright.export.python_text import Parts
from kernelwright.export.runtime import Form, TensorSpec
from kernelwright.harness.verdict import Verdict


def readme(
    parts: Parts,
    card: Mapping[str, Any],
    exported: Verdict | None,
    why_not: str | None,
    notes: Sequence[str],
    use: Sequence[str],
) -> str:
    """README.md. `exported` is the verdict of the exported file; `why_not`: why there is none."""
    spec, environment = parts.spec, card["environment"]
    threads = f"{environment['device_name']}, {environment['threads']} threads"
    lines = [
        f"# {parts.op}",
        "",
        f"A verified kernel for `{card['task']['name']}` as the PyTorch operator `{spec.name}`.",
        "",
        *use,
        "",
        f"`{parts.module}` takes the place of the reference's `Model`: made with the same arguments, with"
        " the same names in its `state_dict`. Parameters and buffers are arguments of the operator.",
        "",
        "## Where the kernel runs",
        "",
        *(f"- {_form(parts, form)}" for form in spec.forms),
        "",
        f"Device `{spec.device}`, exactly these shapes, dtypes, strides and numbers. Everywhere else, under"
        " autocast, and where the kernel cannot be built, the reference runs; where it cannot be built one"
        " warning says why.",
        *(
            ["In training mode the reference runs, for there it computes something else."]
            if not spec.any_mode
            else []
        ),
        _gradient(spec.backward),
        *(f"Verified, but not carried over: {note}." for note in notes),
        "",
        "## Speed",
        "",
        "Median of interleaved pairs with its 95% interval, from two final judgements.",
        "",
        "| | against PyTorch eager | against torch.compile |",
        "|---|---|---|",
        _row("the kernel, when it was published", Verdict.from_json(card["verdict"])),
        *([_row("this operator, as exported", exported)] if exported else []),
        "",
        *([f"The exported operator was not judged: {why_not}.", ""] if why_not else []),
        f"Measured on {threads}; torch {environment['torch']}, Python {environment['python']},"
        f" {environment['compiler'] or 'no compiler'}. An interval covers the scatter of one machine on"
        " one day: measure again where you use it.",
        "",
        "## Provenance",
        "",
        "| | |",
        "|---|---|",
        f"| task | `{card['task']['name']}`, SHA-256 `{card['task']['sha256']}` |",
        f"| kernel | candidate `{card['kernel']['candidate']}`, {card['kernel']['language']}, SHA-256"
        f" `{card['kernel']['sha256']}` |",
        f"| found by | kernelwright {environment['kernelwright']}, model `{card['search']['model']}`, run"
        f" {card['search']['run']} |",
        f"| made | {card['made']} |",
    ]
    return "\n".join(lines) + "\n"


def _gradient(backward: bool) -> str:
    if backward:
        return (
            "In eager mode gradients are the kernel's own, which were verified; in a compiled graph, where"
            " the reference runs, and for higher orders they are the reference's, by recomputation."
        )
    return "Gradients are the reference's, by recomputation: the kernel has no backward pass."


def _row(what: str, verdict: Verdict) -> str:
    cells = (text.ratio(verdict.speedup.get(name)) for name in ("eager", "compile"))
    return f"| {what} | {' | '.join(cells)} |"


def _form(parts: Parts, form: Form) -> str:
    given = zip(parts.spec.arguments, form.inputs, strict=True)
    words = [f"{name} {_value(value)}" for name, value in given]
    args, kwargs = parts.spec.configs[form.config]
    made = [repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
    return f"`{'`, `'.join(words)}`" + (f", `Model({', '.join(made)})`" if made else "")


def _value(value: Any) -> str:
    if isinstance(value, TensorSpec):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value)
