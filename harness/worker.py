"""The parent's side of one worker: start it, load a model, call it, time it, end it.

The clock that counts is here: a batch of calls lasts from our go until its done has been read, and at
that moment the worker is stopped and its outputs are read out of its memory. What the worker says of
itself is only ever where its outputs lie.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness import memory, wire
from kernelwright.harness.arena import ALIGN, Arena, footprint, place
from kernelwright.harness.builds import Builder, cache_folder
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault, ended, plain, raised
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery, remove
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import python_folders
from kernelwright.harness.wire import Region

Value = torch.Tensor | int | float | bool
LOAD_SECONDS = 120.0
MAX_BUILDS = 16
_LOG_TAIL = 2000
_SEND_SECONDS = 10.0
"""A worker that does not read what we send is gone for us."""


@dataclass(frozen=True)
class Setup:
    """All that a worker is told at the start about what it is to run."""

    source: str
    entry: str
    init: tuple[Any, Any] = ((), {})
    """Positional and keyword arguments, encoded by `wire.encode_value`."""
    state: tuple[tuple[str, torch.Tensor], ...] = ()
    train: bool = False
    compile: bool = False
    caged: bool = True


@dataclass(frozen=True)
class Layout:
    """Type, shape and strides of one output."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Timed calls: seconds from go to done, and the outputs of each call."""

    seconds: float
    outputs: list[list[torch.Tensor]] = field(repr=False)


