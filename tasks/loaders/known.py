"""The loaders there are; adding one is adding a file, and its line here."""

from __future__ import annotations

from kernelwright.tasks.loaders.loader import Loader

LOADERS: tuple[Loader, ...] = ()
