"""What runs in a worker: it holds a candidate (or a baseline) and calls it on demand.

A candidate shares this process, so nothing here is trusted: no reference, no expected output, no
tolerance, no seed, no clock that counts and no verdict is ever here. The parent stops the process when a
call returns and reads the outputs out of its memory itself.
"""

from __future__ import annotations

import gc
import mmap
import os
import resource
import socket
import struct
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness import inline_cpp, wire
from kernelwright.harness.arena import view
from kernelwright.harness.sandbox import Cage, enter, lockdown
from kernelwright.harness.sandbox.system import die_with_parent
from kernelwright.harness.wire import Region

DONE = b"d"
CALL = "kernelwright_call"


def main(config: dict[str, Any], connection: int, arena: int) -> None:
    """Serve one parent over `connection`; `arena` is its memory file."""
    sock = socket.socket(fileno=os.dup(connection))
    memory = mmap.mmap(os.dup(arena), config["arena_size"])
    scratch = config["cage"]["scratch"]
    redirect(config["log"])
    os.chdir(scratch)
    os.environ.update(config["environment"])
    os.sched_setaffinity(0, config["cpus"])
    inline_cpp.BUILDER = remote_builder(sock)
    torch.set_num_threads(config["threads"])
    if config["caged"]:
        parent = os.getppid()
        enter(Cage(**config["cage"]))
        die_with_parent(parent)  # again: changing the user took it back
    serve(sock, memory, scratch)


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


