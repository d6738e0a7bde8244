"""Who plays Coder and Judge: what `--model`, `--coder` and `--judge` name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernelwright.agents.models.base import Model
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.spec import make_model
from kernelwright.agents.roles import Coder, Judge

if TYPE_CHECKING:
    from kernelwright.agents.auditor import Auditor
    from kernelwright.agents.tester import Tester

BUILTIN, NOBODY = "builtin", "none"


@dataclass(frozen=True)
class Players:
    """The two roles of a search, and what stops the models that play them."""

    coder: Coder | Mapping[str, Coder]
    """By the spec of the model, where there are several."""
    judge: Judge | Mapping[str, Judge]
    halt: Halt = field(default_factory=Halt)
    tester: Tester | None = None
    auditor: Auditor | None = None


def players(
    coders: Sequence[str],
    judges: Sequence[str],
    tester: str = NOBODY,
    auditor: str = NOBODY,
    *,
    seed: int = 0,
) -> Players:
    """The roles, played by the models that the specs name; what plays both is made once.

    Raises UsageError for an unknown model, or one whose key is missing.
    """
    halt = Halt()
    specs = dict.fromkeys([*coders, *judges, tester, auditor])
    models = {
        spec: make_model(spec, halt=halt, seed=seed)
        for spec in specs
        if spec not in (BUILTIN, NOBODY)
    }

    def coder(spec: str) -> Coder:
        if spec == BUILTIN:
            from kernelwright.evals.serving.proposer import FencedCoder

            return FencedCoder()
        from kernelwright.agents.llm_roles import ModelCoder

        return ModelCoder(models[spec])

    def judge(spec: str) -> Judge:
        if spec == BUILTIN:
            from kernelwright.agents.builtin.builtin import BuiltinJudge

            return BuiltinJudge()
        from kernelwright.agents.llm_roles import ModelJudge

        return ModelJudge(models[spec])

    write = {spec: coder(spec) for spec in coders}
    advise = {spec: judge(spec) for spec in judges}
    return Players(
        write if len(write) > 1 else write[coders[0]],
        advise if len(advise) > 1 else advise[judges[0]],
        halt,
        _tester(tester, models),
        _auditor(auditor, models),
    )


def _tester(spec: str, models: Mapping[str, Model]) -> Tester | None:
    if spec == NOBODY:
        return None
    if spec == BUILTIN:
        from kernelwright.agents.builtin.tester import BuiltinTester

        return BuiltinTester()
    from kernelwright.agents.tester import ModelTester

    return ModelTester(models[spec])


def _auditor(spec: str, models: Mapping[str, Model]) -> Auditor | None:
    if spec == NOBODY:
        return None
    from kernelwright.agents.auditor import BuiltinAuditor, ModelAuditor

    return BuiltinAuditor() if spec == BUILTIN else ModelAuditor(models[spec])
