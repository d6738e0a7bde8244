"""The structure, occupancy, the mix of SASS and the reading of callgrind's file."""

import pytest

from kernelwright.harness.counters import callgrind, cubin, sass
from kernelwright.harness.counters.counters import Counter, Counters, KernelCounters
from kernelwright.harness.counters.occupancy import occupancy
from kernelwright.harness.counters.sm_limits import LIMITS

COUNTERS = Counters(
    (
        KernelCounters(
            "softmax",
            "sm_90",
            {
                "registers_per_thread": Counter(32, "registers", "cubin"),
                "occupancy": Counter(0.5, "share", "table of SM limits"),
                "instructions": Counter(None, "instructions", "nvdisasm", "no nvdisasm here"),
            },
            launches=2,
            grid=(8, 1),
        ),
    ),
    {"hardware events": "the kernel does not allow them"},
)


def test_json_and_back():
    assert Counters.from_json(COUNTERS.to_json()) == COUNTERS


def test_lines_say_what_is_known_and_why_the_rest_is_not():
    assert list(COUNTERS.lines()) == [
        "softmax on sm_90, 2 launches: registers per thread 32, occupancy 50.0%",
        "softmax on sm_90: no instructions (no nvdisasm here)",
        "hardware events: not counted (the kernel does not allow them)",
    ]


def test_a_counter_has_a_value_or_a_reason():
    with pytest.raises(ValueError, match="either"):
        Counter(None, "bytes", "cubin")
    with pytest.raises(ValueError, match="either"):
        Counter(1, "bytes", "cubin", "but why")


@pytest.mark.parametrize(
    ("registers", "shared", "threads", "blocks", "limited"),
    [
        (32, 0, 256, 8, "registers and warps"),
        (255, 0, 256, 1, "registers"),
        (16, 100 << 10, 128, 2, "shared memory"),
        (16, 0, 32, 32, "blocks"),
        (16, 228 << 10, 128, 0, "shared memory"),
    ],
)
def test_occupancy_on_hopper(registers, shared, threads, blocks, limited):
    fits = occupancy(LIMITS[90], registers=registers, shared=shared, threads=threads)
    assert (fits.blocks, fits.limited_by) == (blocks, limited)


def test_the_mix_of_a_listing():
    text = """
    .section .text.k,"ax",@progbits
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 LDG.E.128 R4, desc[UR4][R2.64] ;
        /*0020*/                   HMMA.16816.F32 R8, R4, R6, R8 ;
        /*0030*/                   STL [R1], R8 ;
        /*0040*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*0050*/              @P1  BRA `(.L_x_1) ;
        /*0060*/                   NOP ;
    """
    mix = sass.mixes(text)["k"]
    named = {name: count for name, count in mix.items() if count}
    assert named == {
        "instructions": 6, "tensor_core_instructions": 1, "global_loads": 1, "global_loads_wide": 1,
        "local_stores": 1, "barriers": 1, "branches": 1,
    }  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(100)])
def test_what_is_no_cubin_is_a_value_error(data: bytes):
    with pytest.raises(ValueError, match="cubin"):
        cubin.read(data)


def test_callgrind_counts_a_function_with_what_it_calls():
    text = "events: Ir Dr Dw\nfn=(1) main\n0 100 10\nfn=(2) twice\n0 5 2 1\n"
    text += "cfn=(3) expf\ncalls=1 0\n0 7 1\nfn=(3)\n0 7 1\n"
    (kernel,) = callgrind.counted(text, ("twice",), 1).kernels
    assert kernel.values["instructions"].value == 12
    assert kernel.values["data_reads"].value == 3
    with pytest.raises(ValueError, match="no instruction"):
        callgrind.counted(text, ("absent",), 1)
