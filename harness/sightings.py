"""What looks at a worker amid timed calls have found, and how far it can be relied on.

A process can notice that it was stopped, and act innocent for the rest of a leg. Only the first look of
each leg is one that nothing could foresee; the others count as long as they tell the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kernelwright.harness.allowance import LEAST_S
from kernelwright.harness.provenance import Kind, Profile
from kernelwright.harness.verdict import Track

_UNLIKELY = 0.1
"""A difference between first and later looks that chance brings about less often is doubted. To doubt
the honest costs them some further looks, no more."""
_DRAWS, _SETTLED = 40, 0.9


@dataclass
class Book:
    """Processor time by kind over some looks."""

    seconds: dict[Kind, float] = field(default_factory=dict)
    asleep: dict[Kind, float] = field(default_factory=dict)
    """Of looks at which all threads waited, by where they did: it counts where there is nothing else."""
    young: dict[Kind, float] = field(default_factory=dict)
    """Of threads that were born since the look before, how many were at work."""
    ended: float = 0.0
    longest: float = 0.0
    """Of the threads at each look the one that had worked longest, whoever for."""
    longest_library: float = 0.0
    """Likewise of those that stood in a library."""
    looks: int = 0
    """Those before which the process had got to run."""
    telling: int = 0
    """Those that found work, a candidate's own or a library's."""
    borrowed: int = 0
    """Those of them that found more of a library's."""
    dozing: int = 0
    """Those at which all threads waited, some of them amid such work."""

    def book_work(self, seconds: Mapping[Kind, float]) -> None:
        """What the threads of one look have spent, by kind."""
        for kind, spent in seconds.items():
            _add(self.seconds, kind, spent)
        own, library = seconds.get("own", 0.0), seconds.get("library", 0.0)
        self.telling += own + library > 0
        self.borrowed += library > own

    def book_asleep(self, seconds: Mapping[Kind, float]) -> None:
        """What the threads of one look have spent, all of which wait."""
        for kind, spent in seconds.items():
            _add(self.asleep, kind, spent)
        self.dozing += seconds.get("own", 0.0) + seconds.get("library", 0.0) > 0

    def book_ended(self, ended: float, young: Mapping[Kind, float]) -> None:
        """Time of threads that ended since the look before: it was spent as by those, so many of each kind,
        that this look saw in their youth; where it saw none, as by those that others did."""
        seen = sum(young.values())
        for kind, number in young.items():
            _add(self.young, kind, number)
            _add(self.seconds, kind, ended * number / seen)
        if not seen:
            self.ended += ended

    def book_longest(self, threads: Mapping[Kind, float], ended: float, wall: float) -> None:
        """The longest thread of each kind at one look, what it waited for a core amid code of that kind
        included: those that spin on the same core would else be the longer. Of those that have ended,
        which nobody saw one by one, all together count as a thread, for no longer than the time that
        has passed."""
        together = min(ended, wall)
        library = self.young.get("library", 0.0) / (sum(self.young.values()) or 1.0)
        longest = max((s for kind, s in threads.items() if kind != "threads"), default=0.0)
        self.longest += max(longest, together)
        self.longest_library += max(threads.get("library", 0.0), library * together)

    def profile(self, native: bool = False, free_s: float = LEAST_S) -> Profile:
        """All of it."""
        found, young, telling = dict(self.seconds), sum(self.young.values()), self.telling
        if not (found.get("own") or found.get("library")):
            telling = self.dozing
            for kind, seconds in self.asleep.items():
                _add(found, kind, seconds)
        for kind, number in self.young.items():
            _add(found, kind, self.ended * number / young)
        return Profile(found, native, self.longest, self.longest_library, free_s, telling=telling)

    @property
    def total(self) -> float:
        """Seconds of processor time in it."""
        return sum(self.seconds.values()) + sum(self.asleep.values()) + self.ended

    def scaled(self, total: float, longest: float) -> Book:
        """The same looks with another weight, by all time and by that of the longest threads."""
        factor = total / self.total if self.total else 1.0
        of_longest = longest / self.longest if self.longest else 1.0
        return replace(
            self,
            seconds={kind: seconds * factor for kind, seconds in self.seconds.items()},
            asleep={kind: seconds * factor for kind, seconds in self.asleep.items()},
            ended=self.ended * factor,
            longest=self.longest * of_longest,
            longest_library=self.longest_library * of_longest,
        )

    @staticmethod
    def joined(books: Iterable[Book]) -> Book:
        """One book of several."""
        total = Book()
        for book in books:
            both = (total.seconds, book.seconds), (total.asleep, book.asleep)
            for mine, its in (*both, (total.young, book.young)):
                for kind, seconds in its.items():
                    _add(mine, kind, seconds)
            total.ended += book.ended
            total.longest += book.longest
            total.longest_library += book.longest_library
            total.looks += book.looks
            total.telling += book.telling
            total.borrowed += book.borrowed
            total.dozing += book.dozing
        return total


