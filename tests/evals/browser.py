"""Headless Chromium, driven through its DevTools protocol over a pipe: no client library is needed.

Protocol: https://chromedevtools.github.io/devtools-protocol/. Messages are JSON, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The browser to use: $KW_CHROMIUM, or what is installed."""
    return os.environ.get("KW_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one tab. `events` is everything it told, oldest first."""

    def __init__(self, binary: str) -> None:
        self._profile = tempfile.TemporaryDirectory(
            prefix="kw-browser-", ignore_cleanup_errors=True
        )
        child_reads, self._write = os.pipe()
        self._read, child_writes = os.pipe()
        # High numbers, so that neither is overwritten when they become 3 and 4.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 60) for fd in (child_reads, child_writes)]
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}",
            "about:blank",
        ]  # fmt: skip
        script = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, binary, *options],
            pass_fds=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (child_reads, child_writes, *theirs):
            os.close(fd)
        self._left = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._session = None
        try:
            self.call("Browser.close")
        except (OSError, TimeoutError):
            self._process.kill()
        self._process.wait(timeout=20)
        os.close(self._read)
        os.close(self._write)
        self._profile.cleanup()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command; raises RuntimeError with what the browser says is wrong."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while True:
            answer = self._next(end)
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self._read, 1 << 20)
            if not piece:
                raise OSError("the browser is gone")
            self._left += piece
        text, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(text))

    def view(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Set the size of the page in CSS pixels, and the wish for a colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, file: Path, route: str = "") -> None:
        """Open a file, and wait until the page says that it is ready."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=file.absolute().as_uri() + route)
        self.until("document.documentElement?.dataset.ready === 'yes'")
        self.until("[...document.querySelectorAll('.stage')].every((s) => s.firstChild)")

    def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + 60
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page; raises RuntimeError for an exception in it."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def key(self, key: str, code: int, text: str = "") -> None:
        """Press and release one key."""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **more,
            )

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """A screenshot as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Everything that a developer's console would show as an error or a warning."""
        found = []
        for event in self.events:
            data = event.get("params", {})
            match event.get("method"):
                case "Runtime.exceptionThrown":
                    found.append(str(data["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if data["type"] in ("error", "warning", "assert"):
                    found.append(str(data["args"]))
                case "Log.entryAdded" if data["entry"]["level"] in ("error", "warning"):
                    found.append(str(data["entry"]["text"]))
        return found

    def requests(self) -> list[str]:
        """Addresses of everything that was loaded."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
