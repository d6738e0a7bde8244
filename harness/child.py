"""What runs in a worker: it holds a candidate (or a baseline) and calls it on demand.

A candidate shares this process, so nothing here is trusted: no reference, no expected output, no
tolerance, no seed, no clock that counts and no verdict is ever here. The parent stops the process when a
call returns and reads the outputs out of its memory itself.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import mmap
import os
import resource
import socket
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from kernelwright.harness import calls, guarded, inline_cpp, seals, wire
from kernelwright.harness.arena import view
from kernelwright.harness.calls import (
    backward,
    data_ptr,
    describe_tensor,
    flatten,
    forward_and_backward,
    poison,
    set_grad,
    trained,
)
from kernelwright.harness.sandbox import Cage, enter, lockdown
from kernelwright.harness.sandbox.leave import give
from kernelwright.harness.sandbox.system import die_with_parent
from kernelwright.harness.wire import Region

COMMANDS = ("load", "state", "call", "batch", "regions", "lockdown")
ON_DEVICE = "kernelwright.harness.gpu.child"
"""What runs in a worker that has its tensors on a device."""
# As they are before a candidate is there.
_RECEIVE, _SEND = socket.socket.recv, socket.socket.sendall


def main(config: dict[str, Any], descriptors: list[int], leave: socket.socket) -> None:
    """Serve one parent over the first of the descriptors; the others are its memory files, arena and board.

    `leave` leads to who may forbid new processes.
    """
    connection, arena, board = descriptors
    sock = socket.socket(fileno=os.dup(connection))
    on_device = importlib.import_module(ON_DEVICE) if config["device"] else None
    if on_device is None:
        rights = mmap.PROT_READ | (mmap.PROT_WRITE if config["writable"] else 0)
        memory = mmap.mmap(os.dup(arena), config["arena_size"], prot=rights)
    slots = memoryview(mmap.mmap(os.dup(board), 0)).cast("Q")
    scratch = config["cage"]["scratch"]
    os.chdir(scratch)
    os.environ.update(config["environment"])
    os.sched_setaffinity(0, config["cpus"])
    inline_cpp.BUILDER = remote_builder(sock)
    torch.set_num_threads(config["threads"])
    torch.empty(1 << 20).fill_(0)  # OpenMP starts its threads, each on a core of its own
    seen = importlib.import_module(config["before"]).prepare(scratch) if config["before"] else None
    seat = on_device.begin(config, os.dup(arena)) if on_device else None
    parent = os.getppid()
    die_with_parent(parent)  # also while it stands, when it cannot see that the socket is closed
    if config["caged"]:
        cage = Cage(**config["cage"])
        enter(cage, isolated=config["isolated"], pairs=True)
        give(leave, neighbours=not config["isolated"] and cage.user is None)
        die_with_parent(parent)  # again: changing the user took it back
    leave.close()
    if on_device:
        on_device.serve(sock, seat, slots, scratch, *config["rooms"])
    serve(sock, memory, slots, scratch, seen)


def redirect(log: str) -> None:
    """Send stdin from nowhere, stdout and stderr to a file."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)


def remote_builder(sock: socket.socket) -> Callable[[str, Sequence[str]], str]:
    """A build asked of the parent, who compiles in a cage without any candidate in it."""

    def build(source: str, flags: Sequence[str]) -> str:
        wire.send(sock, {"build": source, "flags": list(flags)})
        answer = wire.receive(sock)
        if "error" in answer:
            raise inline_cpp.BuildError(answer["error"])
        return str(answer["path"])

    return build


