"""Frames: what honest sides exchange comes through, and nothing hostile gets further than WireError."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelwright.harness import wire
from kernelwright.harness.wire import Region

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def answer_to(raw: bytes, timeout: float = 0.05) -> object:
    """What `receive` makes of raw bytes after which the other side closes."""
    with pair() as (ours, theirs):
        theirs.sendall(raw)
        theirs.close()
        return wire.receive(ours, timeout)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_frames_round_trip(message):
    with pair() as (ours, theirs):
        wire.send(ours, message)
        assert json.dumps(wire.receive(theirs, 1.0)) == json.dumps(message)


def test_a_frame_longer_than_the_socket_buffer_round_trips():
    message = {"text": "x" * 3_000_000}
    with pair() as (ours, theirs):
        sender = threading.Thread(target=wire.send, args=(ours, message))
        sender.start()
        assert wire.receive(theirs, 5.0) == message
        sender.join()


@given(st.binary(max_size=64))
@settings(max_examples=200)
def test_noise_is_refused(raw: bytes):
    with pytest.raises(wire.WireError):
        answer_to(struct.pack("<I", len(raw) + 1) + raw)  # never complete
    with contextlib.suppress(wire.WireError):
        assert isinstance(answer_to(raw), dict)


@given(JSON.filter(lambda value: not isinstance(value, dict)))
def test_a_frame_is_an_object(value):
    body = json.dumps(value).encode()
    with pytest.raises(wire.WireError, match="object"):
        answer_to(struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"\xff\xfe{}",
        b"9" * 6000,
        b"",
    ],
)
def test_hostile_json_is_refused(body: bytes):
    with pair() as (ours, theirs):
        sender = threading.Thread(
            target=theirs.sendall, args=(struct.pack("<I", len(body)) + body,)
        )
        sender.start()
        with pytest.raises(wire.WireError):
            wire.receive(ours, 5.0)
        sender.join()


def test_a_giant_frame_is_refused_before_it_is_read():
    with pair() as (ours, theirs):
        theirs.sendall(struct.pack("<I", wire.MAX_FRAME + 1))
        with pytest.raises(wire.WireError, match="bytes"):
            wire.receive(ours, 1.0)


def test_closed_and_silent_are_told_apart():
    with pytest.raises(wire.WireClosed):
        answer_to(b"")
    with pytest.raises(wire.WireClosed):
        answer_to(b"\x10\0\0\0{")
    with pair() as (ours, theirs), pytest.raises(wire.WireTimeout):
        theirs.sendall(b"\x10\0\0\0{")
        wire.receive(ours, 0.02)
    with pair() as (ours, theirs):
        theirs.close()
        with pytest.raises(wire.WireClosed):
            wire.send(ours, {"a": 1})


def test_drip_feeding_does_not_extend_the_deadline():
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        sock.sendall(struct.pack("<I", 1000))
        while not stop.wait(0.01):
            with contextlib.suppress(OSError):
                sock.sendall(b" ")

    with pair() as (ours, theirs):
        thread = threading.Thread(target=drip, args=(theirs,))
        thread.start()
        begin = time.monotonic()
        try:
            with pytest.raises(wire.WireTimeout):
                wire.receive(ours, 0.1)
        finally:
            stop.set()
            thread.join()
        assert time.monotonic() - begin < 5.0


# -- tensor descriptions --------------------------------------------------------------------------

SIZES = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@given(SIZES, st.sampled_from(sorted(wire.DTYPES)), st.integers(0, 1 << 48), st.data())
def test_regions_round_trip(shape, dtype, address, data):
    stride = tuple(data.draw(st.integers(0, 9)) for _ in shape)
    region = Region(address, dtype, shape, stride)
    assert Region.from_json(json.loads(json.dumps(region.to_json()))) == region


@given(SIZES)
def test_span_is_what_torch_needs(shape):
    tensor = torch.empty(shape)
    region = Region(0, "float32", shape, tensor.stride())
    assert region.nbytes == tensor.numel() * 4
    if len(shape) >= 2 and tensor.numel():
        wide = torch.empty((*shape[:-1], shape[-1] + 3))[..., : shape[-1]]
        spread = Region(0, "float32", shape, wide.stride())
        last = sum((n - 1) * s for n, s in zip(shape, wide.stride(), strict=True))
        assert spread.span == last + 1


NO_INFINITY = JSON.filter(lambda value: "Infinity" not in json.dumps(value))
GOOD = Region(64, "float32", (2, 3), (3, 1)).to_json()


@given(
    st.dictionaries(st.sampled_from(sorted(GOOD)), NO_INFINITY | st.lists(NO_INFINITY)).map(
        lambda change: {**GOOD, **change}
    )
    | NO_INFINITY
)
@settings(max_examples=300)
def test_hostile_descriptions_are_refused(data):
    with contextlib.suppress(wire.WireError):
        region = Region.from_json(data)
        assert region.dtype in wire.DTYPES and region.address >= 0
        assert len(region.shape) == len(region.stride)
        assert all(n >= 0 for n in (*region.shape, *region.stride)) and region.nbytes >= 0


@pytest.mark.parametrize(
    "change",
    [
        {"address": -1},
        {"address": float("inf")},
        {"address": float("nan")},
        {"dtype": "float8"},
        {"dtype": "__class__"},
        {"shape": [-2, 3]},
        {"shape": [2]},
        {"stride": [-3, 1]},
        {"shape": None},
        {"shape": [[2], 3]},
        {"shape": [float("inf"), 1]},
        {"shape": [1 << 62, 4], "stride": [0, 0]},
        {"shape": [1 << 70, 1]},
        {"shape": [0, 1 << 70]},
        {"shape": [1 << 35, 1], "stride": [0, 0]},
        {"address": 1 << 62},
    ],
    ids=str,
)
def test_each_field_is_checked(change):
    assert Region.from_json(GOOD).nbytes == 24
    with pytest.raises(wire.WireError):
        Region.from_json({**GOOD, **change})


# -- values ---------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from([torch.float32, torch.bfloat16, torch.int64]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(PLAIN)
def test_values_round_trip(value):
    data = json.loads(json.dumps(wire.encode_value(value)))
    decoded = wire.decode_value(data)
    assert decoded == value and type(decoded) is type(value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6).reshape(2, 3),
        torch.randn(3, 4).to(torch.bfloat16),
        torch.tensor([1e-30, float("inf")], dtype=torch.float64),
        torch.tensor([True, False]),
        torch.empty(0, 3),
        torch.tensor(4.5),
    ],
    ids=lambda t: f"{t.dtype}-{tuple(t.shape)}",
)
def test_tensors_among_values_round_trip(tensor: torch.Tensor):
    decoded = wire.decode_value(json.loads(json.dumps(wire.encode_value([tensor]))))[0]
    assert decoded.dtype == tensor.dtype and torch.equal(decoded, tensor)


@pytest.mark.parametrize("value", [object(), {1, 2}, torch.nn.ReLU(), 1j, b"x", len], ids=repr)
def test_code_and_strange_types_do_not_cross(value):
    with pytest.raises(TypeError, match="cannot be handed"):
        wire.encode_value(value)


@given(SIZES)
def test_contiguous_stride_is_torchs(shape):
    if 0 not in shape:
        assert wire.contiguous_stride(shape) == torch.empty(shape).stride()
