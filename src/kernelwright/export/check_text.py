"""The test of an exported operator, as a pytest file that goes with it and needs torch alone."""

from __future__ import annotations

from kernelwright.export.python_text import Parts

_HEAD = '''"""The operator `{op}` against its reference, where its kernel was verified and elsewhere."""

from __future__ import annotations

import warnings

import pytest
import torch

from {package} import OPERATOR, {module}, {op}

SPEC, reference = OPERATOR.spec, OPERATOR.reference
CALL = torch.ops.{namespace}.{op}.default
'''
_BODY = '''

def flat(value):
    return OPERATOR._flat(value)


def given(form, dtype=None):
    """Inputs and a module for a form; skips where the file does not make them."""
    before = {name: getattr(reference, name) for name in form.constants}
    try:
        for name, value in form.constants.items():
            setattr(reference, name, value)
        torch.manual_seed(0)
        inputs = list(reference.get_inputs())
    finally:
        for name, value in before.items():
            setattr(reference, name, value)
    for wanted, value in zip(form.inputs, inputs):
        if isinstance(value, torch.Tensor) and tuple(value.shape) != wanted.shape:
            pytest.skip("the file's inputs do not follow from these constants alone")
    args, kwargs = SPEC.configs[form.config]
    torch.manual_seed(1)
    module = CLASS(*args, **kwargs).eval().to(SPEC.device)
    inputs = [v.to(SPEC.device) if isinstance(v, torch.Tensor) else v for v in inputs]
    if dtype:
        module = module.to(dtype)
        inputs = [cast(v, dtype) for v in inputs]
    return module, inputs


def cast(value, dtype):
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def expected(module, inputs, dtype=torch.float64):
    """The reference's answer in float64, and in its own precision."""
    config = module._config
    names = dict((*module.named_parameters(), *module.named_buffers()))
    state = [names[name] for name in SPEC.state]
    with torch.no_grad():
        own = flat(OPERATOR._reference(inputs, state, config))
        try:
            exact = flat(
                OPERATOR._reference(
                    [cast(v, dtype) for v in inputs], [cast(v, dtype) for v in state], config
                )
            )
        except RuntimeError:  # an operation that float64 does not have
            exact = own
    return own, exact


def check(found, own, exact):
    """Not much farther from the exact answer than the reference itself is."""
    assert len(found) == len(own) == len(exact)
    for a, b, truth in zip(found, own, exact):
        assert a.shape == b.shape and a.dtype == b.dtype
        if not a.is_floating_point():
            assert torch.equal(a, b)
            continue
        finite = truth.isfinite()
        assert torch.equal(a.isfinite(), finite)
        truth = truth[finite].double()
        scale = float(truth.abs().max()) if truth.numel() else 0.0
        error = (b[finite].double() - truth).abs().max() if truth.numel() else torch.zeros(())
        allowed = 8 * float(error) + 16 * torch.finfo(a.dtype).eps * scale + 1e-30
        assert torch.all((a[finite].double() - truth).abs() <= allowed)


forms = pytest.mark.parametrize("form", SPEC.forms, ids=lambda form: str(form.constants or "own"))


def state_of(module):
    names = dict((*module.named_parameters(), *module.named_buffers()))
    return [names[name] for name in SPEC.state]


@forms
def test_it_equals_the_reference(form):
    module, inputs = given(form)
    with torch.no_grad():
        check(flat(module(*inputs)), *expected(module, inputs))


def test_the_kernel_runs_where_it_was_verified():
    module, inputs = given(SPEC.forms[0])
    used = OPERATOR.uses_kernel(inputs, state_of(module), module._config)
    if OPERATOR.unavailable:
        pytest.skip(OPERATOR.unavailable)
    assert used
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("error", message=".*the reference runs instead.*")
        module(*inputs)


def test_elsewhere_the_reference_runs():
    module, inputs = given(SPEC.forms[0], torch.float64)
    assert not any(isinstance(v, torch.Tensor) and v.is_floating_point() for v in inputs) or (
        not OPERATOR.uses_kernel(inputs, state_of(module), module._config)
    )
    own, exact = expected(module, inputs)
    with torch.no_grad():
        check(flat(module(*inputs)), own, exact)


def test_the_same_names_in_state_dict():
    module, _ = given(SPEC.forms[0])
    args, kwargs = SPEC.configs[0]
    assert list(module.state_dict()) == list(reference.Model(*args, **kwargs).state_dict())


def test_it_is_a_sound_operator():
    module, inputs = given(SPEC.forms[-1])
    state = [t.detach() for t in state_of(module)]
    torch.library.opcheck(CALL, (*inputs, *state, module._config))


def test_inside_torch_compile():
    class Small(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, *inputs):
            return [t * 2 if t.is_floating_point() else t for t in flat_outputs(self.inner(*inputs))]

    def flat_outputs(value):
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, dict):
            value = list(value.values())
        return [t for item in value if item is not None for t in flat_outputs(item)]

    module, inputs = given(SPEC.forms[0])
    small = Small(module)
    with torch.no_grad():
        compiled = torch.compile(small, fullgraph=True)(*inputs)
        for a, b in zip(compiled, small(*inputs)):
            torch.testing.assert_close(a, b)
'''
_BACKWARD = '''

def gradients(call, inputs, state):
    leaves = [t for t in (*inputs, *state) if isinstance(t, torch.Tensor) and t.is_floating_point()]
    leaves = [t.requires_grad_() for t in leaves]
    outputs = [t for t in flat(call(*inputs)) if t.requires_grad]
    torch.manual_seed(2)
    grads = [torch.randn_like(t) for t in outputs]
    return list(torch.autograd.grad(outputs, leaves, grads, materialize_grads=True, allow_unused=True))


def copies(inputs):
    return [v.detach().clone() if isinstance(v, torch.Tensor) else v for v in inputs]


@forms
def test_gradients_equal_the_reference_s(form):
    """The kernel's own, where its backward pass was verified; and those of a compiled graph."""
    module, inputs = given(form)
    state = state_of(module)
    found = gradients(module, copies(inputs), state)
    own = gradients(
        lambda *v: OPERATOR._reference(v, state_of(module), module._config), copies(inputs), state
    )
    for a, b in zip(found, own):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()) + 1e-6)
    compiled = gradients(torch.compile(module, fullgraph=True), copies(inputs), state)
    for a, b in zip(compiled, own):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()) + 1e-6)


def test_gradcheck():
    """In float64, by finite differences along one direction."""
    module, inputs = given(SPEC.forms[-1], torch.float64)
    tensors = [v.requires_grad_() for v in inputs if isinstance(v, torch.Tensor) and v.is_floating_point()]

    def call(*_):
        return tuple(t for t in flat(module(*inputs)) if t.is_floating_point())

    assert torch.autograd.gradcheck(call, tensors, fast_mode=True)
'''


def check_file(parts: Parts, package: str) -> str:
    """The test; `package` is what it imports the operator from."""
    namespace = parts.spec.name.partition("::")[0]
    head = _HEAD.format(op=parts.op, module=parts.module, package=package, namespace=namespace)
    body = _BODY.replace("CLASS(", f"{parts.module}(")
    return head + body + (_BACKWARD if parts.spec.backward else "")
