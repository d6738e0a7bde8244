"""Files and JSON in answers of every shape; nothing crashes on any text."""

import html
import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernelwright.agents import answers
from kernelwright.harness.candidate import Candidate

FILE = 'import torch\n\n\nclass ModelNew(torch.nn.Module):\n    """A kernel."""\n'
OTHER = FILE.replace("kernel", "second kernel")
WITH_FENCES = 'TEXT = """\n```python\nx = 1\n```\nmore\n"""\n\n\nclass ModelNew: ...\n'
BARE_FENCES = 'TEXT = """\n```\nx = 1\n```\n"""\n\n\nclass ModelNew: ...\n'


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{FILE}```",
        f"```py\n{FILE}\n```\n",
        f"```\n{FILE}```",
        f"~~~python\n{FILE}~~~",
        f"````python\n{FILE}````",
        f"Some words.\n\n```python title=kernel.py\n{FILE}```\nThat is it.",
        f"```Python\r\n{FILE}```".replace("\n", "\r\n").replace("\r\r", "\r"),
        "1. Here:\n   ```python\n" + "".join(f"   {x}\n" for x in FILE.splitlines()) + "   ```\n",
        "> ```python\n" + "".join(f"> {x}\n" for x in FILE.splitlines()) + "> ```\n",
        f"```python\n{FILE}",
        f"```cpp\nint main() {{}}\n```\n```python\n{FILE}```",
        f"```python\n{FILE}```\n```bash\npython kernel.py\n```",
        f"```python\n{OTHER}```\nBetter:\n```python\n{FILE}```",
        f"```markdown\n# File\n```python\n{FILE}```\n```",
        f"```python\nclass ModelNew: (\n```\nMended:\n```python\n{FILE}```",
        f"```python\nclass Model: ...\n```python\n{FILE}```",
        f"```diff\n- a\n```\n\n{'`' * 4}python\n{FILE}{'`' * 4}",
        FILE,
        f"\ufeff```python\n\ufeff{FILE}```",
        FILE.replace("\n", "\r\n"),
        f"``` python\n{FILE}```",
        f"```{{.python}}\n{FILE}```",
        f"\t```python\n{FILE}```",
        f"**kernel.py**\n```python\n{FILE}```\n**notes.md**\n```\nfast\n```",
        f"```python\n{FILE}~~~\n```",
        f"~~~\n```python\n{FILE}```\n~~~",
        json.dumps({"code": FILE}),
        json.dumps({"files": [{"path": "k.py", "content": FILE}], "notes": "x"}),
        f"```json\n{json.dumps({'kernel': f'```python{chr(10)}{FILE}```'})}\n```",
        f"Sure: {json.dumps({'a': {'b': [FILE]}})} and so on",
        f"```python\n{FILE}```".replace("\n", "\\n").replace('"', '\\"'),
    ],
)
def test_shapes_of_fences(answer):
    assert [f.strip() for f in answers.files(answer)] == [FILE.strip()]


@pytest.mark.parametrize("file", [WITH_FENCES, BARE_FENCES])
def test_a_file_that_holds_fences(file):
    assert answers.files(f"Here:\n```python\n{file}```\nDone.") == [file]


HTML = (
    'import torch\n\nS = "for (i = 0; i < n; i++) y[i] = x[i] > 0 && a;"\n\n\nclass ModelNew: ...\n'
)


def test_a_file_that_was_escaped_for_html():
    assert answers.files(f"```python\n{html.escape(HTML)}```") == [HTML]
    assert answers.files(html.escape(f"```python\n{HTML}```")) == [HTML]
    assert answers.files(html.escape(HTML)) == [HTML]
    kept = HTML.replace("a;", "&lt;")
    assert answers.files(f"```python\n{kept}```") == [kept], "it holds a < of its own"


BASE = (
    FILE
    + "\n    def forward(self, x):\n        return x * 2\n\n    def more(self):\n        return 3\n"
)
CHANGED = BASE.replace("x * 2", "x + x").replace("return 3", "return 4")


@pytest.mark.parametrize(
    "answer",
    [
        "```diff\n--- a/k.py\n+++ b/k.py\n@@ -6,4 +6,4 @@ class\n"
        "     def forward(self, x):\n-        return x * 2\n+        return x + x\n \n"
        "@@ -99 +1 @@\n-        return 3\n+        return 4\n```",
        "@@\n-        return x * 2\n+        return x + x\n@@\n-        return 3\n+        return 4\n",
        "<<<<<<< SEARCH\n        return x * 2\n=======\n        return x + x\n>>>>>>> REPLACE\n"
        "and\n```\n<<<<<<< SEARCH\n        return 3\n=======\n        return 4\n>>>>>>> REPLACE\n```",
    ],
)
def test_changes_to_a_file(answer):
    assert answers.files(answer, base=BASE) == [CHANGED]
    assert answers.files(answer) == []


