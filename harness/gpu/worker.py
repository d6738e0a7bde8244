"""One process with one model on a device: load it, call it, time its calls.

As `harness/worker.py`, but for two things. Outputs lie in memory of the device that only the worker has: so
its loop copies each to memory that we have too, as the call returns, and that copy is what is judged. And
what has returned need not be done yet: a leg ends when all streams of the worker have.
"""

from __future__ import annotations

import random
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from kernelwright.harness import guarded, wire
from kernelwright.harness.builds import Builder
from kernelwright.harness.fault import Fault
from kernelwright.harness.gpu.arena import DeviceArena, after, offsets
from kernelwright.harness.gpu.device import Device, Interval
from kernelwright.harness.gpu.refusals import named
from kernelwright.harness.memories import Shared
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.process import Setup
from kernelwright.harness.sandbox import Cage
from kernelwright.harness.tray import Given, Value
from kernelwright.harness.wire import Region
from kernelwright.harness.worker import Ambush, Batch, Layout, Worker

_CLOCK_DRIFT = 1.02
"""The device's clock may run so much faster than ours, and its ticks be so coarse."""
_CLOCK_GRAIN_S = 5e-6


@dataclass(frozen=True)
class Profiled:
    """One call as the worker's profiler has seen it: a claim."""

    ran: tuple[Interval, ...]
    device_s: float
    """Between marks before and behind the call, on the stream that was current."""


