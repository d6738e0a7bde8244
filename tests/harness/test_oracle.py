"""The oracle: secret inputs, float64 answers, and what cannot be demanded."""

import textwrap

import pytest
import torch

from kernelwright.harness.distributions import DISTRIBUTIONS
from kernelwright.harness.oracle import Case, Oracle, tensors
from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task, TaskMeta


def oracle(
    body: str = "return torch.softmax(x, -1)",
    inputs: str = "torch.randn(7, 40)",
    *,
    init: str = "pass",
    arguments: str = "x",
    seed: int | None = 1,
    train: bool = False,
    **meta: object,
) -> Oracle:
    source = f"""
import torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
{textwrap.indent(init, " " * 8)}
    def forward(self, {arguments}):
{textwrap.indent(textwrap.dedent(body), " " * 8)}
def get_inputs():
    return [{inputs}]
"""
    task = Task("own", source, meta=TaskMeta(**meta))  # type: ignore[arg-type]
    return Oracle(Reference(task), seed, train=train)


def answer(case: Case, index: int = 0) -> torch.Tensor:
    return case.expected[index].value


def first(case: Case) -> torch.Tensor:
    value = case.inputs[0]
    assert isinstance(value, torch.Tensor)
    return value


@pytest.fixture(scope="module")
def softmax() -> Oracle:
    return oracle()


def test_all_distributions_give_a_case(softmax: Oracle):
    cases = {case.name: case for case in softmax.cases()}
    assert list(cases) == [d.name for d in DISTRIBUTIONS if d.name not in softmax.skipped]
    assert {"own", "strided", "large", "special values", "zero"} <= set(cases)
    assert cases["misaligned"].skew == 1 and cases["own"].skew == 0
    assert softmax.own is cases["own"]
    assert cases["own"].precision == "fp32"


def test_answers_are_those_of_float64(softmax: Oracle):
    own = softmax.own
    exact = torch.softmax(first(own).double(), -1)
    assert torch.equal(answer(own), exact.float())
    assert own.layout == ((torch.float32, (7, 40)),)


def test_eager_passes_every_case(softmax: Oracle):
    for case in softmax.cases():
        eager = torch.softmax(first(case), -1)
        assert case.expected[0].mismatch(eager) is None, case.name


def test_a_wrong_answer_fails_every_case(softmax: Oracle):
    for case in softmax.cases():
        if case.name in ("zero", "constant rows", "tiny"):  # softmax of equal values: one answer
            continue
        wrong = torch.softmax(first(case) * 1.1, -1)
        assert case.expected[0].mismatch(wrong) is not None, case.name


def test_specials_stay_in_their_row(softmax: Oracle):
    case = softmax.case("special values")
    assert case is not None
    bad = (~first(case).isfinite()).any(-1)
    assert 0 < int(bad.sum()) < 7
    assert bool(answer(case)[~bad].isfinite().all())
    found = torch.softmax(first(case), -1)
    found[bad] = 0.0
    assert case.expected[0].mismatch(found) is not None


def test_seeds_are_secret_or_given():
    one, same, other = oracle(seed=5), oracle(seed=5), oracle(seed=6)
    assert torch.equal(first(one.own), first(same.own))
    assert not torch.equal(first(one.own), first(other.own))
    secret, also = oracle(seed=None), oracle(seed=None)
    assert not torch.equal(first(secret.own), first(also.own))


def test_no_two_draws_are_equal(softmax: Oracle):
    draws = [softmax.fresh_inputs()[0] for _ in range(5)]
    assert all(isinstance(d, torch.Tensor) and d.shape == (7, 40) for d in draws)
    assert len({float(d.sum()) for d in draws if isinstance(d, torch.Tensor)}) == 5


def test_renewed_cases_have_new_inputs():
    fresh = oracle()
    before = first(fresh.own).clone()
    fresh.renew()
    assert not torch.equal(first(fresh.own), before)
    assert fresh.own is fresh.case("own")


def test_a_task_that_seeds_itself_still_gets_fresh_values():
    seeded = oracle(inputs="(torch.manual_seed(0), torch.randn(7, 40))[1], torch.arange(7)",
                    body="return x + 1", arguments="x, i")  # fmt: skip
    a, b = seeded.fresh_inputs(), seeded.fresh_inputs()
    assert isinstance(a[0], torch.Tensor) and isinstance(b[0], torch.Tensor)
    assert not torch.equal(a[0], b[0])
    assert torch.equal(a[0].flatten().sort().values, b[0].flatten().sort().values)
    assert torch.equal(a[1], torch.arange(7)), "integers of such a task stay"  # type: ignore[arg-type]


