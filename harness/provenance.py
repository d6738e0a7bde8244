"""Whose code does the work: the candidate's own, or a library's.

Processor time during timed calls, sampled from outside (`sampling.py`), decides the track: `custom` where
less than a tenth of a call is spent in libraries, `library` where they have more than four fifths of what
own code and libraries do, `mixed` between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kernelwright.harness.allowance import LEAST_S
from kernelwright.harness.verdict import Track

Kind = Literal["own", "library", "interpreter", "helper", "generated", "threads", "nowhere"]
"""`helper`: the C and mathematics libraries, whose time is their caller's. `generated`: machine code made
at run time, its maker's. `threads`: the OpenMP runtime, its caller's, else nobody's."""

CUSTOM_BELOW, LIBRARY_ABOVE = 0.1, 0.8
_OWN_LEAST, _LIBRARY_LEAST = 0.5, 0.02
"""Own code does the work with at least half of the time that libraries have, however much goes to the
interpreter beside both."""
_UNSEEN_BESIDE_S = 20e-6
"""A kernel of one's own beside which libraries take longer a call than this does not go unseen."""
LEAST_TELLING = 4
"""Looks that found work, without which libraries are not said to have done it."""
LARGEST_OWN = 4 << 20
"""Bytes of machine code, padding left out; more of one sort was not compiled by a candidate, but copied."""

_HELPER = re.compile(
    r"(libc|libm|libmvec|libpthread|libdl|librt|ld-linux|libstdc\+\+|libgcc_s|libc\+\+)[.-]"
)
_THREADS = re.compile(r"lib(gomp|iomp5|omp)\b")
_INTERPRETER = re.compile(r"python3?[\d.]*$|libpython|lib_?ffi\b|libffi-|_ctypes|libtorch_python\b")


def kind_of(path: str, size: int, own: tuple[str, ...]) -> Kind:
    """Whose code lies in an executable mapping of that path, of whose sort there are `size` bytes
    of code.

    `own` are the folders of a candidate's libraries.
    """
    if any(path.startswith(f"{folder}/") for folder in own):
        return "library" if size > LARGEST_OWN else "own"
    name = path.rpartition("/")[2]
    if not path.startswith("/") or path.startswith(("/dev/zero", "/memfd:", "/SYSV")):
        if path.startswith("[vdso]"):
            return "helper"
        return "library" if size > LARGEST_OWN else "generated"
    if _HELPER.match(name):
        return "helper"
    if _THREADS.match(name):
        return "threads"
    if _INTERPRETER.match(name) or "/lib-dynload/" in path:
        return "interpreter"
    return "library"


@dataclass(frozen=True)
class Profile:
    """Seconds of processor time by kind of code, over some calls."""

    seconds: Mapping[Kind, float]
    native: bool = False
    """Whether a library that was built from the candidate's source is loaded."""
    longest: float = 0.0
    """Of all threads between two looks, the longest; `longest_library` of those in libraries."""
    longest_library: float = 0.0
    free_s: float = LEAST_S
    """Library time of a call that is free for a kernel of one's own: torch.empty and a few views
    (`allowance.py`). Who has the library do the work in so little time gains nothing by it."""
    telling: int | None = None
    """Looks that found work, its own or a library's; None: not counted."""

    def __add__(self, other: Profile) -> Profile:
        kinds = self.seconds.keys() | other.seconds.keys()
        both = {k: self.seconds.get(k, 0.0) + other.seconds.get(k, 0.0) for k in kinds}
        return Profile(
            both,
            self.native or other.native,
            self.longest + other.longest,
            self.longest_library + other.longest_library,
            max(self.free_s, other.free_s),
            None
            if self.telling is other.telling is None
            else (self.telling or 0) + (other.telling or 0),
        )

    def library_share(self, call_s: float) -> float | None:
        """Share of the work that libraries did, in calls of `call_s` seconds; None: nothing was seen.

        Of all processor time, or of the longest threads, whichever is more: any number of threads that
        spin beside one that has a library do the work hide nothing.
        """
        total = sum(s for kind, s in self.seconds.items() if kind != "threads")
        if not total:
            return None
        own, library = (self.seconds.get(kind, 0.0) / total for kind in ("own", "library"))
        unseen = self.native and library * call_s < _UNSEEN_BESIDE_S
        works = unseen or own > _OWN_LEAST * library
        # What is more than little anywhere is free only beside twice as much work of one's own.
        free = max(LEAST_S / max(call_s, 1e-9), min(self.free_s / max(call_s, 1e-9), own / 2))
        free = free if works else 0.0
        longest = self.longest_library / self.longest if self.longest else 0.0
        if longest >= CUSTOM_BELOW:
            longest = max(0.0, longest - free)
        if library < (CUSTOM_BELOW if works else _LIBRARY_LEAST):
            return max(library, longest)
        library = max(0.0, library - free)
        if not (works and library < CUSTOM_BELOW):
            library /= own + library
        return max(library, longest)

    def own_share(self, call_s: float) -> float | None:
        """Share of the work that libraries did not do, by the same rule; None: nothing was seen."""
        share = self.library_share(call_s)
        if share is None or self.track(call_s) is None:
            return None
        return round(min(1.0, max(0.0, 1.0 - share)), 4)

    def track(self, call_s: float) -> Track | None:
        """The track of a candidate with this profile; None: nothing was seen, or too little to accuse."""
        share = self.library_share(call_s)
        if share is None:
            return None
        if share < CUSTOM_BELOW:
            return "custom"
        if self.telling is not None and self.telling < LEAST_TELLING:
            return None
        return "library" if share > LIBRARY_ABOVE else "mixed"
