"""`mailbox:DIR`: a prompt file out, an answer file in. A person or another agent answers.

For call 7 there are `0007.prompt.md` (to read), `0007.json` (the same, for programs) and, once
somebody wrote it, `0007.answer.md`. A call that is made again after a restart keeps its number, and
takes an answer that is there already.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kernelwright.agents.models.base import (
    UNKNOWN,
    UNMETERED,
    Exchange,
    Message,
    Meter,
    ModelError,
    Reply,
    Schema,
    size_of,
)
from kernelwright.agents.models.command import prompt
from kernelwright.agents.models.halt import Halt
from kernelwright.agents.models.options import Options
from kernelwright.tasks.errors import UsageError

OPTIONS = ("timeout",)
END = "<!-- end -->"
"""The last line of an answer that is complete, for those who write it piece by piece."""
SETTLE_S = 3.0
"""An answer without that line is complete when it has not changed for so long."""
POLL_S = 0.25
MOST_BYTES = 16 * 2**20
_PROMPTS = Path(__file__).parents[1] / "prompts"


class MailboxModel:
    """Waits for files. What an answer costs is unknown."""

    def __init__(
        self,
        folder: Path,
        *,
        spec: str | None = None,
        options: Options | None = None,
        halt: Halt | None = None,
        settle_s: float = SETTLE_S,
        poll_s: float = POLL_S,
    ) -> None:
        """Raises UsageError for a folder that cannot be written."""
        self.spec = spec or f"mailbox:{folder}"
        self._folder = folder
        self._halt = halt or Halt()
        self._timeout_s = options.timeout if options else None
        self._settle_s = settle_s
        self._poll_s = poll_s
        try:
            folder.mkdir(parents=True, exist_ok=True)
            how = (_PROMPTS / "mailbox.md").read_text(encoding="utf-8")
            _put(folder / "README.md", how.replace("$end", END))
        except OSError as error:
            raise UsageError(f"{self.spec}: cannot write there: {error.strerror}") from None

    def ask(
        self,
        messages: Sequence[Message],
        *,
        label: str,
        schema: Schema | None = None,
        meter: Meter = UNMETERED,
    ) -> Reply:
        """The answer that somebody writes. Raises ModelError when nobody does in time, Cancelled."""
        return meter.charged(
            self.spec, size_of(messages), None, lambda limit: self._ask(messages, label, schema)
        )

    def _ask(self, messages: Sequence[Message], label: str, schema: Schema | None) -> Reply:
        began = time.monotonic()
        try:
            number = self._post(messages, label, schema)
            text = self._wait(self._folder / f"{number}.answer.md")
        except OSError as error:
            raise ModelError(f"{self.spec}: {error.filename}: {error.strerror}") from error
        taken = Exchange(total_s=time.monotonic() - began, streamed=False, structured=None)
        return Reply(text, spend=UNKNOWN, model=self.spec, exchange=taken)

    def _post(self, messages: Sequence[Message], label: str, schema: Schema | None) -> str:
        """The number of this call: that of an earlier session, or the next with a new prompt."""
        talk = [asdict(m) for m in messages]
        key = hashlib.sha256(json.dumps([label, talk]).encode()).hexdigest()
        numbers = [int(p.stem) for p in self._folder.glob("*.json") if re.fullmatch(r"\d+", p.stem)]
        for number in sorted(numbers):
            if _key(self._folder / f"{number:04}.json") == key:
                return f"{number:04}"
        data: dict[str, Any] = {
            "label": label,
            "key": key,
            "schema": dict(schema.body) if schema else None,
            "messages": talk,
        }
        new = self._folder / f".{secrets.token_hex(8)}"
        _write(new, json.dumps(data, indent=1, ensure_ascii=False))
        try:
            for count in itertools.count(max(numbers, default=0) + 1):
                name = f"{count:04}"
                try:
                    # A link fails where another run took the number first.
                    os.link(new, self._folder / f"{name}.json")
                except FileExistsError:
                    continue
                _put(self._folder / f"{name}.prompt.md", _readable(name, label, messages))
                return name
        finally:
            new.unlink()
        raise AssertionError("numbers do not end")

    def _wait(self, file: Path) -> str:
        """The text of an answer once it is complete."""
        began = time.monotonic()
        seen: tuple[int, int] | None = None
        since = began
        while True:
            state = _state(file)
            now = time.monotonic()
            if state != seen:
                seen, since = state, now
            if state and state[0]:
                if state[0] > MOST_BYTES:
                    raise ModelError(f"{self.spec}: {file.name} is longer than {MOST_BYTES} bytes")
                text = file.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff")
                whole = text.rstrip().endswith(END)
                old = time.time() - state[1] / 1e9 > self._settle_s
                if whole or (text.strip() and (old or now - since >= self._settle_s)):
                    return text.rstrip().removesuffix(END) if whole else text
            if self._timeout_s is not None and now - began > self._timeout_s:
                raise ModelError(
                    f"{self.spec}: no {file.name} in {self._timeout_s:.0f} s; "
                    "write it and resume the run"
                )
            self._halt.wait(self._poll_s)


def _readable(number: str, label: str, messages: Sequence[Message]) -> str:
    head = f"<!-- call {number}, {label}: write the answer to {number}.answer.md -->\n\n"
    return head + prompt(messages).encode("utf-8", "replace").decode() + "\n"


def _key(file: Path) -> str | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data.get("key") if isinstance(data, dict) else None


def _state(file: Path) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in ns; None where there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _put(file: Path, text: str) -> None:
    """Write a whole file, or leave what was there."""
    new = file.with_name(f".{secrets.token_hex(8)}")
    _write(new, text)
    new.replace(file)


def _write(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
