"""What a language model is told: a Brief as text. Lean: few attempts, short findings.

The words are in `agents/prompts/`; here is only what fills them in. `turns` puts a turn together of
what the other files render: `machine` (device and target), `verdicts` and `diagnostics` (an attempt),
`history` (what was tried, foretold and learnt).
"""

from kernelwright.agents.briefing.history import SHOWN, history_section
from kernelwright.agents.briefing.machine import device, target_section
from kernelwright.agents.briefing.text import languages, prompt
from kernelwright.agents.briefing.turns import (
    Said,
    advice_section,
    coder_turn,
    front,
    judge_turn,
)
from kernelwright.agents.briefing.verdicts import attempt_section, verdict

__all__ = [
    "SHOWN",
    "Said",
    "advice_section",
    "attempt_section",
    "coder_turn",
    "device",
    "front",
    "history_section",
    "judge_turn",
    "languages",
    "prompt",
    "target_section",
    "verdict",
]
