"""One process with one model in it: load it, call it, time its calls.

The clock that counts is here: a batch of calls lasts from our go until its done has been read, and at
that moment the worker is stopped and its outputs are read out of its memory. What the worker says of
itself is only ever where its outputs lie.
"""

from __future__ import annotations

import random
import re
import select
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from kernelwright.harness import guarded, memory, pages, wire
from kernelwright.harness.arena import footprint
from kernelwright.harness.builds import Builder
from kernelwright.harness.fault import Fault
from kernelwright.harness.memories import Shared
from kernelwright.harness.nursery import Nursery
from kernelwright.harness.outputs import Pair, overlaps
from kernelwright.harness.process import LOAD_SECONDS, Process, Setup
from kernelwright.harness.sampling import Sampler
from kernelwright.harness.sandbox.system import PR_SET_TIMERSLACK, prctl
from kernelwright.harness.tray import Given, Tray, Value, same_bytes
from kernelwright.harness.wire import Region

__all__ = ["Ambush", "Batch", "Layout", "Setup", "Value", "Worker", "same_bytes"]

COMPILE_SECONDS = 120.0
"""What a checked call may take, at the least, of a candidate that has a compiler write its code."""
EMULATION_SECONDS = 120.0
"""What a call may take of a kernel that something else than its device runs."""
_COMPILES = re.compile(r"\b(compile|jit|load_inline|cpp_extension|numba|triton|custom_op)\b")
"""Only a hint: who hides it is given the time of any other call."""
_NAP_SECONDS = 20e-6
_PAGES_LOOKED_AT = 0.1
"""Share of the timed legs without an ambush after which the memory map is read."""


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
    """The arguments in force: an ambush exchanges some."""
    outputs: list[list[torch.Tensor]] = field(repr=False)
    early: list[list[torch.Tensor]] = field(default_factory=list, repr=False)
    """In an ambush, the outputs of the first calls as they were while the others were under way."""
    buffers: list[torch.Tensor] = field(default_factory=list, repr=False)
    """In training mode, the wanted buffers after the last call."""
    unsure: frozenset[int] = frozenset()
    """Calls that may have begun while their inputs were exchanged: of their outputs nothing can be said."""


@dataclass(frozen=True)
class Ambush:
    """Stops amid a batch, of which the worker can know nothing beforehand."""

    gaps_s: Sequence[float]
    """Seconds from go to the first stop, and from each to the next."""
    spare: Sequence[Sequence[Value]] = field(repr=False)
    """Arguments to exchange, for each call."""
    sampler: Sampler
    silent: bool = False
    """Nothing stops it: inputs of calls that have not begun are exchanged beside it, one at each moment."""


