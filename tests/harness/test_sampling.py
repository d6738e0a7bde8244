"""Where a worker's time goes, seen from outside."""

from collections.abc import Callable

import pytest
import torch
from harness_sources import model

from kernelwright.harness.sampling import Sampler, can_sample
from kernelwright.harness.worker import Ambush, Worker

StartWorker = Callable[..., Worker]
X = torch.randn(128, 128)
OWN = '''
lib = cpp(r"""
extern "C" void scale(const float* x, float* y, long n) {
  for (long i = 0; i < n; i++) {
    volatile float v = x[i];
    for (int k = 0; k < 50; k++) v = v * 1.0001f;
    y[i] = v;
  }
}
""")
'''


def look(worker: Worker) -> str | None:
    worker.call([X])
    worker.pause()
    sampler = Sampler(worker.pid, worker.own_folders)
    for _ in range(40):
        calls = [[X + i] for i in range(4)]
        worker.batch(calls, ambush=Ambush([0.0001] * 20, calls, sampler))
    return sampler.profile().track(1e-3)


def test_a_kernel_of_its_own_is_custom(start: StartWorker):
    source = model("y = torch.empty_like(x)\nlib.scale(x, y, x.numel())\nreturn y")
    head, _, tail = source.partition("class ModelNew")
    worker = start(f"{head}\nfrom kernelwright.inline import cpp\n{OWN}\nclass ModelNew{tail}")
    assert look(worker) == "custom"


@pytest.mark.parametrize(
    "body", ["return x @ x @ x @ x", "return torch.tanh(x).exp().sin().erfinv().lgamma()"]
)
def test_torch_is_a_library(start: StartWorker, body: str):
    assert look(start(model(body))) == "library"


def test_numpy_is_a_library(start: StartWorker):
    assert (
        look(start(model("a = x.numpy()\nreturn torch.from_numpy(a @ a @ a @ a @ a)"))) == "library"
    )


def test_threads_are_seen(start: StartWorker):
    body = """import concurrent.futures
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    return pool.submit(lambda: x @ x @ x @ x @ x @ x @ x @ x).result()"""
    assert look(start(model(body))) == "library"


def test_plain_python_is_its_own(start: StartWorker):
    assert (
        look(start(model("s = sum(i * i for i in range(20000))\nreturn x[:1, :4] + s"))) == "custom"
    )


def test_this_kernel_can_be_asked(start: StartWorker):
    assert can_sample(start(model("return x")).pid) is None
