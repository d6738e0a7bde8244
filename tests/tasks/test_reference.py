import random
import sys

import numpy as np
import pytest
import torch
from torch import nn

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

HEAD = """
import torch
from torch import nn
"""
ADD = """
class Model(nn.Module):
    def forward(self, *xs):
        return sum(xs)
"""

# As KernelBench writes them: no metadata, arguments by position, a __main__ block.
KERNELBENCH = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    '''Simple model'''
    def __init__(self, in_features, out_features, scaling_factor):
        super(Model, self).__init__()
        self.matmul = nn.Linear(in_features, out_features)
        self.scaling_factor = scaling_factor

    def forward(self, x):
        x = self.matmul(x)
        return F.relu(x) * self.scaling_factor

batch_size = 16
in_features = 32
out_features = 8
scaling_factor = 0.5

def get_inputs():
    return [torch.rand(batch_size, in_features)]

def get_init_inputs():
    return [in_features, out_features, scaling_factor]

if __name__ == "__main__":
    raise SystemExit("ran as a program")
"""


def fault(call, *args) -> str:
    with pytest.raises(TaskError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_kernelbench_file_works_unchanged(task):
    reference = Reference(task(KERNELBENCH))
    model, inputs = reference.build(0), reference.inputs(0)
    assert reference.init_args() == ([32, 8, 0.5], {})
    (output,) = reference.run(model, inputs)
    expected = torch.relu(model.matmul(inputs[0])) * 0.5
    torch.testing.assert_close(output, expected)
    assert not model.training
    assert not output.requires_grad


def test_a_task_without_a_file_works_and_is_named():
    source = KERNELBENCH.replace("F.relu(x)", "F.relu(y)")
    reference = Reference(Task("mine", source))
    message = fault(reference.run, reference.build(0), reference.inputs(0))
    line = source[: source.index("F.relu(y)")].count("\n") + 1
    assert message == f"<mine>:{line}: Model.forward raises NameError: name 'y' is not defined"


def test_seeds_decide_parameters_and_inputs(task):
    reference = Reference(task(KERNELBENCH))
    assert torch.equal(reference.inputs(3)[0], reference.inputs(3)[0])
    assert not torch.equal(reference.inputs(3)[0], reference.inputs(4)[0])
    one, same, other = (reference.build(seed).matmul.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_numpy_and_random_are_seeded_too(task):
    source = """
    import random
    import numpy as np
    def get_inputs():
        return [torch.tensor([random.random(), np.random.rand()])]
    """
    reference = Reference(task(HEAD + ADD + __import__("textwrap").dedent(source)))
    assert torch.equal(reference.inputs(5)[0], reference.inputs(5)[0])
    assert bool((reference.inputs(5)[0] != reference.inputs(6)[0]).all())


def test_the_random_state_of_the_process_is_left_alone(task):
    def draw():
        return torch.rand(1).item(), float(np.random.rand()), random.random()

    def seed():
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)

    seed()
    expected = draw()
    seed()
    reference = Reference(task(KERNELBENCH))
    reference.run(reference.build(2), reference.inputs(3))
    assert draw() == expected


def test_random_operations_in_forward_repeat(task):
    source = HEAD + "class Model(nn.Module):\n def forward(self, x): return x + torch.rand(3)\n"
    reference = Reference(task(source + "def get_inputs(): return [torch.ones(3)]"))
    model, inputs = reference.build(0), reference.inputs(0)
    assert torch.equal(reference.run(model, inputs)[0], reference.run(model, inputs)[0])


def test_numbers_and_integers_stay_what_they_are(task):
    source = "def get_inputs(): return [torch.arange(3), 2, 0.5, True, torch.ones(2) > 0]"
    inputs = Reference(task(HEAD + ADD + source)).inputs(0)
    assert [type(x) for x in inputs] == [torch.Tensor, int, float, bool, torch.Tensor]
    assert (inputs[0].dtype, inputs[4].dtype) == (torch.int64, torch.bool)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("[torch.ones(1), 'text']", "input 1 of get_inputs is a str"),
        ("[None]", "input 0 of get_inputs is None"),
        ("[torch.ones(1).numpy()]", "input 0 of get_inputs is a ndarray"),
        ("[[torch.ones(1)]]", "input 0 of get_inputs is a list"),
        ("torch.ones(1)", "get_inputs must return a list of tensors, not a Tensor"),
        ("None", "get_inputs must return a list of tensors, not None"),
        ("[]", "get_inputs returns no tensor"),
        ("[1, 2.0]", "get_inputs returns no tensor"),
        ("[torch.eye(2).to_sparse()]", "is no plain dense tensor"),
        ("[torch.ones(1, device='meta')]", "is no plain dense tensor"),
    ],
)
def test_inputs_that_are_none(task, returned, said):
    op = task(f"{HEAD}{ADD}\ndef get_inputs():\n    return {returned}\n")
    line = op.source[: op.source.index("def get_inputs")].count("\n") + 1
    message = fault(Reference(op).inputs, 0)
    assert said in message
    assert message.startswith(f"{op.path}:{line}: ")


@pytest.mark.parametrize(
    ("returned", "args", "kwargs"),
    [
        ("[4, 2]", [4, 2], {}),
        ("(4, 2)", [4, 2], {}),
        ("{'inputs': 4, 'outputs': 2}", [], {"inputs": 4, "outputs": 2}),
        ("[[4], {'outputs': 2}]", [4], {"outputs": 2}),
    ],
)
def test_init_inputs_by_position_and_by_name(task, returned, args, kwargs):
    source = f"""{HEAD}