class GpuWorker(Worker):
    """One process with one model on `device`. Not for use by several threads."""

    def __init__(
        self,
        nursery: Nursery,
        builder: Builder,
        setup: Setup,
        *,
        device: Device,
        inputs_bytes: int,
        outputs_bytes: int,
        timeout: float,
    ) -> None:
        self._device = device
        self.cold = True
        """Whether nothing of the inputs of a leg is left in a cache of the device when it begins."""
        self.claimed_s: list[float] = []
        """Of each leg, what the worker's marks say: a claim, which must fit into the time that we
        measured."""
        self._draw = random.SystemRandom()
        self._host_s: float | None = None
        """Seconds from go until all calls of a leg have returned, the device perhaps being at work yet."""
        made: list[DeviceArena] = []

        def share(room: int) -> Shared:
            made.append(DeviceArena(device, room, outputs_bytes))
            self._arena = made[0]
            rooms = (self._arena.size, self._arena.room)
            return Shared(self._arena, device.spec, self._arena.whole, rooms, self._open)

        super().__init__(
            nursery,
            builder,
            setup,
            inputs_bytes=inputs_bytes,
            timeout=timeout,
            on_device=share,
        )

    def _open(self, cage: Cage) -> Cage:
        needs = self._device.needs
        return replace(
            cage,
            read=(*cage.read, *needs.read),
            devices=needs.devices,
            bound_addresses=not needs.reserves_addresses,
        )

    # -- commands -----------------------------------------------------------------------------------

    def call(
        self,
        inputs: Sequence[Value],
        gradients: Sequence[torch.Tensor] | None = None,
        *,
        skew: int = 0,
        timeout: float | None = None,
        most_bytes: int | None = None,
        hold: bool = False,
        guard: guarded.Side | None = None,
        steady: bool = False,
    ) -> list[torch.Tensor]:
        """One checked call, as `Worker.call` describes it; `guard` means nothing here."""
        if self._renewed:
            self.load_state(self._renewed)
        given = self._tray.place([inputs], gradients, skew, None, steady=steady)
        self._tray.fill(given.regions, given.values)
        self._arena.poison(self._arena.room)
        try:
            answer = self._command(
                {
                    "do": "call",
                    "inputs": given.message["calls"][0],
                    "gradients": given.message["gradients"],
                    "hold": hold,
                },
                timeout or (self._timeout if self._process.locked else self._patience),
            )
        except Fault as fault:
            raise named(fault) from fault
        self._process.freeze()
        described = self._parse(answer.get("outputs"))
        buffers = self._parse(answer.get("buffers"))
        self._layouts, self._left = (
            [Layout(r.dtype, r.shape, r.stride) for r in regions]
            for regions in (described, buffers)
        )
        everything = [*described, *buffers]
        size = sum(after(0, region.nbytes) for region in everything)
        if (most_bytes is not None and size > most_bytes) or size > self._arena.room:
            raise Fault(
                "wrong_shape", f"the outputs take {size} bytes, far more than the reference's"
            )
        here = self._arena_there()
        self.latest = described
        self.in_inputs = frozenset(
            i for i, region in enumerate(described) if region.nbytes and region.address in here
        )
        outputs = self._arena.caught(everything)
        self._tray.check(given.regions, given.values)
        self._process.thaw()
        return outputs

    def call_late(self, inputs: Sequence[Value]) -> list[torch.Tensor]:
        """A call whose inputs get to their places on the device long after it was made, in its stream.

        Who works on another stream without waiting finds other values there; who does not have the stream
        wait for that work has not written the outputs when they are copied. Raises Fault.
        """
        given = self._tray.place([inputs, inputs], None, 0)
        half = len(given.regions) // 2
        there, store = given.regions[:half], given.regions[half:]
        self._process.thaw()
        self._tray.fill(store, given.values[half:])
        for region in there:
            self._arena.spoil(region)
        self._arena.poison(self._arena.room)
        base = self._process.arena_there
        late = [
            [base + to.address, base + of.address, to.nbytes]
            for to, of in zip(there, store, strict=True)
        ]
        told = given.message["calls"][0]
        try:
            answer = self._command(
                {"do": "call", "inputs": told, "gradients": None, "hold": False, "late": late}
            )
        except Fault as fault:
            raise named(fault) from fault
        self._process.freeze()
        outputs = self._arena.caught(self._parse(answer.get("outputs")))
        self._tray.check(there, given.values[:half])
        self._process.thaw()
        return outputs

    def reread(self, regions: Sequence[Region]) -> list[torch.Tensor]:
        """What lies now where the outputs of an earlier call were: asked of the worker. Raises Fault."""
        self._arena.poison(self._arena.room)
        self._command({"do": "reread", "regions": [region.to_json() for region in regions]})
        self._process.freeze()
        outputs = self._arena.caught(regions)
        self._process.thaw()
        return outputs

    def batch(
        self,
        calls: Sequence[Sequence[Value]],
        upstream: int | None = None,
        ambush: Ambush | None = None,
    ) -> Batch:
        """Time several calls in a row, each on its own inputs. Leaves the worker stopped.

        In an ambush the inputs of calls that have not begun are exchanged; nothing can be said of the outputs
        of those that have returned, as the device may still be at work on them. Raises Fault.
        """
        given = self._tray.place(calls, None, self._random.randrange(2) * 16)
        count = len(calls) * len(self._layouts)
        expected = [*self._layouts * len(calls), *self._left]
        sizes = [Region(0, e.dtype, e.shape, e.stride).nbytes for e in expected]
        places = offsets(sizes)
        used = after(places[-1], sizes[-1]) if sizes else 0
        if used > self._arena.room:
            raise Fault("wrong_shape", f"the outputs of {len(calls)} calls take {used} bytes")
        start = self._process.arena_there + self._arena.size
        self._process.thaw()
        message = {
            "do": "batch",
            "calls": given.message["calls"],
            "upstream": upstream,
            "caught": [[start + place, size] for place, size in zip(places, sizes, strict=True)],
        }
        try:
            self._command(message)
        except Fault as fault:
            raise named(fault) from fault
        self._process.freeze()  # the device is at rest, and nobody is there who could wake it
        if self._process.locked:
            self._process.check_alone()
        self._tray.fill(given.regions, given.values)
        self._arena.poison(used)
        if self.cold:
            self._device.forget()
        self._process.board.clear()
        deadline = time.monotonic() + self._timeout
        begin = time.perf_counter_ns()
        self._process.go()
        if ambush is not None and len(calls) > 1:
            calls, given = self._exchanged(ambush, calls, given)
        with self._process.mourned():
            kind = wire.read_exactly(self._process.socket, 1, deadline)
        if kind == wire.FAILED:
            self._failed()
        self._process.freeze()
        end = time.perf_counter_ns()
        found = [Region(0, e.dtype, e.shape, e.stride) for e in expected]
        caught = self._arena.caught(found)
        told = self._process.board.addresses(len(expected))
        if kind != wire.DONE or len(told) != len(expected):
            raise Fault("protocol", "the worker broke the protocol of timed calls")
        addresses, left = told[:count], told[count:]
        if not self.returns_input and any(a in self._arena_there() for a in addresses):
            raise Fault(
                "output_is_input", "an output of a timed call lies in the memory of an input"
            )
        if upstream is None:
            self._check_apart(addresses, pages_too=False)
        self._tray.check_one(given.regions, given.values)
        self._process.thaw()
        answer = self._claims(self._timeout)
        self._confirm(addresses, left)
        self._process.freeze()
        self._process.check_solitary()
        self._process.check_sealed()
        seconds = (end - begin) * 1e-9
        self._believe(answer, seconds)
        width = len(self._layouts)
        outputs = [caught[i : i + width] for i in range(0, count, width or 1)]
        return Batch(seconds, calls, outputs, [], caught[count:])

    # -- further measurements -------------------------------------------------------------------------

    def profile(
        self, inputs: Sequence[Value], gradients: Sequence[torch.Tensor] | None
    ) -> Profiled:
        """What ran on the device during one call, by the worker's own profiler. Raises Fault."""
        given = self._tray.place([inputs], gradients, 0)
        self._process.thaw()
        self._tray.fill(given.regions, given.values)
        answer = self._command(
            {
                "do": "profile",
                "inputs": given.message["calls"][0],
                "gradients": given.message["gradients"],
            },
            self._patience,
        )
        self._process.freeze()
        try:
            ran = tuple(Interval(str(n), float(b), float(e)) for n, b, e in answer["ran"])
            return Profiled(ran, float(answer["device_s"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Fault("protocol", "the worker broke the protocol of profiles") from error

    def capture(self, inputs: Sequence[Value]) -> None:
        """Capture a call over these inputs as a graph. Raises Fault with what the worker says."""
        self._graphed = self._tray.place([inputs], None, 0, steady=True)
        self._process.thaw()
        self._tray.fill(self._graphed.regions, self._graphed.values)
        answer = self._command({"do": "graph", "inputs": self._graphed.message["calls"][0]})
        self._graph_layout = self._parse(answer.get("outputs"))
        self._process.freeze()

    def replay(self, inputs: Sequence[Value], times: int) -> tuple[float, list[torch.Tensor]]:
        """Replay the graph so often over these inputs: seconds from go to done, and the outputs.
        Raises Fault."""
        self._process.thaw()
        self._command({"do": "replay", "times": times})
        self._process.freeze()
        values = [v for v in inputs if isinstance(v, torch.Tensor)]
        self._tray.fill(self._graphed.regions, values)
        self._arena.poison(self._arena.room)
        begin = time.perf_counter_ns()
        self._process.go()
        with self._process.mourned():
            deadline = time.monotonic() + self._timeout
            kind = wire.read_exactly(self._process.socket, 1, deadline)
        if kind == wire.FAILED:
            self._failed()
        self._process.freeze()
        seconds = (time.perf_counter_ns() - begin) * 1e-9
        outputs = self._arena.caught(self._graph_layout)
        self._process.thaw()
        self._process.finish(self._timeout)
        self._process.freeze()
        return seconds, outputs

    # -- pieces ---------------------------------------------------------------------------------------

    def _exchanged(
        self, ambush: Ambush, calls: Sequence[Sequence[Value]], given: Given
    ) -> tuple[Sequence[Sequence[Value]], Given]:
        """Stop the worker amid its calls, and exchange the inputs of those to come.

        At a moment within the host's part of a leg, which may be far ahead of the device, or after a call
        that is drawn at random.
        """
        width = max(len(self._layouts), 1)
        begin = time.perf_counter()
        counted = self._host_s is None or self._draw.random() < 0.5
        wanted = 0
        if self._host_s is None:  # only to see how long the host's part of a leg is
            wanted = len(calls) * width
        elif counted:
            wanted = self._draw.randrange(1, len(calls)) * width
        moment = begin + (0.0 if counted else self._draw.random() * (self._host_s or 0.0))
        patience = begin + self._timeout
        while len(self._process.board.addresses(wanted)) < wanted or time.perf_counter() < moment:
            over = select.select([self._process.socket], [], [], 0)[0]
            if over or time.perf_counter() > patience:
                break
        if self._host_s is None:
            self._host_s = time.perf_counter() - begin
            return calls, given
        self._process.freeze()
        self._process.check_solitary()
        self._process.check_sealed()
        returned = len(self._process.board.addresses(len(calls) * width)) // width
        if returned + 1 < len(calls):
            ambush.sampler.look()
        kept = returned + 1  # the next call may be under way
        calls = [*calls[:kept], *ambush.spare[kept : len(calls)]]
        values = [v for call in calls for v in call if isinstance(v, torch.Tensor)]
        first = sum(isinstance(v, torch.Tensor) for call in calls[:kept] for v in call)
        self._tray.fill(given.regions[first : len(values)], values[first:])
        self._process.thaw()
        return calls, replace(given, values=values)

    def _claims(self, timeout: float) -> dict[str, Any]:
        """The answer that follows a leg. Raises Fault."""
        with self._process.mourned():
            answer = wire.receive(self._process.socket, timeout)
        if "device_s" not in answer:
            raise Fault("protocol", "the worker broke the protocol of timed calls")
        return answer

    def _believe(self, answer: dict[str, Any], seconds: float) -> None:
        """What the worker's marks say, where it fits into our own time. Raises Fault where it does not."""
        try:
            claimed = float(answer["device_s"])
        except (TypeError, ValueError) as error:
            raise Fault("protocol", "the worker broke the protocol of timed calls") from error
        if not 0.0 <= claimed <= seconds * _CLOCK_DRIFT + _CLOCK_GRAIN_S:
            raise Fault(
                "invalid_time",
                f"events say {claimed * 1e3:.3f} ms of a leg that lasted {seconds * 1e3:.3f} ms by our clock",
            )
        self.claimed_s.append(claimed)

    def _failed(self) -> None:
        """A call of a leg raised. Raises Fault."""
        try:
            self._process.finish(self._timeout)
        except Fault as fault:
            raise named(fault) from fault

    def _same_pages(self, regions: Sequence[Region]) -> frozenset[tuple[int, int]]:
        return frozenset()