def test_integer_inputs_stay_integers_in_range():
    found = oracle(
        "return table[i].sum(-1)",
        "torch.randint(0, 50, (6, 3)), torch.randn(50, 40)",
        arguments="i, table",
    )
    assert len(found.cases()) == len(DISTRIBUTIONS) - len(found.skipped)
    for case in found.cases():
        index = first(case)
        assert index.dtype == torch.int64 and int(index.min()) >= 0 and int(index.max()) < 50


def test_integer_outputs_take_either_answer():
    found = oracle("return x.argmax(-1)")
    case = found.own
    assert case.layout == ((torch.int64, (7,)),)
    eager = first(case).argmax(-1)
    assert case.expected[0].mismatch(eager) is None
    assert case.expected[0].mismatch(eager + 1) is not None


def test_casts_to_float32_inside_the_reference_are_lifted():
    lifted = oracle(
        """
        h = x.float() * 3
        h = h.to(torch.float32) + torch.ones(40, dtype=torch.float32) / 3
        return torch.sum(h.type(torch.float32), -1, dtype=torch.float32)
        """
    )
    exact = (first(lifted.own).double() * 3 + torch.ones(40, dtype=torch.float64) / 3).sum(-1)
    assert torch.equal(answer(lifted.own), exact.float())


@pytest.mark.parametrize(
    "body",
    [
        "return torch.softmax(x.float(), -1).to(torch.bfloat16)",
        "return torch.softmax(x, -1, dtype=torch.float32).to(x.dtype)",
        "return torch.softmax(x, -1).type_as(x)",
        "return torch.softmax(x.to(dtype=torch.float32), -1).bfloat16()",
    ],
)
def test_bf16_tasks_have_float64_references(body: str):
    found = oracle(body, "torch.randn(7, 40).bfloat16()")
    own = found.own
    assert own.precision == "bf16" and own.layout[0][0] == torch.bfloat16
    exact = torch.softmax(first(own).double(), -1)
    assert torch.allclose(answer(own).double(), exact, rtol=1e-6, atol=0)
    assert own.expected[0].mismatch(exact.bfloat16()) is None


def test_the_default_dtype_comes_back(softmax: Oracle):
    softmax.case("wide")
    assert torch.get_default_dtype() == torch.float32


def test_lists_dictionaries_and_tuples_become_flat():
    found = oracle("return {'a': x * 2, 'b': [x.sum(-1), (x > 0,)]}")
    assert found.own.layout == (
        (torch.float32, (7, 40)),
        (torch.float32, (7,)),
        (torch.bool, (7, 40)),
    )
    assert torch.equal(answer(found.own, 0), first(found.own) * 2)
    assert torch.equal(answer(found.own, 2), first(found.own) > 0)


def test_state_is_randomised_and_shared_with_the_reference():
    found = oracle(
        "return self.norm(x)", init="self.norm = torch.nn.LayerNorm(40)\nself.norm.eval()"
    )
    weight, bias = found.state["norm.weight"], found.state["norm.bias"]
    assert len(weight.unique()) > 30 and len(bias.unique()) > 30
    x = first(found.own)
    wanted = torch.nn.functional.layer_norm(x, (40,), weight, bias)
    assert found.own.expected[0].mismatch(wanted) is None
    plain = torch.nn.functional.layer_norm(x, (40,))
    assert found.own.expected[0].mismatch(plain) is not None


def test_backward_tasks_check_gradients():
    found = oracle(
        "return torch.tanh(x * self.w)",
        init="self.w = torch.nn.Parameter(torch.ones(40))",
        backward=True,
    )
    own = found.own
    assert own.gradients is not None and own.gradients[0].shape == (7, 40)
    assert [shape for _, shape in own.layout] == [(7, 40), (7, 40), (40,)]
    x, w = first(own).double().requires_grad_(), found.state["w"].double().requires_grad_()
    y = torch.tanh(x * w)
    exact = torch.autograd.grad(y, (x, w), own.gradients[0].double())
    for expected, value in zip(own.expected, (y, *exact), strict=True):
        assert expected.mismatch(value.detach().float()) is None
    assert own.expected[2].mismatch(torch.zeros(40)) is not None
    assert len(tensors(own)) == 2


