"""One caged process with one model: what it answers, and what becomes of bad ones."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_sources import KERNEL, SECRET, model

from kernelwright.harness import memory, wire
from kernelwright.harness.fault import Fault
from kernelwright.harness.keeper import children
from kernelwright.harness.memory import Unreadable
from kernelwright.harness.process import MAX_BUILDS
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.sandbox import level
from kernelwright.harness.wire import Region
from kernelwright.harness.worker import Ambush, Batch, Worker, same_bytes

StartWorker = Callable[..., Worker]
X = torch.arange(12.0).view(3, 4)


def fault(action: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        action()
    return caught.value


# -- what works -----------------------------------------------------------------------------------


def test_a_kernel_is_built_and_called(start: StartWorker):
    worker = start(KERNEL)
    (out,) = worker.call([X])
    assert torch.equal(out, X * 2 + 1)
    assert worker.close() == 0


def test_inputs_cross_as_they_are(start: StartWorker):
    worker = start(model("return [x, y, torch.tensor([k, f, b]), z + 0]").replace(
        "self, x", "self, x, y, k, f, b, z"))  # fmt: skip
    y = torch.randn(5, 6).t()[1:, ::2]
    z = torch.tensor([1, 2, 3], dtype=torch.int8)
    for skew in (0, 1):
        out = worker.call([X.bfloat16(), y, 3, 0.5, True, z], skew=skew)
        assert torch.equal(out[0], X.bfloat16()) and out[0].dtype == torch.bfloat16
        assert torch.equal(out[1], y) and out[1].stride() == y.stride()
        assert out[2].tolist() == [3.0, 0.5, 1.0]
        assert torch.equal(out[3], z) and out[3].dtype == torch.int8


def test_outputs_in_the_memory_of_inputs_are_told(start: StartWorker):
    for body, told in (("x", True), ("x[1:]", True), ("x + 0", False), ("x[:0]", False)):
        worker = start(model(f"return {body}"))
        worker.call([X])
        assert worker.returns_input is told, body


def test_outputs_larger_than_allowed_are_never_read(
    start: StartWorker, monkeypatch: pytest.MonkeyPatch
):
    worker = start(model("return x.repeat(5, 1)"))
    assert worker.call([X], most_bytes=5 * 48)[0].shape == (15, 4)
    monkeypatch.setattr(memory, "read", lambda pid, region: pytest.fail("it was read"))
    assert fault(lambda: worker.call([X], most_bytes=5 * 48 - 1)).code == "wrong_shape"


def test_inputs_of_timed_calls_appear_when_the_worker_stands(
    start: StartWorker, monkeypatch: pytest.MonkeyPatch
):
    """A thread of the candidate's that looks for them ahead of the clock finds nothing."""
    worker = start(model("return x + 1"))
    worker.call([X])
    fill, stood = worker._tray.fill, []

    def watched(*args: Any) -> None:
        stood.append(memory._stands(worker.pid))
        fill(*args)

    monkeypatch.setattr(worker._tray, "fill", watched)
    batch = worker.batch([[X], [X * 2]])
    assert stood == [True]
    assert torch.equal(batch.outputs[1][0], X * 2 + 1)


@pytest.mark.parametrize("skew", [0, 1])
def test_alignment_is_as_asked(start: StartWorker, skew: int):
    worker = start(model("return torch.tensor([x.data_ptr() % 64])"))
    assert {int(worker.call([X], skew=skew)[0]) for _ in range(4)} == {4 * skew}


def test_addresses_of_inputs_vary(start: StartWorker):
    worker = start(model("return torch.tensor([x.data_ptr()])"))
    assert len({int(worker.call([X])[0]) for _ in range(20)}) > 1


def test_layouts_of_outputs_are_kept(start: StartWorker):
    worker = start(
        model("return x.t().contiguous().t(), x[:, ::2], x.sum(), x[:0], x.expand(2, 3, 4)")
    )
    out = worker.call([X])
    assert [tuple(t.shape) for t in out] == [(3, 4), (3, 2), (), (0, 4), (2, 3, 4)]
    assert out[0].stride() == (1, 3) and torch.equal(out[0], X)
    assert torch.equal(out[1], X[:, ::2]) and float(out[2]) == 66.0
    assert torch.equal(out[4], X.expand(2, 3, 4))


