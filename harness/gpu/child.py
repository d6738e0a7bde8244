"""What runs in a worker that has its tensors on a device: as `harness/child.py`, and as little trusted.

Right behind each call our loop queues a copy of its outputs, on the stream that was current before the
candidate was there: whatever is still under way on another stream, in a thread, or not begun, is not in the
copy. No call waits. When the last copy is queued, all streams are waited for, and only then is it said to be
done.
"""

from __future__ import annotations

import functools
import gc
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kernelwright.harness import calls, child, seals, wire
from kernelwright.harness.calls import (
    backward,
    data_ptr,
    flatten,
    forward_and_backward,
    poison,
    set_grad,
)
from kernelwright.harness.gpu.arena import after
from kernelwright.harness.gpu.device import Runtime, runtime
from kernelwright.harness.wire import DTYPES, Region

_COMMANDS = ("reread", "profile", "graph", "replay")
_RECEIVE, _SEND = socket.socket.recv, socket.socket.sendall
_DTYPE, _LAYOUT, _DEVICE = (
    vars(torch._C.TensorBase)[name].__get__ for name in ("dtype", "layout", "device")
)


def begin(config: dict[str, Any], memory: int) -> Runtime:
    """Wake the device and map the memory of it that the parent made; before the cage closes."""
    chosen = runtime(config["device"])
    chosen.attach(memory, config["arena_size"])
    return chosen


def serve(
    sock: socket.socket,
    seat: Runtime,
    slots: memoryview[int],
    scratch: str,
    room: int,
    caught: int,
) -> None:
    """Answer commands until told to stop. `room` bytes are for inputs, `caught` behind them for outputs."""
    worker = DeviceWorker(sock, seat, slots, scratch, room, caught)
    kind = type(seat)
    owners = [sys.modules[__name__], DeviceWorker, child, child.Worker, wire, calls, kind]
    sealed = seals.places([*owners, sys.modules[kind.__module__]])
    wire.send(sock, {"arena": seat.address, "seals": sealed})
    child.answer(sock, worker, (*child.COMMANDS, *_COMMANDS))