def serve(
    sock: socket.socket,
    memory: mmap.mmap,
    slots: memoryview[int],
    scratch: str,
    seen: Callable[[], Any] | None = None,
) -> None:
    """Answer commands until told to stop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the inputs cannot be written is the intention
        flat = torch.frombuffer(memory, dtype=torch.uint8)
    worker = Worker(sock, flat, slots, scratch, seen)
    sealed = seals.places([sys.modules[__name__], Worker, wire, calls])
    wire.send(sock, {"arena": flat.data_ptr(), "seals": sealed})
    answer(sock, worker, COMMANDS)


def answer(sock: socket.socket, worker: Worker, names: Sequence[str]) -> NoReturn:
    """Carry out commands of these names until the parent is gone."""
    # Looked up in nothing that could be changed but by writing to memory.
    commands = tuple((name, getattr(type(worker), name)) for name in names)
    while True:
        try:
            message = wire.receive(sock)
        except wire.WireClosed:
            os._exit(0)
        command = next(function for name, function in commands if name == message["do"])
        try:
            said = command(worker, message)
        except BaseException as error:
            try:
                said = {"error": describe(error)}
            except BaseException:  # an exception of the candidate's that raises when it is asked
                said = {"error": {"type": "unprintable exception", "message": "", "line": None}}
        wire.send(sock, said)


def describe(error: BaseException) -> dict[str, Any]:
    """Type, message and the line in the candidate's own file."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.endswith("candidate.py") or "reference" in frame.filename:
            line = frame.lineno
    text = str(error)
    if isinstance(error, SyntaxError):
        line = error.lineno
    kind = "BuildError" if isinstance(error, inline_cpp.BuildError) else type(error).__name__
    return {"type": kind, "message": text[:20_000], "line": line}