def test_nested_outputs_are_flat_and_in_order(start: StartWorker):
    worker = start(model("return {'b': x + 1, 'a': [x + 2, (x + 3,)]}"))
    assert [float(t[0, 0]) for t in worker.call([X])] == [1.0, 2.0, 3.0]


def test_batches_give_the_outputs_of_each_call(start: StartWorker):
    worker = start(model("return x + 1, (x * 2).sum()"))
    worker.call([X])
    calls = [[X + i] for i in range(5)]
    for _ in range(2):
        batch = worker.batch(calls)
        assert batch.seconds > 0
        for i, (first, second) in enumerate(batch.outputs):
            assert torch.equal(first, X + i + 1) and float(second) == float((X + i).sum() * 2)
    assert worker.batch([]).outputs == []


def test_init_arguments_and_state(start: StartWorker):
    source = """
import torch
class ModelNew(torch.nn.Module):
    def __init__(self, n, *, scale, dtype):
        super().__init__()
        self.linear = torch.nn.Linear(n, 2, dtype=dtype)
        self.scale = scale
        self.register_buffer("shift", torch.zeros(2))
    def forward(self, x):
        return self.linear(x) * self.scale + self.shift
"""
    init = (
        wire.encode_value([4]),
        wire.encode_value({"scale": 3.0, "dtype": torch.float32}),
    )
    state = (
        ("shift", torch.tensor([5.0, 6.0])),
        ("linear.weight", torch.randn(2, 4)),
        ("linear.bias", torch.randn(2)),
    )
    worker = start(source, init=init, state=state)
    wanted = torch.nn.functional.linear(X, state[1][1], state[2][1]) * 3 + state[0][1]
    assert torch.allclose(worker.call([X])[0], wanted)
    renamed = source.replace(".linear", ".dense").replace("shift", "offset")
    by_order = start(renamed, init=init, state=state)
    assert torch.allclose(by_order.call([X])[0], wanted)


def test_state_that_does_not_fit_is_a_fault(start: StartWorker):
    state = (("weight", torch.randn(2, 4)), ("bias", torch.randn(2)))
    source = model("return x", init="self.weight = torch.nn.Parameter(torch.zeros(2, 4))")
    found = fault(lambda: start(source, state=state))
    assert found.code == "exception" and "parameters cannot be transferred" in found.message
    assert "bias" in found.message
    wrong = model("return x", init="self.weight = torch.nn.Parameter(torch.zeros(3, 4))")
    assert "size mismatch" in fault(lambda: start(wrong, state=state[:1])).message