class DeviceWorker(child.Worker):
    """One loaded model on the device and the outputs of its latest calls."""

    def __init__(
        self,
        sock: socket.socket,
        seat: Runtime,
        slots: memoryview[int],
        scratch: str,
        room: int,
        caught: int,
    ) -> None:
        super().__init__(sock, torch.empty(0, dtype=torch.uint8), slots, scratch, None)
        self._seat = seat
        self._room, self._caught = room, caught
        self._device = torch.device(seat.torch_device)
        self._replay: Callable[[], None] | None = None
        self._graph_out: list[torch.Tensor] = []

    def _placed(self, model: torch.nn.Module) -> torch.nn.Module:
        return model.to(self._device)

    def _tensor(self, region: dict[str, Any], guard: Any = None) -> torch.Tensor:
        place = Region.from_json(region)
        if not place.nbytes:
            return torch.empty(place.shape, dtype=DTYPES[place.dtype], device=self._device)
        flat = self._seat.tensor(place.address, place.nbytes)
        return flat.view(DTYPES[place.dtype]).as_strided(place.shape, place.stride)

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        """One call; its outputs are copied to the parent's memory as it returns."""
        if not message.get("hold"):
            self._kept.clear()
        arguments = self._arguments(message["inputs"])
        gradients = message.get("gradients")
        self._seat.synchronise()
        late = message.get("late") or ()
        if late:
            self._seat.delay()
        for target, source, size in late:
            self._seat.copy(target, source, size)
        if gradients is None:
            with torch.no_grad():
                out = flatten(self._model(*arguments))
        else:
            given = [self._tensor(g) for g in gradients]
            out = backward(self._model, arguments, given, self._trained)
        described = [self._described(t) for t in out]
        at = self._catch(out, described, 0)
        left = self._wanted_buffers()
        told = [self._described(t) for t in left]
        self._catch(left, told, at)
        self._seat.synchronise()
        self._kept.append(out)
        self._poison = [(tuple(t.shape), t.dtype) for t in out]
        return {"outputs": described, "buffers": told, "seen": None}

    def _catch(
        self, tensors: Sequence[torch.Tensor], described: Sequence[dict[str, Any]], at: int
    ) -> int:
        """Queue copies to the places for outputs, as far as these reach; the next free place."""
        for tensor, told in zip(tensors, described, strict=True):
            size = Region.from_json(told).nbytes
            if at + size <= self._caught:
                self._seat.copy(self._seat.address + self._room + at, data_ptr(tensor), size)
            at = after(at, size)
        return at

    def batch(
        self,
        message: dict[str, Any],
        receive: Callable[..., Any] = _RECEIVE,
        send: Callable[..., Any] = _SEND,
        place: Callable[..., int] = data_ptr,
        set_grad: Callable[[bool], None] = set_grad,
        done: bytes = wire.DONE,
        failed: bytes = wire.FAILED,
        collect: Callable[[], int] = gc.collect,
        freeze: Callable[[], None] = gc.freeze,
        disable: Callable[[], None] = gc.disable,
        enable: Callable[[], None] = gc.enable,
    ) -> dict[str, Any]:
        """Several calls between the parent's go and our done, all of their work on the device included.

        `message["caught"]` are address and bytes of the places for the outputs of each call in turn, then for
        the wanted buffers. Slot 0 of the board counts the outputs returned.
        """
        given = [self._arguments(inputs) for inputs in message["calls"]]
        places = [(int(a), int(n)) for a, n in message["caught"]]
        self._kept.clear()
        self._poisoned(len(given))
        collect()
        if not self._timed:
            freeze()
            self._timed = True
        disable()
        model, kept, sock, slots = self._model, self._kept, self._sock, self._slots
        seat, buffers = self._seat, self._wanted_buffers
        copy, synchronise, mark = seat.copy, seat.synchronise, seat.mark
        upstream = message["upstream"]
        if upstream is not None:
            model = functools.partial(forward_and_backward, model, upstream, self._trained)
        set_grad(upstream is not None)
        synchronise()
        marks = []
        wire.send(sock, {"ready": True})
        try:
            receive(sock, 1)
            index = 0
            marks.append(mark())
            for arguments in given:
                out = model(*arguments)
                kept.append(out)
                for tensor in flatten(out):
                    address = place(tensor)
                    target, size = places[index]
                    copy(target, address, size)
                    index += 1
                    slots[index] = address
                slots[0] = index
            if self._buffers:
                self._left = buffers()
                for tensor in self._left:
                    target, size = places[index]
                    copy(target, place(tensor), size)
                    index += 1
                    slots[index] = place(tensor)
                slots[0] = index
            marks.append(mark())
            synchronise()
            send(sock, done)
        except BaseException:
            send(sock, failed)
            raise
        finally:
            set_grad(True)
        enable()
        return {"ok": True, "device_s": seat.seconds(*marks)}

    def _poisoned(self, copies: int) -> None:
        empty = functools.partial(torch.empty, device=self._device)
        poison(self._poison, copies, empty)

    def regions(self, message: dict[str, Any]) -> dict[str, Any]:
        """Describe the outputs of the latest batch, and the buffers after it."""
        return {
            "outputs": [[self._described(t) for t in flatten(out)] for out in self._kept],
            "buffers": [self._described(t) for t in self._left],
        }

    def reread(self, message: dict[str, Any]) -> dict[str, Any]:
        """Copy what lies now where earlier outputs were."""
        at = 0
        for told in message["regions"]:
            region = Region.from_json(told)
            self._seat.copy(self._seat.address + self._room + at, region.address, region.nbytes)
            at = after(at, region.nbytes)
        self._seat.synchronise()
        return {"ok": True}

    def profile(self, message: dict[str, Any]) -> dict[str, Any]:
        """What ran on the device during one call, on all its streams, and what our marks say of it."""
        arguments = self._arguments(message["inputs"])
        gradients = message.get("gradients")
        upstream = [self._tensor(g) for g in gradients or ()]
        marks: list[int] = []

        def call() -> None:
            marks.append(self._seat.mark())
            if gradients is None:
                with torch.no_grad():
                    self._kept.append(self._model(*arguments))
            else:
                self._kept.append(backward(self._model, arguments, upstream, self._trained))
            marks.append(self._seat.mark())

        seen = self._seat.profiled(call)
        self._seat.synchronise()
        self._kept.clear()
        return {
            "ran": [[i.name[:300], i.begin, i.end] for i in seen[:10_000]],
            "device_s": self._seat.seconds(*marks),
        }

    def graph(self, message: dict[str, Any]) -> dict[str, Any]:
        """Capture a call over these inputs. Raises what capturing raises."""
        arguments = self._arguments(message["inputs"])

        def call() -> list[torch.Tensor]:
            with torch.no_grad():
                return flatten(self._model(*arguments))

        self._replay, self._graph_out = self._seat.captured(call)
        self._seat.synchronise()
        return {"outputs": [self._described(t) for t in self._graph_out]}

    def replay(self, message: dict[str, Any]) -> dict[str, Any]:
        """The graph so many times between go and done; then its outputs are caught."""
        replay = self._replay
        if replay is None:
            raise RuntimeError("no graph was captured")
        described = [self._described(t) for t in self._graph_out]
        sock = self._sock
        self._seat.synchronise()
        wire.send(sock, {"ready": True})
        try:
            _RECEIVE(sock, 1)
            for _ in range(message["times"]):
                replay()
            self._catch(self._graph_out, described, 0)
            self._seat.synchronise()
            _SEND(sock, wire.DONE)
        except BaseException:
            _SEND(sock, wire.FAILED)
            raise
        return {"ok": True}

    def _described(
        self,
        tensor: torch.Tensor,
        plain: type = torch.Tensor,
        place: Callable[..., int] = data_ptr,
        stride: Callable[..., tuple[int, ...]] = torch.Tensor.stride,
        size: Callable[..., tuple[int, ...]] = torch.Tensor.size,
        type_of: Callable[..., torch.dtype] = _DTYPE,
        layout_of: Callable[..., torch.layout] = _LAYOUT,
        device_of: Callable[..., torch.device] = _DEVICE,
        strided: torch.layout = torch.strided,
    ) -> dict[str, Any]:
        """Where a tensor lies. Raises TypeError for what is not a plain strided tensor on the device."""
        if type(tensor) is not plain or layout_of(tensor) is not strided:
            raise TypeError(f"an output must be exactly torch.Tensor, not {type(tensor).__name__}")
        found = device_of(tensor)
        if found.type != self._device.type:
            raise TypeError(f"an output lies on {found}, the inputs on {self._device}")
        name = wire.dtype_name(type_of(tensor))
        return Region(place(tensor), name, tuple(size(tensor)), stride(tensor)).to_json()
