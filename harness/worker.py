"""The parent's side of one worker: start it, load a model, call it, time it, end it.

The clock that counts is here: a batch of calls lasts from our go until its done has been read, and at
that moment the worker is stopped and its outputs are read out of its memory. What the worker says of
itself is only ever where its outputs lie.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness import guarded, memory, wire
from kernelwright.harness.arena import ALIGN, Arena, Board, footprint, place
from kernelwright.harness.builds import Builder, cache_folder
from kernelwright.harness.errors import HarnessError
from kernelwright.harness.fault import Fault, ended, plain, raised
from kernelwright.harness.inline_cpp import BuildError
from kernelwright.harness.nursery import Nursery, remove
from kernelwright.harness.outputs import overlaps
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.sandbox import Cage, level
from kernelwright.harness.sandbox.cage import python_folders
from kernelwright.harness.sandbox.system import PR_SET_TIMERSLACK, prctl
from kernelwright.harness.variants import Variant
from kernelwright.harness.wire import Region

Value = torch.Tensor | int | float | bool
LOAD_SECONDS = 120.0
MAX_BUILDS = 16
_LOG_TAIL, _LONGEST_REPORT = 2000, 1 << 18
"""Bytes of what a process has printed: in the message of a fault, and for a sanitizer's report."""
_NAP_SECONDS = 20e-6
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
    trained: tuple[str, ...] = ()
    """Parameters whose gradients are wanted, in order."""
    buffers: tuple[str, ...] = ()
    """Buffers that are wanted after a checked call, in order."""
    compile: bool = False
    caged: bool = True
    variant: Variant = "plain"
    """How C++ is built (`variants.py`). Sanitized, inputs lie on the heap, each in a block of its own."""
    threads: int | None = None
    """Threads of PyTorch and OpenMP; None: the nursery's."""
    writable: bool = False
    """Whether inputs may be written, to find out who does."""


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
    calls: Sequence[Sequence[Value]] = field(repr=False)
    """The inputs in force: an ambush exchanges some."""
    outputs: list[list[torch.Tensor]] = field(repr=False)
    early: list[list[torch.Tensor]] = field(default_factory=list, repr=False)
    """In an ambush, the outputs of the first calls as they were while the others were under way."""


@dataclass(frozen=True)
class Ambush:
    """Stops amid a batch, of which the worker can know nothing beforehand."""

    gaps_s: Sequence[float]
    """Seconds from go to the first stop, and from each to the next."""
    spare: Sequence[Sequence[Value]] = field(repr=False)
    """Inputs to exchange, one for each call."""
    sampler: Sampler