class Worker:
    """One process with one model in it. Not for use by several threads."""

    def __init__(
        self, nursery: Nursery, builder: Builder, setup: Setup, *, inputs_bytes: int, timeout: float
    ) -> None:
        self._nursery = nursery
        self._builder = builder
        self._timeout = timeout
        self._random = random.SystemRandom()
        self.folder, user = nursery.scratch(caged=setup.caged)
        self._arena = Arena(max(inputs_bytes, footprint([t for _, t in setup.state])) + (64 << 10))
        ours, theirs = socket.socketpair()
        patience = struct.pack("ll", int(_SEND_SECONDS), 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self._sock = ours
        self._layouts: list[Layout] = []
        scratch = str(self.folder / "tmp")
        read = (*python_folders(), str(self.folder / "builds"))
        config = {
            "arena_size": self._arena.size,
            "cage": asdict(Cage(scratch, read, user=user)),
            "caged": setup.caged,
            "cpus": nursery.cpus,
            "threads": nursery.threads,
            "environment": _environment(scratch, setup),
            "log": str(self.folder / "output.log"),
        }
        with theirs:
            self.pid = nursery.fork(config, [theirs.fileno(), self._arena.fd])
        self.alive = True
        self.returns_input = False
        """Whether an output of the latest call lay in the memory of the inputs."""
        try:
            self._arena_there = self._hello()
            self._load(setup)
        except BaseException:
            self.close()
            raise

    # -- commands ---------------------------------------------------------------------------------

    def _hello(self) -> int:
        """Where the worker has the arena in its memory, said before any foreign code is there."""
        try:
            return int(wire.receive(self._sock, LOAD_SECONDS)["arena"])
        except wire.WireError as error:
            raise HarnessError(f"a worker could not start{self._tail()}") from error

    def _load(self, setup: Setup) -> None:
        regions, _ = place([t for _, t in setup.state])
        state = []
        for (name, tensor), region in zip(setup.state, regions, strict=True):
            self._arena.write(region, tensor)
            state.append([name, region.to_json()])
        self._command(
            {
                "do": "load",
                "source": setup.source,
                "entry": setup.entry,
                "init": list(setup.init),
                "init_seed": self._random.randrange(1 << 31),
                "state": state,
                "train": setup.train,
                "compile": setup.compile,
            },
            LOAD_SECONDS,
        )

    def call(
        self,
        inputs: Sequence[Value],
        gradients: Sequence[torch.Tensor] | None = None,
        *,
        skew: int = 0,
        timeout: float | None = None,
        most_bytes: int | None = None,
    ) -> list[torch.Tensor]:
        """One checked call: outputs as they lie in the worker's memory when it answers.

        Raises Fault, also when an input was changed or the outputs take more than `most_bytes`.
        """
        message, regions, written = self._write([inputs], gradients, skew)
        answer = self._command(
            {"do": "call", "inputs": message["calls"][0], "gradients": message["gradients"]},
            timeout or self._timeout,
        )
        self._freeze()
        described = self._parse(answer.get("outputs"))
        self._layouts = [Layout(r.dtype, r.shape, r.stride) for r in described]
        size = sum(region.nbytes for region in described)
        if most_bytes is not None and size > most_bytes:
            raise Fault(
                "wrong_shape", f"the outputs take {size} bytes, far more than the reference's"
            )
        here = range(self._arena_there, self._arena_there + self._arena.size)
        self.returns_input = any(region.nbytes and region.address in here for region in described)
        outputs = [self._read(region) for region in described]
        self._check_inputs(regions, written)
        memory.thaw(self.pid)
        return outputs

    def batch(
        self, calls: Sequence[Sequence[Value]], gradients: Sequence[torch.Tensor] | None = None
    ) -> Batch:
        """Time several calls in a row, each on its own inputs. Leaves the worker stopped.

        Needs an earlier `call`, from which the layout of the outputs is known. Raises Fault.
        """
        message, regions, written = self._place(calls, gradients, self._random.randrange(2) * 16)
        memory.thaw(self.pid)
        self._command({"do": "batch", **message}, self._timeout)
        self._freeze()  # the inputs appear only now, when nothing can work on them ahead of the clock
        self._fill(regions, written)
        count = len(calls) * len(self._layouts)
        deadline = time.monotonic() + self._timeout
        begin = time.perf_counter_ns()
        try:
            memory.thaw(self.pid)
            self._sock.sendall(b"g")
            kind = wire.read_exactly(self._sock, 1, deadline)
            if kind != b"d":  # the first byte of the length of a frame: a call raised
                raise self._raised_in_batch(kind, deadline)
            body = wire.read_exactly(self._sock, 4 + 8 * count, deadline)
        except (wire.WireError, memory.Unreadable, OSError) as error:
            raise self._post_mortem(error) from error
        self._freeze()
        end = time.perf_counter_ns()
        if struct.unpack("<I", body[:4])[0] != count:
            raise Fault("protocol", "the worker broke the protocol of timed calls")
        addresses = struct.unpack(f"<{count}Q", body[4:])
        here = range(self._arena_there, self._arena_there + self._arena.size)
        if not self.returns_input and any(address in here for address in addresses):
            raise Fault(
                "output_is_input", "an output of a timed call lies in the memory of an input"
            )
        flat = [
            self._read(Region(address, layout.dtype, layout.shape, layout.stride))
            for address, layout in zip(addresses, self._layouts * len(calls), strict=True)
        ]
        if regions:  # one of them, drawn at random: comparing all would cost more than the calls
            drawn = self._random.randrange(len(regions))
            self._check_inputs(regions[drawn : drawn + 1], written[drawn : drawn + 1])
        memory.thaw(self.pid)
        self._finish()
        self._confirm(addresses)
        self._freeze()
        width = len(self._layouts)
        outputs = [flat[i * width : (i + 1) * width] for i in range(len(calls))]
        return Batch((end - begin) * 1e-9, outputs)

    def lockdown(self) -> None:
        """Forbid new processes, and make sure that none is there. Raises Fault."""
        self._command({"do": "lockdown"}, self._timeout)
        self.check_alone()
        if not level().seccomp:
            return
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            status = (task / "status").read_text()
            count = status.partition("Seccomp_filters:")[2].split()
            if count and int(count[0]) < 2:
                raise Fault("lockdown_evaded", "the candidate kept its right to start processes")

    def check_alone(self) -> None:
        """Raises Fault when the worker has children, or orphans were left to the nursery."""
        found = self._nursery.sweep()
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
                found += len((task / "children").read_text().split())
        if found:
            raise Fault("left_process", "the candidate left a process of its own running")

    def profile(self, inputs: Sequence[Value], repeat: int) -> tuple[dict[str, float], float]:
        """Microseconds by ATen operator over `repeat` calls, and of the calls altogether."""
        message, _, _ = self._write([inputs], None, 0)
        memory.thaw(self.pid)
        answer = self._command(
            {"do": "profile", "inputs": message["calls"][0], "repeat": repeat},
            self._timeout * repeat,
        )
        try:
            operators = {str(k): float(v) for k, v in answer["operators"].items()}
            return operators, float(answer["total"])
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise Fault("protocol", "the worker broke the protocol") from error

    def pause(self) -> None:
        """Stop the worker until its next batch."""
        self._freeze()

    def close(self) -> int:
        """End the worker and everything it started; returns how many processes it left behind."""
        if not self.alive:
            return 0
        self.alive = False
        self._sock.close()
        with contextlib.suppress(memory.Unreadable):  # it may have ended already
            memory.thaw(self.pid)
        _, strays = self._nursery.reap(self.pid, 0.05)
        self._arena.close()
        remove(self.folder)
        return strays

    # -- protocol ---------------------------------------------------------------------------------

    def _write(
        self, calls: Sequence[Sequence[Value]], gradients: Sequence[torch.Tensor] | None, skew: int
    ) -> tuple[dict[str, Any], list[Region], list[torch.Tensor]]:
        """Put inputs (and output gradients) into the arena."""
        message, regions, written = self._place(calls, gradients, skew)
        self._fill(regions, written)
        return message, regions, written

    def _fill(self, regions: Sequence[Region], values: Sequence[torch.Tensor]) -> None:
        for region, value in zip(regions, values, strict=True):
            self._arena.write(region, value)

    def _place(
        self, calls: Sequence[Sequence[Value]], gradients: Sequence[torch.Tensor] | None, skew: int
    ) -> tuple[dict[str, Any], list[Region], list[torch.Tensor]]:
        """Places in the arena, at an address that varies, and the message that describes them."""
        tensors = [v for inputs in calls for v in inputs if isinstance(v, torch.Tensor)]
        everything = [*tensors, *(gradients or ())]
        room = self._arena.size - footprint(everything) - skew * 16 * len(everything)
        start = ALIGN * self._random.randrange(8) if room > ALIGN * 8 else 0
        regions, end = place(everything, start, skew=skew)
        if end > self._arena.size:
            raise HarnessError("the inputs do not fit into the worker's arena")
        places = iter(regions)
        described = [
            [next(places).to_json() if isinstance(v, torch.Tensor) else v for v in inputs]
            for inputs in calls
        ]
        given = None if gradients is None else [r.to_json() for r in places]
        return {"calls": described, "gradients": given}, regions, everything

    def _check_inputs(self, regions: list[Region], written: list[torch.Tensor]) -> None:
        for region, tensor in zip(regions, written, strict=True):
            if not same_bytes(self._arena.read(region), tensor):
                raise Fault("input_modified", "the candidate changed one of its inputs")

    def _command(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send one command and serve builds until its answer. Raises Fault."""
        builds = 0
        deadline = time.monotonic() + timeout
        try:
            wire.send(self._sock, message)
            while "build" in (
                answer := wire.receive(self._sock, max(0.0, deadline - time.monotonic()))
            ):
                builds += 1
                if builds > MAX_BUILDS:
                    raise Fault("build_failed", f"more than {MAX_BUILDS} builds")
                wire.send(self._sock, self._build(answer))
        except wire.WireError as error:
            raise self._post_mortem(error) from error
        if "error" in answer:
            raise raised(answer["error"])
        return answer

    def _finish(self) -> None:
        try:
            answer = wire.receive(self._sock, self._timeout)
        except wire.WireError as error:
            raise self._post_mortem(error) from error
        if "error" in answer:
            raise raised(answer["error"])

    def _raised_in_batch(self, first: bytes, deadline: float) -> Fault:
        """What a timed call raised: the rest of a frame whose first byte has been read."""
        (size,) = struct.unpack("<I", first + wire.read_exactly(self._sock, 3, deadline))
        if size > wire.MAX_FRAME:
            return Fault("protocol", "the worker broke the protocol of timed calls")
        body = wire.read_exactly(self._sock, size, deadline)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return Fault("protocol", "the worker broke the protocol of timed calls")
        return raised(answer.get("error") if isinstance(answer, dict) else None)

    def _build(self, request: dict[str, Any]) -> dict[str, Any]:
        given = request.get("flags", [])
        if not isinstance(given, list):
            return {"error": "flags must be a list"}
        try:
            flags = [str(flag) for flag in given]
            path = self._builder.build(str(request["build"]), flags, self.folder / "builds")
        except BuildError as error:
            return {"error": str(error)}
        return {"path": str(path)}

    def _confirm(self, addresses: Sequence[int]) -> None:
        """The outputs of the latest batch are what we took them for: place, type, shape, strides."""
        answer = self._command({"do": "regions"}, self._timeout)
        outputs = answer.get("outputs")
        if not isinstance(outputs, list):
            raise Fault("protocol", "the worker broke the protocol")
        described = [region for out in outputs for region in self._parse(out)]
        repeated = self._layouts * (len(addresses) // len(self._layouts))
        expected = list(zip(addresses, repeated, strict=True))
        found = [(r.address, Layout(r.dtype, r.shape, r.stride)) for r in described]
        if found != expected:
            raise Fault(
                "layout_changed", "outputs of timed calls differ in layout from checked ones"
            )

    def _parse(self, outputs: Any) -> list[Region]:
        if not isinstance(outputs, list):
            raise Fault("protocol", "the worker broke the protocol")
        try:
            return [Region.from_json(item) for item in outputs]
        except wire.WireError as error:
            raise Fault("protocol", str(error)) from error

    def _freeze(self) -> None:
        try:
            memory.freeze(self.pid)
        except memory.Unreadable as error:
            raise self._post_mortem(error) from error

    def _read(self, region: Region) -> torch.Tensor:
        if region.nbytes > (16 << 30):
            raise Fault("output", f"an output of {region.nbytes} bytes")
        try:
            return memory.read(self.pid, region)
        except memory.Unreadable as error:
            raise Fault("output", f"an output could not be read: {error}") from error

    def _post_mortem(self, error: Exception) -> Fault:
        """How the worker came to be silent."""
        if isinstance(error, wire.WireTimeout):
            self.close()
            return Fault("timeout", "no answer in time: the call hangs or is far too slow")
        status, _ = self._nursery.reap(self.pid, 1.0)
        tail = self._tail()
        self.close()
        return ended(status, tail)

    def _tail(self) -> str:
        log = self.folder / "output.log"
        try:
            with log.open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LOG_TAIL))
                text = stream.read(_LOG_TAIL).decode(errors="replace").strip()
        except OSError:
            return ""
        return f": {plain(text)}" if text else ""


def same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors of one shape and dtype hold the same bits (NaN equals NaN)."""
    if a.numel() == 0:
        return True
    flat_a, flat_b = (t.contiguous().view(-1).view(torch.uint8) for t in (a, b))
    return torch.equal(flat_a, flat_b)


def _environment(scratch: str, setup: Setup) -> dict[str, str]:
    """What differs between workers: folders."""
    common = {"HOME": scratch, "TMPDIR": scratch, "TORCH_EXTENSIONS_DIR": f"{scratch}/extensions"}
    if setup.caged:
        return {**common, "TRITON_CACHE_DIR": f"{scratch}/triton"}
    return {**common, "TORCHINDUCTOR_CACHE_DIR": str(cache_folder() / "inductor")}
