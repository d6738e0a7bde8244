"""Where a worker's time goes, seen from outside."""

import random
from collections.abc import Callable

import pytest
import torch
from harness_sources import model

from kernelwright.harness.contest import aside
from kernelwright.harness.provenance import LEAST_TELLING, Kind
from kernelwright.harness.sampling import Sampler, _with_the_waiting, can_sample, mappings
from kernelwright.harness.sightings import Book, Sightings
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
    with aside():  # on the worker's core we would wake up when the leg is over
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
        look(start(model("s = sum(i * i for i in range(300000))\nreturn x[:1, :4] + s")))
        == "custom"
    )


def test_this_kernel_can_be_asked(start: StartWorker):
    assert can_sample(start(model("return x")).pid) is None


def test_pieces_of_one_copied_library_count_together():
    piece, own = 3 << 20, ("/scratch",)
    rows = [(i * piece, (i + 1) * piece, "/scratch/copy.so") for i in range(3)]
    assert {m.kind for m in mappings(rows[:1], own)} == {"own"}
    assert {m.kind for m in mappings(rows, own)} == {"library"}
    generated = [(start, end, "") for start, end, _ in rows]
    assert {m.kind for m in mappings(generated[:1], own)} == {"generated"}
    assert {m.kind for m in mappings(generated, own)} == {"library"}


def test_room_for_code_is_none():
    reserved = [(0, 16 << 20, "")]
    assert {m.kind for m in mappings(reserved, (), (), lambda _: 4096)} == {"generated"}
    assert {m.kind for m in mappings(reserved, (), (), lambda _: 5 << 20)} == {"library"}
    assert {m.kind for m in mappings([(0, 4096, "")], (), (), lambda _: 5 << 20)} == {"generated"}


def seen(*looks: dict[Kind, float]) -> Book:
    """A book of looks."""
    book = Book(looks=len(looks))
    for look in looks:
        book.book_work(look)
    return book


EARNED: dict[Kind, float] = {"own": 1e-3}
BORROWED: dict[Kind, float] = {"library": 1e-3}


@pytest.mark.parametrize(
    ("first", "later", "track"),
    [
        ([BORROWED] * 8, [EARNED] * 20, "library"),
        ([BORROWED] * 5 + [EARNED] * 3, [EARNED] * 20, "mixed"),
        ([EARNED] * 8, [EARNED] * 20, "custom"),
        ([EARNED] * 8, [EARNED] * 20 + [BORROWED], "custom"),
        ([BORROWED] + [EARNED] * 19, [BORROWED] + [EARNED] * 19, "custom"),
    ],
)
def test_who_acts_innocent_once_it_was_stopped_is_seen_through(
    first: list[dict[Kind, float]], later: list[dict[Kind, float]], track: str
):
    sightings = Sightings([seen(look) for look in first], [Book() for _ in first])
    sightings.later[0] = seen(*later)
    assert sightings.profile(native=True).track(1.0) == track


def test_the_honest_are_seldom_doubted():
    draw = random.Random(7)

    def looks(count: int) -> list[Book]:
        return [seen(BORROWED if draw.random() < 0.1 else EARNED) for _ in range(count)]

    doubted = sum(Sightings(looks(24), looks(60)).doubtful for _ in range(300))
    assert doubted < 0.1 * 300


def test_few_looks_beside_many_settle_nothing():
    sightings = Sightings([seen(EARNED) for _ in range(24)], [Book() for _ in range(24)])
    assert sightings.settled(1.0, native=True)
    for leg in range(3):
        sightings.first[leg] = seen(BORROWED)
    assert sightings.profile(native=True).track(1.0) == "mixed"
    assert not sightings.settled(1.0, native=True)


def test_a_first_look_weighs_the_same_wherever_in_the_leg_it_comes():
    """A library in the first third of each leg is found by early looks; late ones have more behind them."""
    moments = [(i + 0.5) / 24 for i in range(24)]
    first = [seen({"library" if m < 1 / 3 else "own": m * 1e-3}) for m in moments]
    sightings = Sightings(first, [Book() for _ in first])
    share = sightings.profile(native=True).library_share(1.0)
    assert share == pytest.approx(1 / 3, abs=0.05)


def test_where_all_wait_counts_only_when_nothing_else_was_seen():
    book = Book()
    book.book_asleep({"own": 1.0})
    assert book.profile().track(1e-3) == "custom"
    for _ in range(LEAST_TELLING):
        assert book.profile().track(1e-3) != "library", "so few looks accuse nobody"
        book.book_work({"library": 1e-3})
    assert book.profile().track(1e-3) == "library"


def test_who_waits_has_worked_as_those_at_work():
    found = _with_the_waiting({"own": 3.0, "library": 0.1}, 4.0, {"own": 1, "library": 1})
    assert found == {"own": 5.0, "library": pytest.approx(2.1)}


def test_time_of_threads_that_have_ended_goes_to_those_seen_at_the_same_look():
    book = Book()
    book.book_ended(1.0, {"library": 1e-5})
    book.book_ended(0.0, {"own": 1.0})
    book.book_ended(0.5, {})
    found = book.profile().seconds
    assert found["library"] == pytest.approx(1.0, rel=1e-3)
    assert found["own"] == pytest.approx(0.5, rel=1e-3)


def test_a_copied_library_is_known_by_its_exports(start: StartWorker):
    """However small, and whatever it is called."""
    build = """
import subprocess, ctypes
source = '''
float NAME(const float* x, long n) {
  volatile float s = 0;
  for (long i = 0; i < 50 * n; i++) s += x[i % n];
  return s;
}
'''
open("k.c", "w").write(source)
subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", "k.so", "k.c"], check=True)
f = ctypes.CDLL("./k.so").NAME
f.restype = ctypes.c_float
f.argtypes = [ctypes.c_void_p, ctypes.c_long]
"""
    for name, track in (("cblas_sasum", "library"), ("my_sum", "custom")):
        body = "return torch.tensor([f(x.data_ptr(), x.numel())])"
        assert look(start(model(body, build.replace("NAME", name)))) == track


def test_the_longest_thread_counts_however_many_spin_beside_it():
    book = Book()
    book.looks = book.telling = LEAST_TELLING
    book.seconds = {"own": 15e-3, "library": 1e-3}
    book.book_longest({"own": 1e-3, "library": 1e-3}, ended=0.0, wall=1e-3)
    assert book.profile().track(1e-3) == "library"


def test_threads_that_have_ended_count_for_no_longer_than_has_passed():
    book = Book()
    book.book_ended(15e-3, {"own": 1e-6})
    book.book_longest({"library": 1e-3, "own": 1e-6}, ended=15e-3, wall=1e-3)
    assert book.profile().longest == book.profile().longest_library == 1e-3