class Worker:
    """One process with one model in it. Not for use by several threads."""

    def __init__(
        self, nursery: Nursery, builder: Builder, setup: Setup, *, inputs_bytes: int, timeout: float
    ) -> None:
        self._nursery = nursery
        self._builder = builder
        self._variant: Variant = setup.variant
        self.built: list[str] = []
        """C++ sources that the candidate had built, in their order."""
        self._timeout = timeout
        self._random = random.SystemRandom()
        self.folder, user = nursery.scratch(caged=setup.caged)
        room = max(inputs_bytes, footprint([t for _, t in setup.state])) + (64 << 10)
        self._arena = Arena(room, ours=setup.caged and not setup.writable)
        self._board = Board()
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
            "writable": setup.writable or not setup.caged,
            "cpus": nursery.cpus,
            "threads": setup.threads or nursery.threads,
            "environment": _environment(scratch, setup),
            "log": str(self.folder / "output.log"),
        }
        with theirs:
            self.pid = nursery.fork(config, [theirs.fileno(), self._arena.fd, self._board.fd])
        self.alive = True
        self._locked = False
        self.returns_input = False
        """Whether an output of the latest call lay in the memory of the inputs."""
        self.latest: list[Region] = []
        """Where the outputs of the latest call lie."""
        self.in_inputs: frozenset[int] = frozenset()
        """Which of them lay in the memory of the inputs."""
        self._renewed = setup.state if setup.train else ()  # which every call there changes
        try:
            self._arena_there = self._hello()
            self._load(setup)
        except BaseException:
            self.close()
            raise

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Where libraries lie that were built from the candidate's source, by us or by itself."""
        return str(self.folder / "builds"), str(self.folder / "tmp")

    # -- commands ---------------------------------------------------------------------------------

    def _hello(self) -> int:
        """Where the worker has the arena in its memory, said before any foreign code is there."""
        try:
            return int(wire.receive(self._sock, LOAD_SECONDS)["arena"])
        except wire.WireError as error:
            raise HarnessError(f"a worker could not start{self._tail()}") from error

    def load_state(self, state: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Change parameters and buffers in place, in the model that is there. Raises Fault."""
        pairs = tuple(state)
        memory.thaw(self.pid)
        self._command({"do": "state", "state": self._written_state(pairs)}, self._timeout)
        if self._renewed:
            self._renewed = pairs

    def _written_state(self, state: Sequence[tuple[str, torch.Tensor]]) -> list[list[Any]]:
        """Names, and where the values lie in the arena."""
        regions, _ = place([tensor for _, tensor in state])
        self._fill(regions, [tensor for _, tensor in state])
        return [[n, r.to_json()] for (n, _), r in zip(state, regions, strict=True)]

    def _load(self, setup: Setup) -> None:
        self._command(
            {
                "do": "load",
                "source": setup.source,
                "entry": setup.entry,
                "init": list(setup.init),
                "init_seed": self._random.randrange(1 << 31),
                "state": self._written_state(setup.state),
                "train": setup.train,
                "trained": list(setup.trained),
                "buffers": list(setup.buffers),
                "compile": setup.compile,
                "heap": setup.variant == "sanitized",
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
        hold: bool = False,
        guard: guarded.Side | None = None,
        steady: bool = False,
    ) -> list[torch.Tensor]:
        """One checked call: outputs as they lie in the worker's memory when it answers.

        `hold`: outputs of the call before stay alive. `guard`: on this side of each input and
        parameter lies memory that must not be touched (`guarded.py`). `steady`: at the very addresses
        of other steady calls with such inputs. In training mode the state is as it was at first, and
        the wanted buffers follow the outputs. Raises Fault, also when an input was changed or the
        outputs take more than `most_bytes`.
        """
        if self._renewed:
            self.load_state(self._renewed)
        message, regions, written = self._write([inputs], gradients, skew, guard, steady=steady)
        try:
            answer = self._command(
                {
                    "do": "call",
                    "inputs": message["calls"][0],
                    "gradients": message["gradients"],
                    "hold": hold,
                    "guard": guard,
                },
                timeout or self._timeout,
            )
        except Fault as fault:
            if guard is None:
                raise
            raise guarded.explained(fault, guard) from fault
        self._freeze()
        described = self._parse(answer.get("outputs"))
        self._layouts = [Layout(r.dtype, r.shape, r.stride) for r in described]
        buffers = self._parse(answer.get("buffers"))
        size = sum(region.nbytes for region in [*described, *buffers])
        if most_bytes is not None and size > most_bytes:
            raise Fault(
                "wrong_shape", f"the outputs take {size} bytes, far more than the reference's"
            )
        here = range(self._arena_there, self._arena_there + self._arena.size)
        self.latest = described
        self.in_inputs = frozenset(
            i for i, region in enumerate(described) if region.nbytes and region.address in here
        )
        self.returns_input = bool(self.in_inputs)
        outputs = [self._read(region) for region in [*described, *buffers]]
        self._check_inputs(regions, written)
        memory.thaw(self.pid)
        return outputs

    def reread(self, regions: Sequence[Region]) -> list[torch.Tensor]:
        """What lies now where the outputs of an earlier call were. Raises Fault."""
        self._freeze()
        outputs = [self._read(region) for region in regions]
        memory.thaw(self.pid)
        return outputs

    def batch(
        self,
        calls: Sequence[Sequence[Value]],
        gradients: Sequence[torch.Tensor] | None = None,
        ambush: Ambush | None = None,
    ) -> Batch:
        """Time several calls in a row, each on its own inputs. Leaves the worker stopped.

        Needs an earlier `call`, from which the layout of the outputs is known. Raises Fault.
        """
        message, regions, written = self._place(calls, gradients, self._random.randrange(2) * 16)
        memory.thaw(self.pid)
        self._command({"do": "batch", **message}, self._timeout)
        self._freeze()  # the inputs appear only now, when nothing can work on them ahead of the clock
        if self._locked:
            self.check_alone()
        self._fill(regions, written)
        self._board.clear()
        if ambush is not None:
            ambush.sampler.begin()
        count = len(calls) * len(self._layouts)
        deadline = time.monotonic() + self._timeout
        early: list[list[torch.Tensor]] = []
        begin = time.perf_counter_ns()
        try:
            memory.thaw(self.pid)
            self._sock.sendall(b"g")
            if ambush is not None:
                calls, written, early = self._ambushed(ambush, calls, regions, written)
            kind = wire.read_exactly(self._sock, 1, deadline)
            if kind == wire.FAILED:
                self._finish()
        except (wire.WireError, memory.Unreadable, OSError) as error:
            raise self._post_mortem(error) from error
        self._freeze()
        end = time.perf_counter_ns()
        addresses = self._board.addresses(count)
        if kind != wire.DONE or len(addresses) != count:
            raise Fault("protocol", "the worker broke the protocol of timed calls")
        here = [range(self._arena_there, self._arena_there + self._arena.size)]
        if ambush is not None:  # in any other leg it would cost more than it may
            here += memory.mappings(self.pid, "/memfd:arena")
        if not self.returns_input and any(
            address in span for address in addresses for span in here
        ):
            raise Fault(
                "output_is_input", "an output of a timed call lies in the memory of an input"
            )
        outputs = self._outputs_at(addresses)
        if gradients is None:
            self._check_apart(addresses)
        if regions:  # one of them, drawn at random: comparing all would cost more than the calls
            drawn = self._random.randrange(len(regions))
            self._check_inputs(regions[drawn : drawn + 1], written[drawn : drawn + 1])
        memory.thaw(self.pid)
        self._finish()
        self._confirm(addresses)
        self._freeze()
        self._check_solitary()  # else somebody of its own could run beside the next contestant
        return Batch((end - begin) * 1e-9, calls, outputs, early)

    def _ambushed(
        self,
        ambush: Ambush,
        calls: Sequence[Sequence[Value]],
        regions: Sequence[Region],
        written: list[torch.Tensor],
    ) -> tuple[Sequence[Sequence[Value]], list[torch.Tensor], list[list[torch.Tensor]]]:
        """Stop the running worker now and then.

        At the first stop the outputs of the calls that have returned are read, and the inputs of those
        that cannot have begun are exchanged. Returns the inputs then in force, by call and as written,
        and the outputs read.
        """
        early: list[list[torch.Tensor]] = []
        prctl(PR_SET_TIMERSLACK, 1)  # by default a sleep lasts 50 us longer than it need
        for number, seconds in enumerate(ambush.gaps_s):
            if self._ended_within(seconds, ambush.sampler):
                break
            self._freeze()
            self._check_solitary()  # also one that lives for no longer than a call
            ambush.sampler.look()
            if number == 0 and self._layouts:
                early = self._outputs_at(self._board.addresses(len(calls) * len(self._layouts)))
                kept = len(early) + 1  # the next call may be under way
                calls = [*calls[:kept], *ambush.spare[kept : len(calls)]]
                after = [v for call in calls for v in call if isinstance(v, torch.Tensor)]
                first = sum(isinstance(v, torch.Tensor) for call in calls[:kept] for v in call)
                self._fill(regions[first : len(after)], after[first:])
                written = [*after, *written[len(after) :]]
            memory.thaw(self.pid)
        return calls, written, early

    def _ended_within(self, seconds: float, sampler: Sampler) -> bool:
        """Whether the worker speaks within so many seconds; more of them where it has not got to run."""
        end = time.perf_counter() + seconds
        patience = end + 50 * max(seconds, _NAP_SECONDS)
        while (now := time.perf_counter()) < end or (sampler.idle() and now < patience):
            # Never without a sleep: the worker may need this core.
            if select.select([self._sock], [], [], max(end - now, _NAP_SECONDS))[0]:
                return True
        return False

    def _check_apart(self, addresses: Sequence[int]) -> None:
        """Outputs of one call share no memory where those of a checked one did not. Raises Fault."""
        width = len(self._layouts)
        if width < 2:
            return
        known = overlaps(self.latest)
        for i in range(0, len(addresses), width):
            places = zip(addresses[i : i + width], self._layouts, strict=True)
            if overlaps([Region(a, o.dtype, o.shape, o.stride) for a, o in places]) - known:
                raise Fault("overlapping_output", "outputs of a timed call share memory")

    def _outputs_at(self, addresses: Sequence[int]) -> list[list[torch.Tensor]]:
        """Copies of the outputs of whole calls that lie at these addresses, by call."""
        width = len(self._layouts)
        return [
            [
                self._read(Region(address, layout.dtype, layout.shape, layout.stride))
                for address, layout in zip(addresses[i : i + width], self._layouts, strict=True)
            ]
            for i in range(0, len(addresses) - width + 1, width or 1)
        ]

    def lockdown(self) -> None:
        """Forbid new processes, and make sure that none is there. Raises Fault."""
        self._command({"do": "lockdown"}, self._timeout)
        self._locked = True
        self.check_alone()
        if not level().seccomp:
            return
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                status = (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                continue
            count = status.partition("Seccomp_filters:")[2].split()
            if count and int(count[0]) < 2:
                raise Fault("lockdown_evaded", "the candidate kept its right to start processes")

    def _check_solitary(self) -> None:
        """Raises Fault when any process lives in the worker's tree but itself, once that is forbidden."""
        if self._locked and self._nursery.strays(self.pid):
            raise Fault("left_process", "the candidate runs a process of its own while it is timed")

    def check_alone(self) -> None:
        """Raises Fault when the worker has company in its tree, or threads on cores that are not its own."""
        if self._nursery.strays(self.pid):
            raise Fault("left_process", "the candidate left a process of its own running")
        allowed = set(self._nursery.cpus)
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                if not os.sched_getaffinity(int(task.name)) <= allowed:
                    raise Fault(
                        "foreign_cores", "the candidate runs on cores that were not given to it"
                    )

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
        strays = self._nursery.reap(self.pid, 0.05).strays
        self._arena.close()
        self._board.close()
        remove(self.folder)
        return strays

    # -- protocol ---------------------------------------------------------------------------------

    def _write(
        self,
        calls: Sequence[Sequence[Value]],
        gradients: Sequence[torch.Tensor] | None,
        skew: int,
        guard: guarded.Side | None = None,
        *,
        steady: bool = False,
    ) -> tuple[dict[str, Any], list[Region], list[torch.Tensor]]:
        """Put inputs (and output gradients) into the arena."""
        message, regions, written = self._place(calls, gradients, skew, guard, steady=steady)
        self._fill(regions, written)
        return message, regions, written

    def _fill(self, regions: Sequence[Region], values: Sequence[torch.Tensor]) -> None:
        for region, value in zip(regions, values, strict=True):
            self._arena.write(region, value)

    def _place(
        self,
        calls: Sequence[Sequence[Value]],
        gradients: Sequence[torch.Tensor] | None,
        skew: int,
        guard: guarded.Side | None = None,
        *,
        steady: bool = False,
    ) -> tuple[dict[str, Any], list[Region], list[torch.Tensor]]:
        """Places in the arena, at an address that varies unless `steady`, and what describes them."""
        tensors = [v for inputs in calls for v in inputs if isinstance(v, torch.Tensor)]
        everything = [*tensors, *(gradients or ())]
        room = self._arena.size - footprint(everything) - skew * 16 * len(everything)
        start = ALIGN * self._random.randrange(8) if room > ALIGN * 8 and not steady else 0
        regions, end = place(everything, start, skew=skew, guard=guard)
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

    def _build(self, request: dict[str, Any]) -> dict[str, Any]:
        given = request.get("flags", [])
        if not isinstance(given, list):
            return {"error": "flags must be a list"}
        try:
            flags = [str(flag) for flag in given]
            source = str(request["build"])
            path = self._builder.build(source, flags, self.folder / "builds", self._variant)
            self.built.append(source)
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
        end = self._nursery.reap(self.pid, 1.0)
        tail = self._tail()
        fault = Fault("resources", end.reason) if end.reason else ended(end.status, tail)
        fault.report, fault.sources = self._said(_LONGEST_REPORT), tuple(self.built)
        self.close()
        return fault

    def _tail(self) -> str:
        text = self._said(_LOG_TAIL)
        return f": {plain(text)}" if text else ""

    def _said(self, most_bytes: int) -> str:
        """The end of what the process has printed."""
        log = self.folder / "output.log"
        try:
            with log.open("rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - most_bytes))
                return stream.read(most_bytes).decode(errors="replace").strip()
        except OSError:
            return ""


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