def test_gradients(start: StartWorker):
    source = model("return x * self.w", init="self.w = torch.nn.Parameter(torch.ones(4))")
    state = (("w", torch.tensor([1.0, 2.0, 3.0, 4.0])),)
    worker = start(source, state=state, trained=("w",))
    gradient = torch.ones(3, 4)
    out, by_x, by_w = worker.call([X], [gradient])
    assert torch.equal(out, X * torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert torch.equal(by_x, torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(3, 4))
    assert torch.equal(by_w, X.sum(0))
    ((again, by_x_again, _),) = worker.batch([[X + 1, gradient]], 1).outputs
    assert torch.equal(again, (X + 1) * torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert torch.equal(by_x_again, by_x)
    first, second = worker.batch([[X, gradient], [X, 2 * gradient]], 1).outputs
    assert torch.equal(2 * first[1], second[1]) and torch.equal(first[0], second[0])


def test_buffers_after_timed_calls(start: StartWorker):
    """Whether they are changed in place or replaced."""
    source = model(
        "self.count += 1\nself.total = self.total + x.sum(0)\nreturn x + 1",
        init="self.register_buffer('count', torch.tensor(0))\n"
        "self.register_buffer('total', torch.zeros(4))",
    )
    state = (("count", torch.tensor(3)), ("total", torch.ones(4)))
    worker = start(source, state=state, train=True, buffers=("count", "total"))
    assert worker.call([X])[1].item() == 4
    count, total = worker.batch([[X], [X]]).buffers
    assert count.item() == 6 and torch.equal(total, 1 + 3 * X.sum(0))
    assert worker.batch([[X]]).buffers[0].item() == 7
    worker.load_state(state, lasting=False)
    assert worker.batch([[X]]).buffers[0].item() == 4


def test_earlier_outputs_can_be_held_and_read_again(start: StartWorker):
    worker = start(model("return x + 1"))
    worker.call([X])
    first = worker.latest
    worker.call([2 * X], hold=True)
    assert torch.equal(worker.reread(first)[0], X + 1)
    static = start(model("return torch.add(x, 1, out=self.y)", init="self.y = torch.empty(3, 4)"))
    static.call([X])
    first = static.latest
    static.call([2 * X], hold=True)
    assert torch.equal(static.reread(first)[0], 2 * X + 1)


@pytest.mark.parametrize(("writes", "code"), [("x.add_(1)", "input_modified"), ("x.add_(0)", None)])
def test_inputs_that_may_be_written_show_who_writes(
    start: StartWorker, writes: str, code: str | None
):
    worker = start(model(f"{writes}\nreturn x + 1"), writable=True)
    if code:
        assert fault(lambda: worker.call([X])).code == code
    else:
        worker.call([X])


def test_inputs_cannot_be_written(start: StartWorker):
    for body in ("x.add_(0)", "import ctypes; ctypes.memset(x.data_ptr(), 0, 4)"):
        worker = start(model(f"{body}\nreturn x + 1"))
        assert fault(lambda w=worker: w.call([X])).code == "crash"
    body = """
import ctypes, os
page = x.data_ptr() // 4096 * 4096
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), 4096, 3) == -1
refused = 0
for descriptor in range(64):
    try:
        if "arena" in os.readlink(f"/proc/self/fd/{descriptor}"):
            os.pwrite(descriptor, b"zero", 0)
    except PermissionError:
        refused += 1
    except OSError:
        pass
assert refused
return x + 1"""
    assert torch.equal(start(model(body)).call([X])[0], X + 1)


SLOW = "end = time.perf_counter() + 0.01\nwhile time.perf_counter() < end: pass\n"


def ambushed(worker: Worker) -> Batch:
    worker.call([X])
    worker.pause()
    calls = [[X + i] for i in range(8)]
    spare = [[X + 100 + i] for i in range(8)]
    sampler = Sampler(worker.pid, worker.own_folders)
    return worker.batch(calls, ambush=Ambush([0.035, 0.01], spare, sampler))


def test_an_ambush_reads_answers_amid_the_calls_and_exchanges_inputs(start: StartWorker):
    found = ambushed(start(model(f"{SLOW}return x + 1", before="import time")))
    given = [float(call[0][0, 0]) for call in found.calls]
    assert 1 <= len(found.early) < 8
    kept = len(found.early) + 1
    assert given == [*range(kept), *range(100 + kept, 108)]
    for outputs in (found.early, found.outputs):
        for call, (out,) in zip(found.calls, outputs, strict=False):
            assert torch.equal(out, call[0] + 1)


def test_an_ambush_shows_work_that_was_put_off(start: StartWorker):
    before = "import time\nwaiting = []\nfilled = torch.empty(3, 4)"
    put_off = """
y = torch.zeros(3, 4)
waiting.append((x, y))
if len(waiting) % 9 == 0:
    for x, y in waiting[-8:]:
        y.copy_(x + 1)
if len(waiting) == 1:
    y.copy_(x + 1)
return y"""
    found = ambushed(start(model(f"{SLOW}{put_off}", before=before)))
    assert torch.equal(found.outputs[0][0], found.calls[0][0] + 1)
    assert not torch.equal(found.early[0][0], found.calls[0][0] + 1)


# -- what goes wrong ------------------------------------------------------------------------------

FAULTS = {
    "exception": ("raise ValueError('no such luck')", "exception", "ValueError: no such luck"),
    "line": ("y = x\n1 / 0\nreturn y", "exception", "(line 10)"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "crash", "SIGSEGV"),
    "abort": ("import os; os.write(2, b'last words'); os.abort()", "crash", "last words"),
    "exit": ("import os; os._exit(0)", "exit", "status 0"),
    "hang": ("while True: pass", "timeout", "no answer in time"),
    "sleep": ("import time; time.sleep(100)", "timeout", "no answer in time"),
    "none": ("return None", "exception", "NoneType"),
    "number": ("return 1.0", "exception", "float"),
    "subclass": ("class T(torch.Tensor): pass\nreturn x.as_subclass(T)", "exception", "not T"),
    "sparse": ("return x.to_sparse()", "exception", "exactly torch.Tensor"),
    "meta": ("return x.to('meta')", "exception", "meta"),
    "quantised": ("return torch.quantize_per_tensor(x, 1.0, 0, torch.qint8)", "exception", ""),
    "changed": ("y = x + 1\nx[1, 1] = 7\nreturn y", "crash", "SIGSEGV"),
    "recursion": ("return self.forward(x)", "exception", "RecursionError"),
    "memory": ("return torch.empty(1 << 40)", "exception", "memory"),
    "system exit": ("raise SystemExit(0)", "exception", "SystemExit"),
    "interrupt": ("raise KeyboardInterrupt", "exception", "KeyboardInterrupt"),
    "file": ("open('/etc/passwd')", "exception", "Error: [Errno"),
    "socket": ("import socket; socket.socket()", "exception", "PermissionError"),
    "big file": ("open('f', 'wb').write(bytes(300 << 20))", "exception", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_codes(start: StartWorker, name: str):
    body, code, said = FAULTS[name]
    if name == "file" and not level().landlock_abi:
        pytest.skip("this kernel has no Landlock")
    if name == "big file":
        body, said = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + body, "Err"
    worker = start(model(body), timeout=0.5 if code == "timeout" else 10.0)
    found = fault(lambda: worker.call([X]))
    assert (found.code, said in found.message) == (code, True), found.message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise ValueError('later')", "exception"),
        ("import os; os._exit(3)", "exit"),
        ("import time; time.sleep(60)", "timeout"),
        ("return x[:2] + 1", "layout_changed"),
        ("return (x + 1).double()", "layout_changed"),
        ("return (x + 1).t().contiguous().t()", "layout_changed"),
        ("return x + 1, x", "layout_changed"),
        ("x += 1; return x + 0", "crash"),
    ],
)
def test_faults_of_timed_calls(start: StartWorker, body: str, code: str):
    lazy = f"self.n = getattr(self, 'n', 0) + 1\nif self.n < 2: return x + 1\n{body}"
    worker = start(model(lazy), timeout=0.7)
    worker.call([X])

    def timed() -> None:
        worker.batch([[X]])
        worker.settle()

    found = fault(timed)
    assert found.code == code, found.message


def test_nothing_of_a_worker_runs_between_its_calls_and_its_next_turn(start: StartWorker):
    """A thread of its own, a finaliser, a callback of the garbage collector: none beside the next one."""
    body = """
import threading, time
if not hasattr(self, "beats"):
    self.beats = torch.zeros(1)
    beat = lambda: [self.beats.add_(1) or time.sleep(1e-4) for _ in range(10**6)]
    threading.Thread(target=beat, daemon=True).start()
return self.beats.expand(4) + 0
"""
    worker = start(model(body))
    worker.call([X])
    worker.batch([[X]])
    state = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0]
    assert state == "T"
    worker.settle()
    worker.settle()
    assert len(worker.batch([[X]]).outputs) == 1


def test_inputs_of_calls_to_come_are_exchanged_beside_a_worker_that_runs(start: StartWorker):
    worker = start(model("import time; time.sleep(0.03); return x + 1"))
    worker.call([X])
    spare = [[X + 100 * i] for i in range(1, 7)]
    ambush = Ambush([0.005, 0.03, 0.03], spare, Sampler(worker.pid, ()), silent=True)
    batch = worker.batch([[X]] * 6, ambush=ambush)
    exchanged = [i for i, call in enumerate(batch.calls) if call is spare[i]]
    assert exchanged and 0 not in exchanged and not batch.unsure - set(exchanged)
    for i, (given, outputs) in enumerate(zip(batch.calls, batch.outputs, strict=True)):
        x = given[0]
        assert isinstance(x, torch.Tensor)
        assert i in batch.unsure or torch.equal(outputs[0], x + 1)


def test_an_exception_among_many_timed_calls_is_told_at_once(start: StartWorker):
    body = "self.n = getattr(self, 'n', 0) + 1\nif self.n < 2: return x + 1\nraise ValueError()"
    worker = start(model(body), timeout=0.05)
    worker.call([X], timeout=5.0)
    assert fault(lambda: worker.batch([[X]] * 24)).code == "exception"


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("import torch\nclass Other: pass", "exception", "ModelNew"),
        ("1 / 0\nclass ModelNew: pass", "exception", "ZeroDivisionError"),
        ("import no_such_package", "exception", "no_such_package"),
        ("import kernelwright.harness.oracle", "exception", "Error"),
        ("from kernelwright.inline import cpp\ncpp('nonsense')", "build_failed", "kernel.cpp:1"),
        ("import os; os.kill(os.getpid(), 9)", "crash", "SIGKILL"),
        ("import os; os._exit(0)", "exit", "status 0"),
    ],
)
def test_faults_while_loading(start: StartWorker, source: str, code: str, said: str):
    found = fault(lambda: start(source))
    assert (found.code, said in found.message) == (code, True), found.message


