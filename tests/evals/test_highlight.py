"""Highlighting changes no character, and knows C++ inside Python."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SOURCE

from kernelwright.evals.details import LineTable
from kernelwright.evals.highlight import Line, lines


def pieces(line: Line) -> list[tuple[str, str]]:
    """As the page takes a line apart, in units of UTF-16."""
    units, at, found = line.text.encode("utf-16-le", "surrogatepass"), 0, []
    for kind, length in re.findall(r"([a-z_])(\d+)", line.runs):
        part = units[at : at + 2 * int(length)]
        found.append((kind, part.decode("utf-16-le", "surrogatepass")))
        at += 2 * int(length)
    assert at <= len(units)
    return found


def test_cpp_within_python_is_read_as_cpp():
    found = {text: kind for line in lines(SOURCE) for kind, text in pieces(line)}
    assert found["import"] == "k"  # Python
    assert found["const"] == "k" and found["float"] == "t"  # C++
    assert any(kind == "p" and "pragma" in text for text, kind in found.items())


def test_quotes_within_embedded_cpp():
    source = (
        'lib = cpp(r"""\n#include <x>\n#pragma GCC diagnostic ignored "-Wpsabi"\nint f();\n""")\n'
    )
    assert "\n".join(line.text for line in lines(source)) + "\n" == source
    assert pieces(lines(source)[3])[0] == ("t", "int")


@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        "",
        "x",
        "x = '''",
        'r"""#include',
        "a\r\nb\rc",
        "x = '\U0001f600\U0001f680\U0001f680' # é",
    ],
)
def test_no_character_changes(source):
    plain = source.replace("\r\n", "\n").replace("\r", "\n")
    assert "\n".join(line.text for line in lines(source)) == plain.removesuffix("\n")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab \n\"'#<>(){}r=1\U0001f600\\", max_size=60))
def test_runs_fit_any_text(source):
    text = f'cpp(r"""#include{source}""")'
    assert "\n".join(line.text for line in lines(text)) == text
    for line in lines(text):
        assert line.text.startswith("".join(piece for _, piece in pieces(line)))


def test_equal_lines_are_kept_once():
    table = LineTable()
    first = table.numbers(lines(SOURCE))
    assert sum(first[1::2]) == len(lines(SOURCE))
    before = len(table.lines)
    assert table.numbers(lines(SOURCE)) == first and len(table.lines) == before
