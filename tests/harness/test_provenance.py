"""Whose code: mappings, profiles, tracks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelwright.harness.provenance import LIBRARY_ABOVE, Profile, kind_of

OWN = ("/scratch/w1/builds", "/scratch/w1/tmp")
MIB = 1 << 20


@pytest.mark.parametrize(
    ("path", "size", "kind"),
    [
        ("/scratch/w1/builds/0a1b.so", MIB, "own"),
        ("/scratch/w1/tmp/extensions/k/k.so (deleted)", MIB, "own"),
        ("/scratch/w1/tmp/libblas.so", 20 * MIB, "library"),
        ("/scratch/w10/builds/0a1b.so", MIB, "library"),
        ("/env/torch/lib/libtorch_cpu.so", 300 * MIB, "library"),
        ("/env/torch/lib/libc10.so", MIB, "library"),
        ("/env/torch/lib/libtorch_python.so", 20 * MIB, "interpreter"),
        ("/env/numpy/core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", MIB, "library"),
        ("/env/numpy.libs/libscipy_openblas64_-32a4b2a6.so", 20 * MIB, "library"),
        ("/usr/lib/libpython3.11.so.1.0", 3 * MIB, "interpreter"),
        ("/usr/bin/python3.11", 3 * MIB, "interpreter"),
        ("/usr/lib/python3.11/lib-dynload/_ctypes.cpython-311.so", MIB, "interpreter"),
        ("/usr/lib/libffi.so.8.1.2", MIB, "interpreter"),
        ("/lib/libc.so.6", MIB, "helper"),
        ("/lib/libmvec.so.1", MIB, "helper"),
        ("/lib/ld-linux-x86-64.so.2", MIB, "helper"),
        ("/lib/libstdc++.so.6.0.30", MIB, "helper"),
        ("[vdso]", 4096, "helper"),
        ("/env/torch.libs/libgomp-98b21ff3.so.1.0.0", MIB, "threads"),
        ("", 4096, "generated"),
        ("/dev/zero (deleted)", 4096, "generated"),
        ("/memfd:jit (deleted)", 4096, "generated"),
        ("", 20 * MIB, "library"),
    ],
)
def test_kinds_of_mappings(path: str, size: int, kind: str):
    assert kind_of(path, size, OWN) == kind


SECONDS = st.floats(0.0, 10.0)


@given(SECONDS, SECONDS, SECONDS, st.floats(1e-7, 1.0))
def test_a_share_is_a_share(own: float, library: float, interpreter: float, call_s: float):
    share = Profile({"own": own, "library": library, "interpreter": interpreter}).library_share(
        call_s
    )
    assert share is None if own + library + interpreter == 0 else 0 <= (share or 0) <= 1


@pytest.mark.parametrize(
    ("own", "library", "interpreter", "call_us", "track"),
    [
        (1.0, 0.0, 0.0, 1000, "custom"),
        (0.95, 0.05, 0.0, 1000, "custom"),
        (0.5, 0.5, 0.0, 1000, "mixed"),
        (0.1, 0.9, 0.0, 1000, "library"),  # a fig leaf
        (0.0, 0.4, 0.6, 5, "library"),  # an operator of the library on a few numbers
        (0.2, 0.25, 0.55, 6, "custom"),  # a kernel that takes a microsecond, and torch.empty
        (0.2, 0.25, 0.55, 600, "mixed"),
        (0.0, 0.01, 0.99, 1000, "custom"),  # plain Python
        (0.0, 0.05, 0.95, 1000, "library"),  # plain Python around the library
    ],
)
def test_tracks(own: float, library: float, interpreter: float, call_us: float, track: str):
    profile = Profile({"own": own, "library": library, "interpreter": interpreter})
    assert profile.track(call_us * 1e-6) == track


def test_a_kernel_too_short_to_be_seen_is_custom_when_there_is_one():
    seconds = {"own": 0.0, "library": 0.3, "interpreter": 0.7}
    assert Profile(seconds, native=True).track(6e-6) == "custom"
    assert Profile(seconds, native=False).track(6e-6) == "library"
    assert Profile(seconds, native=True).track(600e-6) == "library", "a fig leaf"


def test_nothing_seen_is_unknown():
    assert Profile({}).track(1e-3) is None
    assert Profile({"own": 0.0}).library_share(1e-3) is None
    assert Profile({"own": 0.0}).own_share(1e-3) is None


def test_the_own_share_is_what_libraries_did_not_do():
    assert Profile({"own": 3.0, "library": 1.0}).own_share(1.0) == 0.75
    assert Profile({"own": 1.0}).own_share(1.0) == 1.0
    assert Profile({"library": 1.0}).own_share(1.0) == 0.0


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_more_library_is_never_less_share(own: float, library: float):
    less = Profile({"own": own, "library": library}).library_share(1e-3)
    more = Profile({"own": own, "library": 2 * library}).library_share(1e-3)
    assert less is not None and more is not None
    assert more >= less or more > LIBRARY_ABOVE


@pytest.mark.parametrize(
    ("library", "longest_library", "track"),
    [
        (1.0, 1.0, "library"),  # beside it fifteen threads spin
        (1.0, 0.5, "mixed"),
        (0.5, 0.04, "custom"),  # each of sixteen threads calls one for a moment
    ],
)
def test_threads_that_spin_do_not_dilute_a_library(
    library: float, longest_library: float, track: str
):
    spun = Profile({"own": 15.0, "library": library}, True, 1.0, longest_library)
    assert spun.track(1e-3) == track
    assert (spun + spun).track(1e-3) == track


def test_one_thread_alone_is_its_own_longest():
    seconds = {"own": 0.2, "library": 0.25, "interpreter": 0.55}
    for call_s in (6e-6, 600e-6):
        alone = Profile(seconds, False, 1.0, 0.25)
        assert alone.library_share(call_s) == Profile(seconds).library_share(call_s)