def test_an_answer_after_the_deadline_does_not_count(start: StartWorker):
    worker = start(model("import time; time.sleep(0.6); return x + 1"), timeout=0.2)
    assert fault(lambda: worker.call([X])).code == "timeout"
    assert not worker.alive and worker.close() == 0


def test_outputs_are_read_at_the_moment_of_the_answer(start: StartWorker):
    """A thread that finishes the work after the return is too late."""
    body = """
import threading, time
y = torch.zeros(3, 4)
def late():
    time.sleep(0.15)
    y.copy_(x + 1)
threading.Thread(target=late).start()
return y
"""
    worker = start(model(body))
    assert torch.equal(worker.call([X])[0], torch.zeros(3, 4))


def test_unwritten_outputs_are_poisoned(start: StartWorker):
    body = """
self.n = getattr(self, 'n', 0) + 1
return x + 1 if self.n == 1 else torch.empty_like(x)
"""
    worker = start(model(body))
    (right,) = worker.call([X])
    ((lazy,),) = worker.batch([[X]]).outputs
    assert not torch.equal(lazy, right)


def test_a_paused_worker_stands_still(start: StartWorker):
    body = """
import threading
if not hasattr(self, 'ticks'):
    self.ticks = torch.zeros(1)
    def tick():
        while True: self.ticks += 1
    threading.Thread(target=tick, daemon=True).start()
return self.ticks.clone()
"""
    worker = start(model(body))
    worker.call([X])
    worker.pause()
    threads = list(Path(f"/proc/{worker.pid}/task").iterdir())
    states = {(t / "stat").read_text().rpartition(")")[2].split()[0] for t in threads}
    assert len(threads) > 1 and states <= {"T", "t"}


