"""`python run_gpu.py LANGUAGE FOLDER < cases.json`: the built-in model's GPU kernels, emulated.

In a process of its own, since Triton decides at import whether it interprets. Prints, as JSON by case and
strategy, what was unlike the reference, else null. CUDA is built with every access checked.
"""

import importlib.util
import json
import os
import sys
import traceback
from functools import partial
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"

import conftest

from kernelwright.agents.builtin.gpu.compile import STRATEGIES, GpuStrategy, compile_gpu
from kernelwright.agents.builtin.trace import trace
from kernelwright.agents.roles import NoIdea
from kernelwright.harness import inline_cuda
from kernelwright.harness.triton import interpret
from kernelwright.tasks.reference import Reference
from kernelwright.tasks.task import Task

KINDS = ("plain", "strided", "offset", "constant", "special")


def main() -> None:
    language, folder = sys.argv[1], Path(sys.argv[2])
    watched = interpret.install() if language == "triton" else None
    inline_cuda.build = partial(inline_cuda.build_here, checked=True)
    found = {}
    for name, (expression, inputs, init) in json.load(sys.stdin).items():
        task = conftest.make_task(expression, inputs, init)
        texts: set[str] = set()
        for strategy in STRATEGIES:
            key = f"{name}, {strategy.name}"
            try:
                found[key] = judged(task, strategy, language, folder, texts)
            except NoIdea as none:
                found[key] = f"no idea: {none}"
            except Exception:
                found[key] = traceback.format_exc()
            if watched and (complaints := watched.report()["complaints"]):
                found[key] = f"{found[key]} {complaints}"
            print(key, found[key], file=sys.stderr, flush=True)
    print(json.dumps(found))


def judged(
    task: Task, strategy: GpuStrategy, language: str, folder: Path, texts: set[str]
) -> str | None:
    """Compare one candidate, unless an earlier strategy has written the same."""
    text = compile_gpu(trace(task), strategy, language, "").text
    if text in texts:
        return None
    texts.add(text)
    path = folder / f"candidate{len(list(folder.iterdir()))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    conftest.compare(module, Reference(task), KINDS)
    return None


if __name__ == "__main__":
    main()
