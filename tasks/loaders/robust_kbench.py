"""robust-kbench (arXiv:2509.14279): a folder for each task, with `func_forward.py` or `func_backward.py` and
the settings that it is run with in `config_forward.json` or `config_backward.json`.

The `single` settings are the task's own shape, each of the `multi` ones is a further shape, combined as
robust-kbench does: every init setting with every input setting and every shared one, which goes last. A
function whose file says backward is judged with its gradients. `forward` takes `fn` there, by which a kernel
is put in; here a kernel is a `ModelNew`, and `fn` stays at its default.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from kernelwright.tasks.errors import TaskError
from kernelwright.tasks.loaders.kernelbench import trains
from kernelwright.tasks.loaders.loader import Loaded
from kernelwright.tasks.loaders.reading import as_task, collect, counted, text_of
from kernelwright.tasks.task import Task

_ADAPTER = """
CONFIG = 0
CONFIGS = {configs}
_inputs_of = get_inputs


def get_inputs():
    return _inputs_of(**CONFIGS[CONFIG]["inputs"])


def get_init_inputs():
    return CONFIGS[CONFIG]["init"]
"""


class RobustKBench:
    """A checkout of robust-kbench."""

    name = "robust-kbench"

    def recognises(self, root: Path) -> bool:
        """Whether there are `tasks` with a config and a function."""
        return any(True for _ in _files(root))

    def load(self, root: Path) -> Loaded:
        """A task for each function of each folder: `layernorm/forward`, `layernorm/backward`."""
        home = root / "tasks"
        files = (
            (
                f"{path.parent.relative_to(home).as_posix()}/{path.stem.removeprefix('func_')}",
                partial(_task, path=path),
            )
            for path in _files(root)
        )
        return collect(self.name, files, root)


def _files(root: Path) -> Iterator[Path]:
    found = (p for way in ("forward", "backward") for p in root.glob(f"tasks/**/func_{way}.py"))
    beside = (p for p in found if _config(p).is_file())
    yield from sorted(beside, key=counted)


def _config(path: Path) -> Path:
    return path.with_name(f"config_{path.stem.removeprefix('func_')}.json")


def _task(name: str, path: Path) -> Task:
    text = text_of(path)
    configs = configurations(_config(path))
    level = path.parent.parent.name.removeprefix("level_")
    facts: dict[str, object] = {
        "title": f"{path.parent.name.replace('_', ' ')}, {path.stem.removeprefix('func_')}",
        "category": "kernelbench" if level.isdigit() else "own",
        "backward": path.stem == "func_backward",
        "shapes": [{"CONFIG": i} for i in range(1, len(configs))],
    }
    if level.isdigit():
        facts["level"] = int(level)
    if trains(text):
        facts["modes"] = ["train"]
    rows = "".join(f"    {row!r},\n" for row in configs)
    return as_task(name, path, facts, text=text, adapter=_ADAPTER.format(configs=f"[\n{rows}]"))


def configurations(path: Path) -> list[dict[str, dict[str, Any]]]:
    """Keyword arguments of `Model` and of `get_inputs`, the single setting first, none twice."""
    try:
        table = json.loads(text_of(path))
        found = [
            {"init": {**init, **shared}, "inputs": {**given, **shared}}
            for kind in ("single", "multi")
            for init, given, shared in itertools.product(
                table[f"{kind}_init_configs"],
                table[f"{kind}_input_configs"],
                table[f"{kind}_shared_configs"],
            )
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{path} is no config of robust-kbench: {error!r}") from error
    if not found:
        raise TaskError(f"{path} has no setting")
    return [row for i, row in enumerate(found) if row not in found[:i]]