class Worker:
    """One process with one model in it. Not for use by several threads."""

    def __init__(
        self,
        nursery: Nursery,
        builder: Builder,
        setup: Setup,
        *,
        inputs_bytes: int,
        timeout: float,
        on_device: Callable[[int], Shared] | None = None,
    ) -> None:
        """`on_device` gives memory of a device of so many bytes, in place of the host's."""
        room = max(inputs_bytes, footprint([t for _, t in setup.state])) + (64 << 10)
        shared = on_device(room) if on_device else None
        self._process = Process(nursery, builder, setup, room=room, shared=shared)
        self.pid, self.folder = self._process.pid, self._process.folder
        self.own_folders, self.built = self._process.own_folders, self._process.built
        self._tray = Tray(self._process.arena)
        self._timeout = timeout
        compiles = setup.caged and _COMPILES.search(setup.source)
        self._patience = max(timeout, COMPILE_SECONDS) if compiles else timeout
        if setup.before:
            self._timeout = self._patience = max(timeout, EMULATION_SECONDS)
        self.seen: list[Any] = []
        """What the module of `Setup.before` has said after each call, unless it was nothing. A claim."""
        """For calls, until new processes are forbidden: no compiler can be started then."""
        self._random = random.SystemRandom()
        self._layouts: list[Layout] = []
        self._left: list[Layout] = []
        """Of the wanted buffers."""
        self.latest: list[Region] = []
        """Where the outputs of the latest call lie."""
        self.in_inputs: frozenset[int] = frozenset()
        """Which of them lay in the memory of the inputs."""
        self.in_one_place: frozenset[Pair] = frozenset()
        """Which of them, by pairs, were the same pages at different addresses, where there are several."""
        self._unsettled: tuple[Sequence[int], Sequence[int]] | None = None
        """Where outputs and buffers of the latest batch lie, of which the worker has not yet said what they
        are."""
        self._renewed = setup.state if setup.train else ()  # which every call there changes
        try:
            self._load(setup)
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.alive

    @property
    def returns_input(self) -> bool:
        """Whether an output of the latest call lay in the memory of the inputs."""
        return bool(self.in_inputs)

    # -- commands ---------------------------------------------------------------------------------

    def load_state(
        self, state: Iterable[tuple[str, torch.Tensor]], *, lasting: bool = True
    ) -> None:
        """Change parameters and buffers in place, in the model that is there. Raises Fault.

        In training mode a `lasting` state is the one in which checked calls begin from now on.
        """
        pairs = tuple(state)
        self._resume()
        self._command({"do": "state", "state": self._tray.state(pairs)})
        if self._renewed and lasting:
            self._renewed = pairs

    def _load(self, setup: Setup) -> None:
        self._process.command(
            {
                "do": "load",
                "source": setup.source,
                "entry": setup.entry,
                "init": list(setup.init),
                "init_seed": self._random.randrange(1 << 31),
                "state": self._tray.state(setup.state),
                "train": setup.train,
                "trained": list(setup.trained),
                "buffers": list(setup.buffers),
                "compile": setup.compile,
                "heap": setup.variant in ("sanitized", "checked"),
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
        if self._unsettled is not None:
            self._resume()
        if self._renewed:
            self.load_state(self._renewed)
        given = self._tray.place([inputs], gradients, skew, guard, steady=steady)
        self._tray.fill(given.regions, given.values)
        try:
            answer = self._command(
                {
                    "do": "call",
                    "inputs": given.message["calls"][0],
                    "gradients": given.message["gradients"],
                    "hold": hold,
                    "guard": guard,
                },
                timeout or (self._timeout if self._process.locked else self._patience),
            )
        except Fault as fault:
            if guard is None:
                raise
            raise guarded.explained(fault, guard) from fault
        self._process.freeze()
        if answer.get("seen"):
            self.seen.append(answer["seen"])
        described = self._parse(answer.get("outputs"))
        buffers = self._parse(answer.get("buffers"))
        self._layouts, self._left = (
            [Layout(r.dtype, r.shape, r.stride) for r in regions]
            for regions in (described, buffers)
        )
        size = sum(region.nbytes for region in [*described, *buffers])
        if most_bytes is not None and size > most_bytes:
            raise Fault(
                "wrong_shape", f"the outputs take {size} bytes, far more than the reference's"
            )
        here = self._arena_there()
        self.latest = described
        self.in_inputs = frozenset(
            i for i, region in enumerate(described) if region.nbytes and region.address in here
        )
        self.in_one_place = self._same_pages(described) if len(described) > 1 else frozenset()
        outputs = [self._process.read(region) for region in [*described, *buffers]]
        self._tray.check(given.regions, given.values)
        self._process.thaw()
        return outputs

    def reread(self, regions: Sequence[Region]) -> list[torch.Tensor]:
        """What lies now where the outputs of an earlier call were. Raises Fault."""
        self._process.freeze()
        outputs = [self._process.read(region) for region in regions]
        self._process.thaw()
        return outputs

    def batch(
        self,
        calls: Sequence[Sequence[Value]],
        upstream: int | None = None,
        ambush: Ambush | None = None,
    ) -> Batch:
        """Time several calls in a row, each on its own inputs. Leaves the worker stopped.

        The last `upstream` arguments of each call are gradients for its outputs; None: there is no
        backward pass. Needs an earlier `call`, from which the layout of the outputs is known. Raises Fault.
        """
        given = self._tray.place(calls, None, self._random.randrange(2) * 16)
        self._resume()
        self._command({"do": "batch", "calls": given.message["calls"], "upstream": upstream})
        self._process.freeze()  # the inputs appear only now, when nothing can work on them ahead of the clock
        if self._process.locked:
            self._process.check_alone()
        self._tray.fill(given.regions, given.values)
        self._process.board.clear()
        stops = ambush is not None and not ambush.silent
        if ambush is not None and stops:
            ambush.sampler.begin()
        count = len(calls) * len(self._layouts)
        deadline = time.monotonic() + self._timeout
        early: list[list[torch.Tensor]] = []
        begin = time.perf_counter_ns()
        self._process.go()
        unsure: frozenset[int] = frozenset()
        if ambush is not None and stops:
            calls, given, early = self._ambushed(ambush, calls, given)
        elif ambush is not None:
            calls, given, unsure = self._exchanged_beside(ambush, calls, given)
        with self._process.mourned():
            kind = wire.read_exactly(self._process.socket, 1, deadline)
        if kind == wire.FAILED:
            self._process.finish(self._timeout)
        self._process.freeze()
        end = time.perf_counter_ns()
        told = self._process.board.addresses(count + len(self._left))
        if kind != wire.DONE or len(told) != count + len(self._left):
            raise Fault("protocol", "the worker broke the protocol of timed calls")
        addresses, left = told[:count], told[count:]
        here = [self._arena_there()]
        if stops:  # in any other leg it would cost more than it may
            here += memory.mappings(self.pid, "/memfd:arena")
        if not self.returns_input and any(
            address in span for address in addresses for span in here
        ):
            raise Fault(
                "output_is_input", "an output of a timed call lies in the memory of an input"
            )
        outputs = self._outputs_at(addresses)
        buffers = [
            self._read_at(place, layout) for place, layout in zip(left, self._left, strict=True)
        ]
        if upstream is None:
            seldom = self._random.random() < _PAGES_LOOKED_AT
            self._check_apart(addresses, pages_too=stops or seldom)
        self._tray.check_one(given.regions, given.values)
        self._process.check_solitary()  # else somebody of its own could run beside the next contestant
        self._process.check_sealed()
        self._unsettled = addresses, left
        return Batch((end - begin) * 1e-9, calls, outputs, early, buffers, unsure)

    def settle(self) -> None:
        """Have the worker say what the outputs of the latest batch are, and leave it stopped. Raises Fault.

        Not before its next turn: whatever it does after its calls would be done to the next contestant.
        """
        if self._unsettled is not None and self.alive:
            self._resume()
            self._process.freeze()

    def _resume(self) -> None:
        self._process.thaw()
        if self._unsettled is not None:
            told, self._unsettled = self._unsettled, None
            self._process.finish(self._timeout)
            self._confirm(*told)

    def _ambushed(
        self,
        ambush: Ambush,
        calls: Sequence[Sequence[Value]],
        given: Given,
    ) -> tuple[Sequence[Sequence[Value]], Given, list[list[torch.Tensor]]]:
        """Stop the running worker now and then.

        At the first stop the outputs of the calls that have returned are read, and the inputs of those
        that cannot have begun are exchanged. Returns the inputs then in force, by call and as they lie there,
        and the outputs read.
        """
        early: list[list[torch.Tensor]] = []
        prctl(PR_SET_TIMERSLACK, 1)  # by default a sleep lasts 50 us longer than it need
        for number, seconds in enumerate(ambush.gaps_s):
            if self._ended_within(seconds, ambush.sampler):
                break
            self._process.freeze()
            if self._ended():  # while we waited for a core, or for its threads to stand
                break
            self._process.check_solitary()  # also one that lives for no longer than a call
            self._process.check_sealed()
            ambush.sampler.look()
            if number == 0 and self._layouts:
                returned = self._process.board.addresses(len(calls) * len(self._layouts))
                early = self._outputs_at(returned)
                kept = len(early) + 1  # the next call may be under way
                calls = [*calls[:kept], *ambush.spare[kept : len(calls)]]
                after = [v for call in calls for v in call if isinstance(v, torch.Tensor)]
                first = sum(isinstance(v, torch.Tensor) for call in calls[:kept] for v in call)
                self._tray.fill(given.regions[first : len(after)], after[first:])
                given = replace(given, values=[*after, *given.values[len(after) :]])
            self._process.thaw()
        return calls, given, early

    def _exchanged_beside(
        self, ambush: Ambush, calls: Sequence[Sequence[Value]], given: Given
    ) -> tuple[Sequence[Sequence[Value]], Given, frozenset[int]]:
        """Exchange the inputs of calls that have not begun, while the worker runs and can know nothing of it.

        Returns the inputs then in force, by call and as they lie there, and calls that have perhaps begun
        before theirs lay there.
        """
        width, board = max(1, len(self._layouts)), self._process.board
        now, unsure = list(calls), set()
        for seconds in ambush.gaps_s:
            if select.select([self._process.socket], [], [], seconds)[0]:
                break
            begun = board.returned() // width + 1  # the next one may be under way
            if begun >= len(now):
                break
            chosen = self._random.randrange(begun, len(now))
            before = sum(isinstance(v, torch.Tensor) for call in now[:chosen] for v in call)
            fresh = [v for v in ambush.spare[chosen] if isinstance(v, torch.Tensor)]
            place = slice(before, before + len(fresh))
            self._tray.fill(given.regions[place], fresh)
            if board.returned() >= chosen * width:
                unsure.add(chosen)
            now[chosen] = ambush.spare[chosen]
            values = list(given.values)
            values[place] = fresh
            given = replace(given, values=values)
        return now, given, frozenset(unsure)

    def _ended_within(self, seconds: float, sampler: Sampler) -> bool:
        """Whether the worker speaks within so many seconds; more of them where it has not got to run."""
        end = time.perf_counter() + seconds
        patience = end + 50 * max(seconds, _NAP_SECONDS)
        while (now := time.perf_counter()) < end or (sampler.idle() and now < patience):
            # Never without a sleep: the worker may need this core.
            if self._ended(max(end - now, _NAP_SECONDS)):
                return True
        return False

    def _ended(self, seconds: float = 0.0) -> bool:
        """Whether the worker has said that its calls are over, or says so within that time."""
        return bool(select.select([self._process.socket], [], [], seconds)[0])

    def _check_apart(self, addresses: Sequence[int], *, pages_too: bool) -> None:
        """Outputs of one call share no memory where those of a checked one did not. Raises Fault."""
        width = len(self._layouts)
        if width < 2 and not pages_too:
            return
        files = pages.mapped(memory.map_lines(self.pid)) if pages_too else []
        known = overlaps(self.latest) | self.in_one_place
        for i in range(0, len(addresses), max(width, 1)):
            places = zip(addresses[i : i + width], self._layouts, strict=True)
            regions = [Region(a, o.dtype, o.shape, o.stride) for a, o in places]
            if (overlaps(regions) | pages.shared(files, regions)) - known:
                raise Fault("overlapping_output", "outputs of a timed call share memory")

    def _same_pages(self, regions: Sequence[Region]) -> frozenset[Pair]:
        with self._process.mourned():
            return pages.shared(pages.mapped(memory.map_lines(self.pid)), regions)

    def _outputs_at(self, addresses: Sequence[int]) -> list[list[torch.Tensor]]:
        """Copies of the outputs of whole calls that lie at these addresses, by call."""
        width = len(self._layouts)
        return [
            [
                self._read_at(address, layout)
                for address, layout in zip(addresses[i : i + width], self._layouts, strict=True)
            ]
            for i in range(0, len(addresses) - width + 1, width or 1)
        ]

    def _read_at(self, address: int, layout: Layout) -> torch.Tensor:
        return self._process.read(Region(address, layout.dtype, layout.shape, layout.stride))

    # -- its process ------------------------------------------------------------------------------

    def lockdown(self) -> None:
        """Forbid new processes, and make sure that none is there. Raises Fault."""
        self._process.lockdown(self._timeout)

    def check_alone(self) -> None:
        """Raises Fault when the worker has company in its tree, or threads on cores that are not its own."""
        self._process.check_alone()

    def pause(self) -> None:
        """Stop the worker until its next batch."""
        self._process.freeze()

    def close(self) -> int:
        """End the worker and everything it started; returns how many processes it left behind."""
        return self._process.close()

    # -- protocol ---------------------------------------------------------------------------------

    def _command(self, message: dict[str, Any], timeout: float | None = None) -> dict[str, Any]:
        return self._process.command(message, timeout or self._timeout)

    def _arena_there(self) -> range:
        """Where the worker has the inputs in its memory."""
        start = self._process.arena_there
        return range(start, start + self._process.arena.size)

    def _confirm(self, addresses: Sequence[int], left: Sequence[int]) -> None:
        """The outputs of the latest batch, and the buffers that it left, are what we took them for: place,
        type, shape, strides."""
        answer = self._command({"do": "regions"})
        outputs = answer.get("outputs")
        if not isinstance(outputs, list):
            raise Fault("protocol", "the worker broke the protocol")
        described = [region for out in outputs for region in self._parse(out)]
        described += self._parse(answer.get("buffers"))
        repeated = self._layouts * (len(addresses) // len(self._layouts))
        expected = list(zip([*addresses, *left], [*repeated, *self._left], strict=True))
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