class Model(nn.Module):
    def __init__(self, inputs, *, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
    def forward(self, x): return self.linear(x)
def get_inputs(): return [torch.ones(4)]
def get_init_inputs(): return {returned}
"""
    if not kwargs:
        source = source.replace("*, ", "")
    reference = Reference(task(source))
    assert reference.init_args() == (args, kwargs)
    assert reference.build(0).linear.weight.shape == (2, 4)


def test_a_model_that_takes_a_list_and_a_dictionary_gets_them(task):
    source = f"""{HEAD}
class Model(nn.Module):
    def __init__(self, sizes, options):
        super().__init__()
        assert isinstance(sizes, list) and isinstance(options, dict)
    def forward(self, x): return x
def get_inputs(): return [torch.ones(4)]
def get_init_inputs(): return [[1, 2], {{'bias': True}}]
"""
    reference = Reference(task(source))
    assert reference.init_args() == ([[1, 2], {"bias": True}], {})
    assert isinstance(reference.build(0), nn.Module)


def test_init_inputs_of_another_kind(task):
    source = "def get_inputs(): return [torch.ones(1)]\ndef get_init_inputs(): return 3\n"
    reference = Reference(task(HEAD + ADD + source))
    assert "get_init_inputs must return a list, not a int" in fault(reference.build, 0)


VARIANTS = """
import torch
from torch import nn
N: int = 4
M = 2 * N
A, B = 3, N
if M > 0:
    K = 5
TASK = {"shapes": [{"N": 6}], "operations": "N * M * K", "bytes_moved": "B"}
class Model(nn.Module):
    N = 1
    def forward(self, x): return x * self.N
def get_inputs(size=M):
    return [torch.ones(size, B, A, K)]
"""


def test_variants_reach_all_that_is_computed_from_a_constant(task):
    op = task(VARIANTS)
    plain = Reference(op)
    assert plain.inputs(0)[0].shape == (8, 4, 3, 5)
    assert plain.operations(plain.inputs(0)) == 160
    variant = Reference(op, op.meta.shapes[0])
    inputs, model = variant.inputs(0), variant.build(0)
    assert inputs[0].shape == (12, 6, 3, 5)
    assert variant.constants == {"N": 6, "M": 12, "A": 3, "B": 6, "K": 5}
    assert variant.operations(inputs) == 6 * 12 * 5
    outputs = variant.run(model, inputs)
    assert variant.bytes_moved(inputs, outputs, model) == 6
    assert float(outputs[0].max()) == 1.0, "a name inside the class is not the constant"
    assert Reference(op, {"A": 1, "K": 2}).inputs(0)[0].shape == (8, 4, 1, 2)


def test_a_variant_of_no_constant(task):
    assert "assigns no constant Q" in fault(Reference, task(VARIANTS), {"Q": 3})


def test_an_expression_without_a_value_is_a_fault_of_the_task(task):
    reference = Reference(task(VARIANTS.replace("M = 2 * N", "M = '8'").replace("=M", "=1")
                               .replace("if M > 0", "if M")))  # fmt: skip
    assert "names M, which is not a number" in fault(reference.operations, ())


def test_nested_outputs_become_one_tuple(task):
    source = """
class Model(nn.Module):
    def forward(self, x):
        return {"a": x, "b": (x + 1, [x + 2, None])}, x + 3
def get_inputs(): return [torch.zeros(1)]
"""
    reference = Reference(task(HEAD + source))
    outputs = reference.run(reference.build(0), reference.inputs(0))
    assert [float(t) for t in outputs] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("returned", "said"),
    [("3.0", "forward returns a float"), ("()", "no tensor"), ("None", "no tensor")],
)
def test_outputs_that_are_no_tensors(task, returned, said):
    source = f"class Model(nn.Module):\n def forward(self, x): return {returned}\n"
    reference = Reference(task(HEAD + source + "def get_inputs(): return [torch.ones(1)]"))
    assert said in fault(reference.run, reference.build(0), reference.inputs(0))


def test_inputs_of_the_caller_are_not_changed(task):
    source = "class Model(nn.Module):\n def forward(self, x): return x.mul_(2)\n"
    reference = Reference(task(HEAD + source + "def get_inputs(): return [torch.ones(3)]"))
    model, inputs = reference.build(0), reference.inputs(0)
    assert reference.run(model, inputs)[0].tolist() == [2, 2, 2]
    reference.operations(inputs)
    assert inputs[0].tolist() == [1, 1, 1]


def test_what_the_file_prints_goes_to_stderr(task, capsys):
    prints = "print('top')\n" + ADD.replace("return", "print('forward')\n        return")
    source = prints + "def get_inputs():\n print('inputs')\n return [torch.ones(1)]"
    reference = Reference(task(HEAD + source))
    reference.run(reference.build(0), reference.inputs(0))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["top", "inputs", "forward"]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("1 / 0\n", 6, "the file raises ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", 7, "the file raises SystemExit: 3"),
        ("import no_such_module\n", 6, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise ValueError('two\\nlines')\n", 6, "ValueError: two"),
        ("del get_inputs\n", None, "get_inputs is not defined after the file has run"),
    ],
)
def test_a_file_that_raises(task, source, line, said):
    base = "import torch\nclass Model(torch.nn.Module):\n pass\ndef get_inputs():\n pass\n"
    op = task(base + source)
    message = fault(Reference, op)
    assert said in message
    assert message.startswith(f"{op.path}:{line or 4}: ")


def test_the_line_is_the_innermost_of_the_users_file(task):
    source = f"""{HEAD}
class Model(nn.Module):
    def forward(self, x):
        return self.step(x)
    def step(self, x):
        return x @ x
def get_inputs():
    return [torch.ones(2, 3)]
"""
    op = task(source)
    reference = Reference(op)
    message = fault(reference.run, reference.build(0), reference.inputs(0))
    line = source[: source.index("return x @ x")].count("\n") + 1
    assert message.startswith(f"{op.path}:{line}: Model.forward raises RuntimeError: mat1 and mat2")


def test_models_that_cannot_be_built(task):
    rest = "\ndef get_inputs(): return [torch.ones(2)]\n"
    message = fault(Reference(task(f"{HEAD}class Model: pass{rest}")).build, 0)
    assert "Model is no torch.nn.Module but a Model" in message
    lazy = "class Model(nn.Module):\n def __init__(self):\n  super().__init__()\n"
    lazy += "  self.l = nn.LazyLinear(3)\n"
    assert "parameter l.weight is lazy" in fault(Reference(task(HEAD + lazy + rest)).build, 0)
    needs = "class Model(nn.Module):\n def __init__(self, size): super().__init__()\n"
    message = fault(Reference(task(HEAD + needs + rest)).build, 0)
    assert "Model raises TypeError" in message
    assert "'size'" in message


def test_dataclasses_and_annotations_work_in_a_task(task):
    source = """from __future__ import annotations
import dataclasses
import torch
@dataclasses.dataclass
class Options:
    size: int = 3
class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor): return x
def get_inputs(): return [torch.ones(Options().size)]
"""
    reference = Reference(task(source), {})
    assert reference.inputs(0)[0].shape == (3,)


def test_annotations_are_evaluated_unless_the_file_says_otherwise(task):
    source = HEAD + ADD + "def get_inputs(n: int = 3): return [torch.ones(n)]\n"
    reference = Reference(task(source + "assert get_inputs.__annotations__['n'] is int\n"))
    assert reference.inputs(0)[0].shape == (3,)


def test_state_is_a_copy_that_loads_into_another_model(task):
    reference = Reference(task(KERNELBENCH))
    one, two = reference.build(1), reference.build(2)
    state = reference.state(one)
    two.load_state_dict(state)
    with torch.no_grad():
        one.matmul.weight.zero_()
    assert sorted(state) == ["matmul.bias", "matmul.weight"]
    assert bool(state["matmul.weight"].any())
    assert torch.equal(two.matmul.weight, state["matmul.weight"])


BACKWARD = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.unused = nn.Parameter(torch.randn(2))
    def forward(self, x, index, y):
        return x * self.weight, index + 1, x.sum()
def get_inputs():
    return [torch.randn(4, 3), torch.arange(3), torch.randn(2)]
"""