@dataclass
class Sightings:
    """The books of all legs: of the first look of each, and of those after it."""

    first: list[Book] = field(default_factory=list)
    later: list[Book] = field(default_factory=list)
    free_s: float = LEAST_S
    """Of `Profile`."""

    def begin_leg(self) -> None:
        """Books for a further leg."""
        self.first.append(Book())
        self.later.append(Book())

    def totals(self) -> tuple[Book, Book]:
        """All first looks, and all later ones."""
        return Book.joined(self.first), Book.joined(self.later)

    @property
    def doubtful(self) -> bool:
        """Whether the first looks found libraries at work so much more often than the later ones that
        it is hardly chance: Fisher's exact test on the looks that found work."""
        first, later = self.totals()
        return _tail(first.borrowed, first.telling, later.borrowed, later.telling) < _UNLIKELY

    def profile(self, native: bool) -> Profile:
        """What counts of all that was seen: the first looks alone where the others are doubtful."""
        return Book.joined(self._counting()).profile(native, self.free_s)

    def settled(self, call_s: float, native: bool) -> bool:
        """Whether other legs of the same kind would give the same track: a bootstrap over the legs."""
        books = self._counting()
        draw = random.Random(len(books))

        def track(books: Sequence[Book]) -> Track | None:
            return Book.joined(books).profile(native, self.free_s).track(call_s)

        found = track(books)
        same = sum(track(draw.choices(books, k=len(books))) == found for _ in range(_DRAWS))
        return same >= _SETTLED * _DRAWS

    def _counting(self) -> Sequence[Book]:
        """A book a leg of what counts."""
        first = _of_equal_weight(self.first)
        if self.doubtful:
            return first
        return [Book.joined(pair) for pair in zip(first, self.later, strict=True)]


def _of_equal_weight(books: Sequence[Book]) -> list[Book]:
    """First looks come at a moment drawn from the whole leg, and book all that was spent before it on
    where the process stands: who works for the first third of a leg would count for a ninth. So the late
    ones are made to weigh no more than the early ones."""
    total, longest = (_mean(of) for of in ([b.total for b in books], [b.longest for b in books]))
    return [book.scaled(total, longest) for book in books]


def _mean(weights: Sequence[float]) -> float:
    """Of those that weigh anything."""
    some = [weight for weight in weights if weight > 0]
    return sum(some) / len(some) if some else 0.0


def _tail(hits: int, draws: int, other_hits: int, other_draws: int) -> float:
    """How likely so many hits or more are among `draws`, were all hits dealt out by chance."""
    every, all_hits = draws + other_draws, hits + other_hits
    ways = sum(
        math.comb(all_hits, k) * math.comb(every - all_hits, draws - k)
        for k in range(hits, min(draws, all_hits) + 1)
    )
    return ways / math.comb(every, draws)


def _add(seconds: dict[Kind, float], kind: Kind, more: float) -> None:
    seconds[kind] = seconds.get(kind, 0.0) + more