@pytest.mark.parametrize(
    "answer",
    ["@@\n-        return 5\n+        return 6\n", "@@\n \n+x = 1\n", "@@\n-    \n+x\n",
     "@@\n-        return x * 2\n+        return (\n",
     "<<<<<<< SEARCH\nno such line\n=======\nx\n>>>>>>> REPLACE\n", "@@", "@@\n" * 500],
)  # fmt: skip
def test_changes_that_do_not_fit(answer):
    assert answers.files(answer, base=BASE) == []


def test_a_change_that_could_be_meant_in_two_places_is_none():
    twice = BASE + "\n    def again(self):\n        return 3\n"
    assert answers.files("@@\n-        return 3\n+        return 4\n", base=twice) == []


def test_several_candidates():
    answer = f"```python\n{FILE}```\n```python\n{OTHER}```\n```python\n{FILE}```"
    assert answers.files(answer, 1) == [FILE]
    assert answers.files(answer, 5) == [OTHER, FILE]


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot help with that.", "```python\nclass Model: ...\n```", "```python\n", "```",
     "class ModelNew is what you should write", "```text\nModelNew\n```", "x = 'class ModelNew'"],
)  # fmt: skip
def test_no_file(answer):
    assert answers.files(answer) == []


def test_a_file_with_a_syntax_error_is_given_only_when_there_is_no_other():
    broken = "class ModelNew:\n    def forward(self:\n"
    assert answers.files(f"```python\n{broken}```") == [broken]
    assert answers.files(f"```python\n{FILE}```\n```python\n{broken}```") == [FILE]


def test_half_a_file_is_not_given_where_only_whole_ones_count():
    half = "```python\nclass ModelNew:\n    def forward(self:\n"
    assert answers.files(half, whole_only=True) == []
    assert answers.files(f"```python\n{FILE}```\n{half}", whole_only=True) == [FILE]


def test_notes():
    assert answers.note(f"NOTE: vectorised the loop\n```python\n{FILE}```") == "vectorised the loop"
    assert answers.note("**NOTE:** two passes **fused**\n") == "two passes **fused"
    assert answers.note(f"```python\nx = 'NO'\n```\n# Title\nI tiled it.\n{FILE}") == "I tiled it."
    assert answers.note("") == ""
    assert len(answers.note("NOTE: " + "word " * 1000)) <= answers.NOTE_LENGTH


PIECES = st.sampled_from(
    ["```", "````", "~~~", "```python\n", "```py", "\n", "\r\n", "   ", "> ", FILE, WITH_FENCES,
     "class ModelNew:\n", "    def forward(self, x):\n", '"""', "'''", "\0", "\ud800", "(" * 300,
     "@@\n", "-    x = 1\n", "+    x = 2\n", "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n",
     "\\n", "&lt;", "\ufeff", '{"code": "', "{", '{"cause": ', "}",
     "NOTE:", "NOTE: x\n", "ModelNew = ", "\x0c", "\u2028", "- " * 99]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=30).map("".join))
@example("```python\n" * 100)
@example("(" * 5000 + "ModelNew")
@example("-" * 100_000 + "ModelNew")
def test_nothing_crashes(answer):
    for source in answers.files(answer, 3, base=BASE):
        candidate = Candidate(source)
        assert "ModelNew" in source
        assert len(candidate.id) == len(candidate.normalised) == 16
        assert isinstance(candidate.space, dict)
    assert isinstance(answers.note(answer), str)
    assert all(isinstance(data, dict) for data in answers.objects(answer))


@settings(max_examples=100, deadline=None)
@given(
    before=st.text(alphabet=st.characters(exclude_characters="`~\0", codec="utf-8"), max_size=60),
    after=st.text(alphabet=st.characters(exclude_characters="`~\0", codec="utf-8"), max_size=60),
    mark=st.sampled_from(["```", "`````", "~~~"]),
    info=st.sampled_from(["", "python", "py", "python3 kernel.py"]),
)
def test_a_good_file_is_found_in_any_prose(before, after, mark, info):
    assert answers.files(f"{before}\n{mark}{info}\n{FILE}{mark}\n{after}") == [FILE]


def test_a_megabyte_takes_no_time():
    began = time.process_time()
    for answer in ("{" * 1_000_000, "`" * 1_000_000, "```\n" * 100_000, "a\n" * 20_000 + "ModelNew",
                   "NOTE" * 250_000, "@@\n-x\n" * 150_000, "<<<<<<< SEARCH\n" * 60_000,
                   "\\nModelNew" * 100_000, '{"ModelNew": "ModelNew"}' * 40_000,
                   "&lt;ModelNew" * 80_000, '{"a":' * 200_000, "\n" * 300_000):  # fmt: skip
        answers.files(answer, base=BASE)
        answers.note(answer)
        list(answers.objects(answer))
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    "wrap",
    ["{}", "```json\n{}\n```", "Sure! {} Good luck.", "<think>{{no}}</think>{}", "x {{ y\n{}",
     "```\n{}", "{}\n{}"],
)  # fmt: skip
def test_json_objects(wrap):
    data = {"cause": "a {brace}", "change": "b", "predicted_gain": None}
    assert next(answers.objects(wrap.format(json.dumps(data), json.dumps(data)))) == data