def test_lockdown(start: StartWorker):
    if not level().seccomp:
        pytest.skip("no system call filter on this architecture")
    body = "import os\nif x[0, 0] > 0: os.fork()\nreturn x + 1"
    worker = start(model(body))
    worker.call([X])
    worker.lockdown()
    worker.call([X])
    found = fault(lambda: worker.call([X + 1]))
    assert found.code == "exception" and "PermissionError" in found.message


FORGED = """
import ctypes, struct, sys
child = sys.modules["kernelwright.harness.child"]
child.lockdown = lambda: None
child.Worker.lockdown = lambda self, message: {}
libc = ctypes.CDLL(None)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000), 8)  # all is allowed
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(code)), 16)
assert libc.prctl(22, 2, filter, 0, 0) == 0
"""


def test_a_forged_lockdown_locks_all_the_same(start: StartWorker):
    if not level().seccomp:
        pytest.skip("no system call filter on this architecture")
    body = """
import os, subprocess
if x[0, 0] == 0: assert subprocess.run(["true"]).returncode == 0
if x[0, 0] == 1: os.fork()
if x[0, 0] == 2: os.execv("/bin/true", ["true"])
return x + 1
"""
    worker = start(model(body, FORGED))
    worker.call([X * 0])
    worker.lockdown()
    for value in (1, 2):
        found = fault(lambda v=value: worker.call([X * 0 + v]))
        assert found.code == "exception" and "PermissionError" in found.message
    worker.call([X * 0 + 3])