def test_backward_gives_gradients_of_inputs_and_parameters(task):
    reference = Reference(task(HEAD + "TASK = {'backward': True}\n" + BACKWARD))
    model, inputs = reference.build(0), reference.inputs(0)
    x = inputs[0]
    grads = (torch.randn(4, 3), torch.randn(()))
    found = reference.run(model, inputs, grads)
    assert len(found) == 3 + 2 + 2
    expected = (
        x * model.weight, inputs[1] + 1, x.sum(), grads[0] * model.weight + grads[1],
        torch.zeros(2), (grads[0] * x).sum(0), torch.zeros(2),
    )  # fmt: skip
    for have, want in zip(found, expected, strict=True):
        torch.testing.assert_close(have, want.detach())
        assert not have.requires_grad
    assert all(t.grad is None for t in model.parameters())
    assert len(reference.run(model, inputs)) == 3


def test_backward_of_what_has_none(task):
    source = "class Model(nn.Module):\n def forward(self, x): return x.round().int().float()\n"
    reference = Reference(task(HEAD + source + "def get_inputs(): return [torch.ones(3)]"))
    model, inputs = reference.build(0), reference.inputs(0)
    assert "has no backward" in fault(reference.run, model, inputs, [torch.ones(3)])
    with pytest.raises(ValueError, match="2 gradients given for 1"):
        reference.run(model, inputs, [torch.ones(3)] * 2)


def test_the_module_is_known_by_name_so_that_its_classes_can_be_found(task):
    reference = Reference(task(KERNELBENCH))
    model = reference.build(0)
    assert sys.modules[type(model).__module__].Model is type(model)
    assert type(model).__module__ != "__main__"