def test_plain_numbers_pass_through():
    found = oracle("return x * k if flag else x", "torch.randn(7, 40), 2.5, True, 3",
                   arguments="x, k, flag, n")  # fmt: skip
    assert found.own.inputs[1:] == (2.5, True, 3)
    assert torch.equal(answer(found.own), first(found.own) * 2.5)


def test_distributions_that_the_task_cannot_take_are_skipped_with_a_reason():
    found = oracle(
        """
        if bool((x.abs() > 20).any()) or not bool(x.isfinite().all()):
            raise ValueError("out of my range")
        return x + 1
        """
    )
    names = {case.name for case in found.cases()}
    assert {"large", "shifted", "special values"} <= set(found.skipped)
    assert "out of my range" in found.skipped["large"]
    assert found.case("large") is None
    assert "own" in names and not names & set(found.skipped)


def test_overflow_of_the_declared_precision_is_not_demanded():
    found = oracle("return torch.exp(x * 5)")
    assert found.case("large") is None
    assert "range" in found.skipped["large"]


def test_task_faults():
    with pytest.raises(TaskError, match="own inputs"):
        oracle("return torch.exp(x * 500)")
    with pytest.raises(TaskError, match="ValueError: no"):
        oracle("raise ValueError('no')")
    with pytest.raises(TaskError, match="unknown tolerance 'fp7'"):
        oracle(tolerance="fp7")


def test_declared_tolerance_decides_the_class():
    assert oracle(tolerance="tf32").own.precision == "tf32"
    assert oracle(inputs="torch.randn(7, 40).double()").own.precision == "fp64"


@pytest.mark.parametrize("train", [False, True])
def test_random_outputs_have_no_right_answer(train: bool):
    with pytest.raises(TaskError, match="random numbers"):
        oracle("return torch.nn.functional.dropout(x, 0.5, training=True)")
    with pytest.raises(TaskError, match="training mode the outputs depend on random numbers"):
        oracle("return self.drop(x)", init="self.drop = torch.nn.Dropout(0.5)", train=True)
    assert oracle("return self.drop(x)", init="self.drop = torch.nn.Dropout(0.5)").own


def test_random_numbers_that_do_not_matter_are_no_fault():
    assert oracle("return x + 0 * torch.rand(1)").own


NORM = {"body": "return self.norm(x)", "init": "self.norm = torch.nn.BatchNorm1d(40)"}


def test_in_training_mode_buffers_are_outputs():
    found = oracle(**NORM, train=True)
    names = ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
    assert found.buffers == names and found.own.returned == 1
    assert found.own.labels[1:] == tuple(f"buffer {n} after the call" for n in names)
    state, x = found.state, first(found.own).double()
    mean = 0.9 * state["norm.running_mean"].double() + 0.1 * x.mean(0)
    assert found.own.expected[1].mismatch(mean.float()) is None
    assert found.own.expected[1].mismatch(state["norm.running_mean"]) is not None
    again = found.case("misaligned")
    assert again is not None and int(answer(again, 3)) == int(answer(found.own, 3)), (
        "state is reset"
    )
    plain = oracle(**NORM)
    assert plain.buffers == () and len(plain.own.expected) == 1


def test_what_remembers_its_calls_cannot_be_timed_in_training_mode():
    counting = """
        if self.training:
            self.n += 1
        return x * self.n
    """
    with pytest.raises(TaskError, match="how often"):
        oracle(counting, init="self.register_buffer('n', torch.ones(1))", train=True)


def test_another_state_has_other_answers_for_the_own_inputs():
    found = oracle(**NORM)
    changed = found.other_state()
    assert changed is not None
    state, case = changed
    assert case.inputs is found.own.inputs and state.keys() == found.state.keys()
    floating = [k for k, v in state.items() if v.is_floating_point()]
    assert len(floating) == 4 and not any(torch.equal(state[k], found.state[k]) for k in floating)
    assert case.expected[0].mismatch(answer(found.own)) is not None
    again = found.other_state()
    assert again is not None and again[1] is case, "made once"
    found.renew()
    renewed = found.other_state()
    assert renewed is not None and renewed[1] is not case
    assert oracle().other_state() is None


def test_retouched_inputs_differ_in_few_elements():
    found = oracle("return x[i].sum(-1)", "torch.randn(50, 40), torch.randint(50, (30,))",
                   arguments="x, i")  # fmt: skip
    swapped, changed = found.retouched()
    for case, fewest, most in ((swapped, 8, 16), (changed, 1, 1)):
        assert fewest <= int((first(case) != first(found.own)).sum()) <= most
        assert not torch.equal(case.inputs[1], found.own.inputs[1])  # type: ignore[arg-type]
        assert case.expected[0].mismatch(answer(found.own)) is not None
    assert torch.equal(first(swapped).flatten().sort()[0], first(found.own).flatten().sort()[0])
    assert found.retouched()[0] is swapped, "made once"


