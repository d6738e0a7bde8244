"""Records which functions of its C++ libraries a candidate calls, so that they can be called again alone.

Works in the candidate's own process (`prepare` is called there before it is loaded), so what is recorded
is a claim. One call of the model is recorded: the functions in their order with their arguments, and
the memory that their pointers lead to, as it is before the first function that is given it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from kernelwright.harness import inline_cpp

CALLS, BUFFERS = "calls.json", "buffers.bin"
_LARGEST = 192 << 20
"""Bytes of buffers that are written down."""
_MOST_CALLS = 4096


class Recorder:
    """Writes down the calls of one forward pass at a time, into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffers: dict[int, int] = {}
        self._held: list[torch.Tensor] = []
        self._calls: list[dict[str, Any]] = []
        self._problem = ""
        self._size = 0
        self._ended = True

    def _begin(self) -> None:
        """A call of the model begins: forget the one before."""
        self._ended = False
        self._buffers.clear()
        self._held.clear()
        self._calls.clear()
        self._problem, self._size = "", 0
        (self._folder / BUFFERS).write_bytes(b"")

    def end(self) -> None:
        """The call has returned: write down what it did."""
        if self._ended:
            self._begin()
        said = {"calls": self._calls, "problem": self._problem, "bytes": self._size}
        (self._folder / CALLS).write_text(json.dumps(said))
        self._ended = True

    def note(
        self, path: str, name: str, types: tuple[Any, list[Any]], args: tuple[Any, ...]
    ) -> None:
        """A function is about to be called."""
        if self._ended:
            self._begin()
        if self._problem:
            return
        if len(self._calls) >= _MOST_CALLS:
            self._problem = f"more than {_MOST_CALLS} calls of C++ functions"
            return
        restype, argtypes = types
        given = [self._argument(a, t, name) for a, t in zip(args, argtypes, strict=False)]
        self._calls.append(
            {
                "library": path,
                "function": name,
                "result": None if restype is None else restype.__name__,
                "arguments": given,
            }
        )

    def _argument(self, value: Any, kind: Any, function: str) -> dict[str, Any]:
        if isinstance(value, torch.Tensor):
            return {"buffer": self._buffer(value), "offset": _offset(value)}
        if kind.__name__ == "c_void_p" and value:
            self._problem = f"{function} is given an address that is not a tensor's"
        return {"type": kind.__name__, "value": value}

    def _buffer(self, tensor: torch.Tensor) -> int:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key not in self._buffers:
            size = storage.nbytes()
            if self._size + size > _LARGEST:
                self._problem = f"the tensors take more than {_LARGEST >> 20} MiB"
                return 0
            with (self._folder / BUFFERS).open("ab") as stream:
                stream.write(_bytes(storage))
            self._buffers[key] = self._size
            self._held.append(tensor)  # its memory must not be given to another one meanwhile
            self._size += size
        return self._buffers[key]


def _offset(tensor: torch.Tensor) -> int:
    return tensor.data_ptr() - tensor.untyped_storage().data_ptr()


def _bytes(storage: torch.UntypedStorage) -> bytes:
    flat = torch.empty(0, dtype=torch.uint8).set_(storage)
    return flat.numpy().tobytes()


def prepare(scratch: str) -> Callable[[], None]:
    """From now on libraries record what is called of them."""
    recorder = Recorder(Path(scratch))

    class RecordedLibrary(inline_cpp.Library):
        def __init__(self, path: str | Path, source: str) -> None:
            super().__init__(path, source)
            self._path = str(path)

        def __getattr__(self, name: str) -> Callable[..., Any]:
            call = super().__getattr__(name)
            types = self._prototypes[name]

            def recorded(*args: Any) -> Any:
                recorder.note(self._path, name, types, args)
                return call(*args)

            setattr(self, name, recorded)
            return recorded

    vars(inline_cpp)["Library"] = RecordedLibrary
    return recorder.end