def serve(sock: socket.socket, memory: mmap.mmap, scratch: str) -> None:
    """Answer commands until told to stop."""
    flat = torch.frombuffer(memory, dtype=torch.uint8)
    worker = Worker(sock, flat, scratch)
    wire.send(sock, {"arena": flat.data_ptr()})
    commands: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "load": worker.load,
        "call": worker.call,
        "batch": worker.batch,
        "regions": worker.regions,
        "profile": worker.profile,
        "lockdown": worker.lockdown,
    }
    while True:
        try:
            message = wire.receive(sock)
        except wire.WireClosed:
            os._exit(0)
        name = message["do"]
        try:
            answer = commands[name](message)
        except BaseException as error:
            try:
                answer = {"error": describe(error)}
            except BaseException:  # an exception of the candidate's that raises when it is asked
                answer = {"error": {"type": "unprintable exception", "message": "", "line": None}}
        wire.send(sock, answer)


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

    def __init__(self, sock: socket.socket, flat: torch.Tensor, scratch: str) -> None:
        self._sock = sock
        self._flat = flat
        self._scratch = scratch
        self._model: Callable[..., Any] = torch.nn.Identity()
        self._kept: list[Any] = []
        self._poison: list[tuple[tuple[int, ...], torch.dtype]] = []

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Execute the source and build the model with the parameters that lie in the arena."""
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
            self._load_state(model, message["state"])
            model.train(message["train"])
        self._model = torch.compile(model) if message["compile"] else model
        return {"ok": True}

    def _load_state(self, model: torch.nn.Module, state: list[list[Any]]) -> None:
        """Parameters by name; where no name matches, by order, shape and dtype."""
        given = {name: self._tensor(region).clone() for name, region in state}
        own = model.state_dict()
        if not given.keys() & own.keys() and len(given) == len(own):
            given = dict(zip(own, given.values(), strict=True))
        missing = sorted(own.keys() - given.keys())
        unknown = sorted(given.keys() - own.keys())
        if missing or unknown:
            raise ValueError(
                "parameters cannot be transferred: "
                f"the reference lacks {missing or 'none'}, the candidate lacks {unknown or 'none'}"
            )
        model.load_state_dict(given)

    def _tensor(self, region: dict[str, Any]) -> torch.Tensor:
        return view(self._flat, Region.from_json(region))

    def _arguments(self, inputs: list[Any]) -> list[Any]:
        return [self._tensor(v) if isinstance(v, dict) else v for v in inputs]

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        """One call; answers where the outputs lie, and keeps them alive."""
        self._kept.clear()
        arguments = self._arguments(message["inputs"])
        gradients = message.get("gradients")
        if gradients is None:
            with torch.no_grad():
                out = flatten(self._model(*arguments))
        else:
            out = backward(self._model, arguments, [self._tensor(g) for g in gradients])
        self._kept.append(out)
        self._poison = [(tuple(t.shape), t.dtype) for t in out]
        return {"outputs": [describe_tensor(t) for t in out]}

    def batch(self, message: dict[str, Any]) -> dict[str, Any]:
        """Several calls between the parent's go and our done, which says where the outputs lie.

        Nothing but the calls happens in between; shapes and types are asked for afterwards.
        """
        calls = [self._arguments(inputs) for inputs in message["calls"]]
        self._kept.clear()
        poison(self._poison, len(calls))
        gc.collect()
        gc.disable()
        model, kept, sock = self._model, self._kept, self._sock
        if message["gradients"] is not None:
            given = [self._tensor(g) for g in message["gradients"]]
            inner = model
            model = lambda *a: backward(inner, list(a), given)  # noqa: E731
            grad_mode: Any = torch.enable_grad()
        else:
            grad_mode = torch.no_grad()
        wire.send(sock, {"ready": True})
        with grad_mode:
            sock.recv(1)
            for arguments in calls:
                kept.append(model(*arguments))
            addresses = [t.data_ptr() for out in kept for t in flatten(out)]
            sock.sendall(DONE + struct.pack(f"<I{len(addresses)}Q", len(addresses), *addresses))
        gc.enable()
        return {"ok": True}

    def regions(self, message: dict[str, Any]) -> dict[str, Any]:
        """Describe the outputs of the latest batch."""
        return {"outputs": [[describe_tensor(t) for t in flatten(out)] for out in self._kept]}

    def profile(self, message: dict[str, Any]) -> dict[str, Any]:
        """Own time by ATen operator over some calls, and the time of the calls, in microseconds."""
        arguments = self._arguments(message["inputs"])
        profiler = torch.autograd.profiler
        with torch.no_grad(), profiler.profile() as profile:
            for _ in range(message["repeat"]):
                with profiler.record_function(CALL):
                    self._model(*arguments)
        events = profile.key_averages()
        return {
            "operators": {e.key: e.self_cpu_time_total for e in events if e.key != CALL},
            "total": sum(e.cpu_time_total for e in events if e.key == CALL),
        }

    def lockdown(self, message: dict[str, Any]) -> dict[str, Any]:
        """No new processes from now on."""
        lockdown()
        return {"rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def poison(outputs: list[tuple[tuple[int, ...], torch.dtype]], copies: int) -> None:
    """Fill memory that the allocator is about to hand out, so that an unwritten output shows."""
    held = [torch.empty(shape, dtype=dtype) for _ in range(copies) for shape, dtype in outputs]
    for tensor in held:
        if tensor.numel():
            tensor.view(-1).view(torch.uint8).fill_(0xA5)


def flatten(out: Any) -> list[torch.Tensor]:
    """Tensors of a tensor, or of a tuple, list or dict of them. Raises TypeError."""
    if type(out) is torch.Tensor:
        return [out]
    if isinstance(out, torch.nn.Parameter):
        return [out.data]
    if type(out) in (tuple, list):
        return [t for item in out for t in flatten(item)]
    if type(out) is dict:
        return [t for item in out.values() for t in flatten(item)]
    raise TypeError(f"an output must be exactly torch.Tensor, not {type(out).__name__}")


def backward(
    model: Callable[..., Any], arguments: list[Any], gradients: list[torch.Tensor]
) -> list[torch.Tensor]:
    """Outputs, then gradients of floating inputs and of parameters, for given output gradients."""
    with torch.enable_grad():
        leaves = [
            a.detach().requires_grad_()
            if isinstance(a, torch.Tensor) and a.is_floating_point()
            else a
            for a in arguments
        ]
        out = flatten(model(*leaves))
        wanted = [a for a in leaves if isinstance(a, torch.Tensor) and a.requires_grad]
        if isinstance(model, torch.nn.Module):
            wanted += [p for p in model.parameters() if p.requires_grad]
        pairs = [(t, g) for t, g in zip(out, gradients, strict=False) if t.requires_grad]
        found = torch.autograd.grad(
            [t for t, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True
        )
    return [t.detach() for t in out] + [
        torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)
    ]


def describe_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    """Where a tensor lies. Raises TypeError for what is not a plain strided CPU tensor."""
    if type(tensor) is not torch.Tensor or tensor.layout is not torch.strided:
        raise TypeError(f"an output must be exactly torch.Tensor, not {type(tensor).__name__}")
    if tensor.device.type != "cpu":
        raise TypeError(f"an output lies on {tensor.device}, the inputs on cpu")
    shape, stride = tuple(tensor.shape), tensor.stride()
    return Region(tensor.data_ptr(), wire.dtype_name(tensor.dtype), shape, stride).to_json()