def test_another_batch_where_the_reference_takes_it():
    case = oracle().other_batch()
    assert case is not None and case.layout == ((torch.float32, (3, 40)),)
    assert case.name == "3 rows instead of 7"
    assert oracle("return x.view(7, 40)").other_batch() is None
    assert oracle("return x + self.w", init="self.w = torch.nn.Parameter(torch.ones(7, 40))"
                  ).other_batch() is None  # fmt: skip


def test_gradients_are_laid_out_in_several_ways():
    found = oracle("return torch.tanh(x)", backward=True)
    layouts = set()
    for name in ("own", "strided", "misaligned"):
        case = found.case(name)
        assert case is not None and case.gradients is not None
        layouts.add(case.gradients[0].stride())
    assert layouts == {(40, 1), (1, 7), (0, 0)}
    assert found.own.labels == ("output 0", "the gradient of input 0")


def test_cases_do_not_print_secrets(softmax: Oracle):
    assert "tensor(" not in repr(softmax.own)


def test_touched_inputs_differ_in_one_element_and_unseen_cases_from_checked_ones(softmax: Oracle):
    x = softmax.fresh_inputs()
    (near,) = softmax.touched(x)
    assert isinstance(near, torch.Tensor) and isinstance(x[0], torch.Tensor)
    assert int((near != x[0]).sum()) == 1
    unseen = softmax.unseen()
    assert [case.name for case in unseen].count("own") == 3
    assert {"wide", "special values", "shifted"} <= {case.name for case in unseen}
    checked = [first(case) for case in softmax.cases()]
    moving = [case for case in unseen if case.name != "zero"]
    assert not any(torch.equal(first(case), seen) for case in moving for seen in checked)


LINEAR = "self.w = torch.nn.Parameter(torch.rand(40, 40))"


def test_a_sparse_step_changes_few_elements_of_the_own_state():
    found = oracle("return x @ self.w", init=LINEAR)
    swapped, changed = found.stepped_state()
    for (state, case), most in ((swapped, 16), (changed, 1)):
        differ = state["w"] != found.state["w"]
        assert 0 < int(differ.sum()) <= most
        assert not torch.equal(answer(case), answer(found.own))
        assert case.inputs is found.own.inputs
    assert found.stepped_state()[0] is swapped, "made once"
    found.renew()
    assert found.stepped_state()[0] is not swapped
    assert oracle().stepped_state() == []


def test_upstream_gradients_are_fresh_and_touched():
    found = oracle("return x @ self.w, (x * 2).sum()", init=LINEAR, backward=True)
    one, other = found.fresh_arguments(), found.fresh_arguments()
    assert len(one) == 3 and found.own.upstream == 2
    shapes = [v.shape for v in found.own.arguments if isinstance(v, torch.Tensor)]
    assert [v.shape for v in one if isinstance(v, torch.Tensor)] == shapes
    for a, b in zip(one, other, strict=True):
        assert isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)
        assert not torch.equal(a, b)
    near = found.touched(one)
    assert isinstance(near[1], torch.Tensor) and isinstance(one[1], torch.Tensor)
    assert int((near[1] != one[1]).sum()) == 1
    upstream = [case for case in found.retouched() if case.name.startswith("gradients")]
    assert len(upstream) == 2
    for case in upstream:
        assert case.inputs is found.own.inputs and case.gradients and found.own.gradients
        assert 0 < int((case.gradients[0] != found.own.gradients[0]).sum()) <= 16
    assert oracle().fresh_arguments()[0] is not None and len(oracle().fresh_arguments()) == 1


def test_where_pytorch_is_less_precise_in_another_layout_the_budget_is_that_layouts():
    """As group_norm of images whose channels come last, which subtracts two large sums."""
    body = "return 2 * (x if x.is_contiguous() else x.bfloat16().float())"
    found = oracle(body, "torch.randn(2, 3, 8, 8)", tolerance="fp32")
    permuted = found.case("permuted")
    assert permuted is not None
    x = permuted.inputs[0]
    assert isinstance(x, torch.Tensor)
    rough = 2 * x.bfloat16().float()
    assert permuted.expected[0].mismatch(rough) is None
    assert found.own.expected[0].mismatch(rough) is not None