def test_a_process_left_running_is_found_and_ended(start: StartWorker):
    if not level().seccomp:
        pytest.skip("no system call filter on this architecture")
    body = """
import os, time
if not hasattr(self, 'child'):
    self.child = os.fork()
    if self.child == 0:
        time.sleep(60)
return torch.tensor([self.child])
"""
    worker = start(model(body))
    worker.call([X])
    (child,) = children(worker.pid)
    assert fault(worker.lockdown).code == "left_process"
    worker.close()
    assert not Path(f"/proc/{child}").exists()


def test_the_environment_inside_holds_no_secret(start: StartWorker):
    body = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
everything = repr(dict(os.environ)).encode() + open('/proc/self/environ', 'rb').read()
everything += libc.getenv(b'OPENAI_API_KEY') or b''
return torch.tensor(list(everything), dtype=torch.uint8)
"""
    worker = start(model(body))
    text = bytes(worker.call([X])[0].tolist())
    assert b"GLIBC_TUNABLES" in text
    assert SECRET.encode() not in text and b"OPENAI_API_KEY" not in text


def test_no_answer_and_no_seed_lies_inside(start: StartWorker):
    """Modules that hold references, tolerances or verdicts are not in the process at all."""
    body = """
import sys
names = sorted(n for n in sys.modules if n.startswith('kernelwright'))
return torch.tensor(list(repr(names).encode()), dtype=torch.uint8)
"""
    text = bytes(start(model(body)).call([X])[0].tolist()).decode()
    for name in ("oracle", "precision", "evaluate", "verdict", "tasks", "distributions"):
        assert name not in text, text


def test_closing_frees_everything(start: StartWorker, descriptors_stay: None):
    worker = start(KERNEL)
    worker.call([X])
    assert worker.close() == 0 and worker.close() == 0
    assert not Path(f"/proc/{worker.pid}").exists() and not worker.folder.exists()


def test_many_builds_are_refused(start: StartWorker):
    body = """
from kernelwright.inline import cpp
while True:
    try:
        cpp('bad')
    except RuntimeError:
        pass
"""
    found = fault(lambda: start(model(body), timeout=30.0).call([X]))
    assert (found.code, found.message) == ("build_failed", f"more than {MAX_BUILDS} builds")


def test_what_it_prints_is_kept_out_of_its_reach(start: StartWorker):
    body = """
import os
print('said aloud', flush=True)
for change in (os.unlink, os.mkfifo):
    try:
        change('../output.log')
    except OSError:
        continue
    raise ValueError('the log can be replaced')
return x + 1
"""
    worker = start(model(body))
    worker.call([X])
    assert "said aloud" in (worker.folder / "output.log").read_text()
    assert not (worker.folder / "tmp" / "output.log").exists()


# -- a worker that has taken the channel over -----------------------------------------------------


def hostile(frame: str) -> str:
    """A candidate that finds the harness's socket and answers a call with `frame` itself."""
    return model(
        f"""
import gc, json, os, socket, struct
body = {frame!r}.replace('"HERE"', str(x.data_ptr())).encode()
for sock in [s for s in gc.get_objects() if type(s) is socket.socket]:
    sock.sendall(struct.pack('<I', len(body)) + body)
import time
time.sleep(60)
""",
        before="import gc; gc.unfreeze()",
    )