class Worker:
    """One loaded model and the outputs of its latest calls."""

    def __init__(
        self,
        sock: socket.socket,
        flat: torch.Tensor,
        slots: memoryview[int],
        scratch: str,
        seen: Callable[[], Any] | None,
    ) -> None:
        self._sock = sock
        self._flat = flat
        self._slots = slots
        self._scratch = scratch
        self._seen = seen
        self._heap = False
        """Whether inputs are copied to the heap, where a sanitizer watches around them."""
        self._model: Callable[..., Any] = torch.nn.Identity()
        self._module: torch.nn.Module | None = None
        self._trained: list[torch.nn.Parameter] = []
        self._buffers: list[str] = []
        self._kept: list[Any] = []
        self._left: list[torch.Tensor] = []
        """The wanted buffers after the latest batch."""
        self._poison: list[tuple[tuple[int, ...], torch.dtype]] = []
        self._timed = False

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Execute the source and build the model with the parameters that lie in the arena."""
        self._heap = bool(message.get("heap"))
        path = Path(self._scratch, "candidate.py")
        path.write_text(message["source"])
        module = types.ModuleType("candidate")
        module.__file__ = str(path)
        sys.modules["candidate"] = module
        exec(compile(message["source"], str(path), "exec"), module.__dict__)  # the point of it all
        args, kwargs = (wire.decode_value(v) for v in message["init"])
        torch.manual_seed(message["init_seed"])
        model = getattr(module, message["entry"])(*args, **kwargs)
        if isinstance(model, torch.nn.Module):
            self._module = model = self._placed(model)
            names = self._load_state(model, message["state"])
            model.train(message["train"])
            self._trained = trained(model, [names[name] for name in message["trained"]])
            self._buffers = [names[name] for name in message["buffers"]]
        self._model = torch.compile(model) if message["compile"] else model
        return {"ok": True}

    def _placed(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model where its inputs will be."""
        return model

    def state(self, message: dict[str, Any]) -> dict[str, Any]:
        """Change the values of parameters and buffers in place."""
        if self._module is not None:
            self._load_state(self._module, message["state"])
        return {"ok": True}

    def _load_state(self, model: torch.nn.Module, state: list[list[Any]]) -> dict[str, str]:
        """Parameters by name; where no name matches, by order, shape and dtype.

        Returns the model's own name for each given one.
        """
        given = {name: self._tensor(region).clone() for name, region in state}
        own = model.state_dict()
        names = {name: name for name in given}
        if not given.keys() & own.keys() and len(given) == len(own):
            names = dict(zip(given, own, strict=True))
            given = {names[name]: value for name, value in given.items()}
        # Buffers of its own (tables, scratch) are a candidate's business.
        missing = sorted(dict(model.named_parameters()).keys() - given.keys())
        unknown = sorted(given.keys() - own.keys())
        if missing or unknown:
            raise ValueError(
                "parameters cannot be transferred: "
                f"the reference lacks {missing or 'none'}, the candidate lacks {unknown or 'none'}"
            )
        model.load_state_dict(given, strict=False)
        return names

    def _tensor(self, region: dict[str, Any], guard: guarded.Side | None = None) -> torch.Tensor:
        """As it lies in the arena; or with no memory on one side of it; or on the heap."""
        place = Region.from_json(region)
        if self._heap:
            return guarded.on_heap(self._flat, place)
        return guarded.shared(self._flat, place, guard) if guard else view(self._flat, place)

    def _arguments(self, inputs: list[Any], guard: guarded.Side | None = None) -> list[Any]:
        return [self._tensor(v, guard) if isinstance(v, dict) else v for v in inputs]

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        """One call; answers where the outputs lie, and keeps them alive."""
        if not message.get("hold"):
            self._kept.clear()
        guard = message.get("guard")
        arguments = self._arguments(message["inputs"], guard)
        gradients = message.get("gradients")
        fenced = guarded.state(self._model, guard) if guard else contextlib.nullcontext()
        with fenced:
            if gradients is None:
                with torch.no_grad():
                    out = flatten(self._model(*arguments))
            else:
                given = [self._tensor(g, guard) for g in gradients]
                out = backward(self._model, arguments, given, self._trained)
        self._kept.append(out)
        self._poison = [(tuple(t.shape), t.dtype) for t in out]
        return {
            "outputs": [describe_tensor(t) for t in out],
            "buffers": [describe_tensor(t) for t in self._wanted_buffers()],
            "seen": self._seen() if self._seen else None,
        }

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
        """Several calls between the parent's go and our done.

        As each returns, the places of its outputs go to the board, and how many stand there to slot 0;
        at the end those of the wanted buffers. Nothing else happens in between; shapes and types are
        asked for afterwards.
        """
        calls = [self._arguments(inputs) for inputs in message["calls"]]
        self._kept.clear()
        poison(self._poison, len(calls))
        collect()
        if not self._timed:  # what stays is not looked through again: torch.compile's takes 200 ms
            freeze()
            self._timed = True
        disable()
        model, kept, sock, slots = self._model, self._kept, self._sock, self._slots
        buffers = self._wanted_buffers
        upstream = message["upstream"]
        if upstream is not None:
            model = functools.partial(forward_and_backward, model, upstream, self._trained)
        set_grad(upstream is not None)
        wire.send(sock, {"ready": True})
        try:
            receive(sock, 1)
            index = 0
            for arguments in calls:
                out = model(*arguments)
                kept.append(out)
                for tensor in flatten(out):
                    index += 1
                    slots[index] = place(tensor)
                slots[0] = index
            if self._buffers:
                self._left = buffers()
                for tensor in self._left:
                    index += 1
                    slots[index] = place(tensor)
                slots[0] = index
            send(sock, done)
        except BaseException:
            send(sock, failed)
            raise
        finally:
            set_grad(True)
        enable()
        return {"ok": True}

    def _wanted_buffers(self) -> list[torch.Tensor]:
        """The wanted buffers as they are now."""
        if self._module is None or not self._buffers:
            return []
        own = dict(self._module.named_buffers(remove_duplicate=False))
        if not all(name in own for name in self._buffers):  # it names its state in a way of its own
            own = self._module.state_dict()
        return [own[name] for name in self._buffers]

    def regions(self, message: dict[str, Any]) -> dict[str, Any]:
        """Describe the outputs of the latest batch, and the buffers after it."""
        return {
            "outputs": [[describe_tensor(t) for t in flatten(out)] for out in self._kept],
            "buffers": [describe_tensor(t) for t in self._left],
        }

    def lockdown(self, message: dict[str, Any]) -> dict[str, Any]:
        """No new processes from now on."""
        lockdown()
        return {"rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
