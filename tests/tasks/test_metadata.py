import dataclasses

import pytest

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.load import load_task
from kernelwright.tasks.task import TaskMeta

HEAD = "N = 4\nM: int = 5\n"
REST = "\nclass Model: ...\ndef get_inputs(): return []\n"


def test_no_metadata_gives_the_defaults(task):
    assert task(HEAD + REST).meta == TaskMeta()


def test_every_field_survives_the_file(task, tmp_path):
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "op.py").write_text("class ModelNew: ...")
    meta = TaskMeta(
        title="An operator",
        category="softmax",
        level=2,
        tolerance="bf16",
        dtypes=("bfloat16",),
        backward=True,
        modes=("train", "eval"),
        shapes=({"N": 64}, {"N": 1, "M": 3}),
        hidden=({"N": 7},),
        full=({"N": 4096},),
        operations="2 * N * M",
        bytes_moved="4 * N",
        start="start/op.py",
        translate_to=("cpp", "cuda"),
        timing="server",
    )
    fields = dataclasses.asdict(meta)
    assert all(value != getattr(TaskMeta(), name) for name, value in fields.items())
    assert task(f"{HEAD}TASK = {fields!r}{REST}").meta == meta
    assert task(f"{HEAD}TASK: dict = {fields!r}{REST}").meta == meta


@pytest.mark.parametrize(
    ("literal", "said"),
    [
        ("{'titel': 'x'}", "TASK has no key 'titel'"),
        ("{**{}}", "TASK has no key None"),
        ("{'title': 3}", "TASK['title'] must be a string"),
        ("{'level': 'two'}", "TASK['level'] must be an integer or None"),
        ("{'level': True}", "TASK['level'] must be an integer or None"),
        ("{'backward': 1}", "TASK['backward'] must be True or False"),
        ("{'dtypes': 'float32'}", "TASK['dtypes'] must be a list of strings"),
        ("{'shapes': [{'N': 2.5}]}", "TASK['shapes'] must be a list of dictionaries"),
        ("{'shapes': {'N': 2}}", "TASK['shapes'] must be a list of dictionaries"),
        ("{'shapes': [{'K': 2}]}", "TASK['shapes'] names K, which the file never assigns"),
        ("{'hidden': [{'K': 2}]}", "TASK['hidden'] names K, which the file never assigns"),
        ("{'operations': 12}", "TASK['operations'] must be a string"),
        ("{'operations': 'N * K'}", "TASK['operations'] names K, which the file never assigns"),
        ("{'bytes_moved': 'open(N)'}", "TASK['bytes_moved']: 'open(N)' may hold only"),
        ("{'start': 3}", "TASK['start'] must be the name of a .py file beside the task"),
        (
            "{'translate_to': 'rust'}",
            "TASK['translate_to'] must be one or more of cpp, cuda, triton",
        ),
        ("{'title': str(3)}", "TASK['title'] must be a literal"),
        ("dict(title='x')", "TASK must be a literal dictionary"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(write, literal, said):
    path = write(f"{HEAD}TASK = {literal}{REST}")
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert str(caught.value).startswith(f"{path}:3: {said}")
    assert "\n" not in str(caught.value)


def test_the_line_is_that_of_the_key(write):
    path = write(f"{HEAD}TASK = {{\n    'title': 'x',\n    'level': 'y',\n}}{REST}")
    with pytest.raises(TaskError, match=f"{path}:5: "):
        load_task(path)
