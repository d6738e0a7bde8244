import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.tasks.arithmetic import evaluate

CONSTANTS = {"N": 7, "M": 3, "HALF": 0.5}
LEAVES = st.one_of(st.sampled_from(sorted(CONSTANTS)), st.integers(0, 1000).map(str))
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_agrees_with_python(text):
    try:
        expected = eval(text, {}, CONSTANTS)
    except ZeroDivisionError:
        expected = -1
    if expected < 0:
        with pytest.raises(ValueError, match=r"at least 0|zero|modulo"):
            evaluate(text, CONSTANTS)
    else:
        assert evaluate(text, CONSTANTS) == math.ceil(expected)


def test_powers_and_signs():
    assert evaluate("2 ** N + (-M) ** 2", CONSTANTS) == 137
    assert evaluate("1000 * (1 - (1 - 1 / 1000) ** 1000)", {}) == 633


@pytest.mark.parametrize(
    "text",
    ["", "N N", "f(N)", "N.real", "[N]", "'a'", "N if M else 0", "True", "N @ M", "__import__", "K",
     "9 ** 9 ** 9 ** 9", "1 / 0", "-N", "(-1) ** HALF", "1e999"],
)  # fmt: skip
def test_everything_else_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r".") as caught:
        evaluate(text, CONSTANTS)
    assert "\n" not in str(caught.value)