OUTPUT = {"address": 64, "dtype": "float32", "shape": [3, 4], "stride": [4, 1]}
HERE = {**OUTPUT, "address": "HERE"}
FRAMES = {
    "no outputs": {"a": 1},
    "null": {"outputs": None},
    "wild address": {"outputs": [OUTPUT]},
    "address of the kernel": {"outputs": [{**OUTPUT, "address": 2**63 + 4096}]},
    "endless address": {"outputs": [{**OUTPUT, "address": 2**100}]},
    "too large": {"outputs": [{**OUTPUT, "shape": [1 << 40, 4]}]},
    "strange error": {"error": "x"},
    "error of numbers": {"error": {"type": 1, "message": [2], "line": "x"}},
    "build of nothing": {"build": None},
    "flags that are a number": {"build": "x", "flags": 5},
    "infinite address": {"outputs": [{**OUTPUT, "address": float("inf")}]},
    "shape beyond int64": {"outputs": [{**HERE, "shape": [1 << 70], "stride": [0]}]},
    "more elements than int64": {"outputs": [{**HERE, "shape": [1 << 62, 4], "stride": [0, 0]}]},
    "surrogate in a build": {"build": "\ud800"},
}


@pytest.mark.parametrize("name", FRAMES)
def test_hostile_answers_are_faults(start: StartWorker, name: str):
    worker = start(hostile(json.dumps(FRAMES[name])), timeout=1.0)
    found = fault(lambda: worker.call([X]))
    assert found.code in {"protocol", "output", "exception", "timeout"}, found.code


def test_noise_on_the_channel_is_a_fault(start: StartWorker):
    source = hostile("{}").replace("struct.pack('<I', len(body)) + body", "bytes(range(256)) * 8")
    assert fault(lambda: start(source, timeout=1.0).call([X])).code in {
        "exit",
        "killed",
        "protocol",
    }


# -- reading from outside -------------------------------------------------------------------------


def test_memory_of_ourselves_can_be_read_and_nothing_wild():
    tensor = torch.arange(10.0)
    region = Region(tensor.data_ptr(), "float32", (10,), (1,))
    assert torch.equal(memory.read(os.getpid(), region), tensor)
    assert memory.read(os.getpid(), Region(0, "float32", (0, 3), (3, 1))).shape == (0, 3)
    for address in (0, 8, 2**47 + 4096):
        with pytest.raises(Unreadable):
            memory.read(os.getpid(), Region(address, "float32", (4,), (1,)))


def test_a_process_that_is_gone_is_unreadable():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(Unreadable):
        memory.freeze(pid)
    with pytest.raises(Unreadable):
        memory.thaw(pid)


def test_same_bytes_are_bits():
    nan = torch.tensor([float("nan"), 1.0])
    assert same_bytes(nan, nan.clone())
    assert not same_bytes(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert same_bytes(torch.empty(0), torch.empty(0))
    assert same_bytes(X.t(), X.t().contiguous())
    assert same_bytes(torch.tensor(True), torch.tensor(True))


@pytest.mark.parametrize(
    "change",
    [
        "child.Worker.batch.__code__ = (lambda self, message, receive=None, send=None: {}).__code__",
        "child.Worker.batch.__defaults__ = (print, print)",
        "child.poison.__code__ = (lambda outputs, copies: None).__code__",
        "child.gc = None",
        "child.flatten = lambda out: [out]",
        "child.calls.Region = type('Region', (child.Region,), {})",
        "child.calls.isinstance = lambda value, kind: True",
        "child.wire.DONE = b''",
    ],
)
def test_functions_of_ours_that_are_exchanged_are_seen(start: StartWorker, change: str):
    honest = start(model("return x + 1"))
    honest.call([X])
    honest.batch([[X]])
    honest._process.check_sealed()
    head = "import sys\nchild = sys.modules['kernelwright.harness.child']"
    worker = start(model(f"{head}\n{change}\nreturn x + 1"))
    worker.call([X])
    worker.pause()
    assert fault(worker._process.check_sealed).code == "protocol"
