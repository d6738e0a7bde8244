"""A model that writes three kernels for the task of `frontdoor_fakes`: a good one, a wrong one, a
better one. It is a pure function of the prompt. As a program it answers on stdout."""

import re
import sys

from frontdoor_fakes import KERNEL

WRONG = KERNEL.replace("SCALE=[2]", "SCALE=[3]")
SECOND = KERNEL.replace("x[i] < 0 ? 0 : SCALE * x[i]", "x[i] < 0 ? 0 : x[i] + x[i]")
SOURCES = (KERNEL, WRONG, SECOND)
STAGES = ("done", "correctness", "done")


def answer(prompt: str) -> str:
    """What the model says: a Judge's advice, or the next kernel by the table of what was tried."""
    if "You advise the author" in prompt:
        return '{"cause": "it reads twice", "change": "read once", "predicted_gain": 1.2}'
    done = len(re.findall(r"^\| \d+ \|", prompt, re.M))
    if done >= len(SOURCES):
        return "I have no more ideas."
    return f"NOTE: attempt {done}\n```python\n{SOURCES[done].strip()}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(answer(sys.stdin.read()))
