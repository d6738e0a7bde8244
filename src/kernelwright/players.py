"""Who plays Coder and Judge: what `--model`, `--coder` and `--judge` name."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.roles import Coder, Judge

BUILTIN = "builtin"


@dataclass(frozen=True)
class Players:
    """The two roles of a search, and what stops the models that play them."""

    coder: Coder
    judge: Judge
    halt: Halt = field(default_factory=Halt)


def players(coder: str, judge: str | None = None, *, seed: int = 0) -> Players:
    """The roles, each played by the model that its spec names; the Judge by the Coder's if none is.

    Raises UsageError for an unknown model, or one whose key is missing.
    """
    judge, halt = judge or coder, Halt()
    models = {
        spec: make_model(spec, halt=halt, seed=seed) for spec in {coder, judge} if spec != BUILTIN
    }
    if models:
        from kernelwright.agents.llm_roles import ModelCoder, ModelJudge
    if BUILTIN in (coder, judge):
        from kernelwright.agents.builtin.builtin import BuiltinCoder, BuiltinJudge
    return Players(
        ModelCoder(models[coder]) if coder in models else BuiltinCoder(),
        ModelJudge(models[judge]) if judge in models else BuiltinJudge(),
        halt,
    )
