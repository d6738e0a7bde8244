"""Who plays Coder and Judge: what `--model` names."""

from __future__ import annotations

from typing import NamedTuple

from kernelwright.agents.roles import Coder, Judge

BUILTIN = "builtin"


class Players(NamedTuple):
    """The two roles of a search."""

    coder: Coder
    judge: Judge


def players(model: str) -> Players:
    """The roles played by a model.

    Raises UsageError for an unknown model, or one whose key is missing.
    """
    if model == BUILTIN:
        from kernelwright.agents.builtin.builtin import BuiltinCoder, BuiltinJudge

        return Players(BuiltinCoder(), BuiltinJudge())
    from kernelwright.agents.models.spec import make_model

    made = make_model(model)
    from kernelwright.agents.llm_roles import ModelCoder, ModelJudge

    return Players(ModelCoder(made), ModelJudge(made))
