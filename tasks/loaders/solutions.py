"""Solutions of the FlashInfer Trace schema as candidates: one file with `ModelNew` around the entry point.

Python and Triton stay as they are, with an adapter below. C++ and CUDA with PyTorch's binding are carried
as texts that `torch.utils.cpp_extension` builds when the candidate is loaded: what its Python function is
called is read off nothing, it is the entry point's name. What is left out says why. Both suites hand over
contiguous inputs alone, so the adapter makes them so, which costs nothing where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernelwright.tasks.loaders.definitions import Made, read_object
from kernelwright.tasks.loaders.definitions_schema import Definition, Json, Malformed, bound_names

_PYTHON = frozenset({"python", "pytorch", "triton"})
_EXTENSION = frozenset({"cpp", "cuda", "cuda_cpp"})
_LIBRARIES: Mapping[str, str] = {
    "cute_dsl": "NVIDIA's CuTe DSL",
    "cutile": "NVIDIA's cuTile",
    "cudnn_frontend": "cuDNN's Python frontend",
    "cutlass": "CUTLASS",
    "cudnn": "cuDNN",
    "cublas": "cuBLAS",
    "tilelang": "TileLang",
}
_BUILT = (".cu", ".cpp", ".cc", ".cxx")


@dataclass(frozen=True)
class Solution:
    """One solution, as its JSON has it."""

    name: str
    definition: str
    author: str
    languages: tuple[str, ...]
    entry_file: str
    entry: str
    sources: Mapping[str, str]
    destination_passing: bool
    """Outputs are made by the caller and passed behind the inputs."""
    binding: str
    flags: Mapping[str, tuple[str, ...]]
    """Compiler flags by `cflags`, `cuda_cflags`, `ld_flags`."""


@dataclass(frozen=True)
class Adapted:
    """A candidate's text. `needs` says what a machine must have to run it; None: what torch needs."""

    text: str
    needs: str | None = None


def solution_files(root: Path) -> Iterator[Path]:
    """Files that may hold a solution: below `solutions/`, and `solution*.json` beside a definition."""
    found = {*root.rglob("solutions/**/*.json"), *root.rglob("solution*.json")}
    yield from sorted(f for f in found if f.is_file() and "tests" not in f.relative_to(root).parts)


def read_solution(file: Path) -> Solution:
    """One solution. Raises Malformed."""
    data = read_object(file)
    spec = data.get("spec")
    if not isinstance(spec, Mapping):
        raise Malformed("'spec' is missing")
    entry_file, _, entry = str(spec.get("entry_point") or "").partition("::")
    if not entry_file or not entry.isidentifier():
        raise Malformed("'entry_point' must be FILE::FUNCTION")
    languages = spec.get("languages", [spec.get("language")])
    if not isinstance(languages, list) or not all(isinstance(one, str) for one in languages):
        raise Malformed("'languages' must be a list of names")
    sources = dict(_sources(data))
    if entry_file not in sources:
        raise Malformed(f"its entry point is in {entry_file}, which is not among its sources")
    return Solution(
        name=_word(data, "name"),
        definition=_word(data, "definition"),
        author=str(data.get("author") or ""),
        languages=tuple(languages),
        entry_file=entry_file,
        entry=entry,
        sources=sources,
        destination_passing=spec.get("destination_passing_style") is not False,
        binding=str(spec.get("binding") or ""),
        flags=_flags(spec),
    )


def adapt(solution: Solution, made: Made) -> Adapted:
    """The candidate. Raises Malformed with the reason where none can be made."""
    languages = set(solution.languages)
    library = next((_LIBRARIES[one] for one in solution.languages if one in _LIBRARIES), None)
    if library:
        raise Malformed(f"written with {library}, which needs an NVIDIA GPU and its library")
    for name, value in made.sizes.cut.items():
        if any(re.search(rf"\b{value}\b", text) for text in solution.sources.values()):
            raise Malformed(f"written for {name} = {value}, which the task is cut down from")
    if languages <= _PYTHON:
        return Adapted(_python(solution, made.definition))
    if languages <= _EXTENSION:
        return _extension(solution, made.definition)
    raise Malformed(f"no language that is known: {', '.join(solution.languages)}")


def _python(solution: Solution, definition: Definition) -> str:
    others = [path for path in solution.sources if path != solution.entry_file]
    modules = [path for path in others if path.endswith(".py")]
    if modules:
        raise Malformed(f"several Python files ({solution.entry_file}, {', '.join(modules)})")
    text = solution.sources[solution.entry_file].rstrip()
    names = bound_names(text)
    if solution.entry not in names:
        raise Malformed(f"{solution.entry_file} defines no {solution.entry}()")
    if "ModelNew" in names:
        raise Malformed(f"{solution.entry_file} binds ModelNew itself")
    return "\n".join([text, "", "", "import torch  # noqa: E402", "", "",
                      *_adapter(solution.entry, solution, definition)])  # fmt: skip


def _extension(solution: Solution, definition: Definition) -> Adapted:
    cuda = any(path.endswith(".cu") for path in solution.sources)
    if solution.binding != "torch":
        named = solution.binding or "tvm-ffi, the default"
        raise Malformed(f"C++ behind {named}: only PyTorch's own binding can be built here")
    built = [path for path in solution.sources if path.endswith(_BUILT)]
    flags = solution.flags
    options = {
        "extra_cflags": list(flags.get("cflags", ("-O3",))),
        "extra_cuda_cflags": list(flags.get("cuda_cflags", ("-O3", "--use_fast_math"))),
        "extra_ldflags": list(flags.get("ld_flags", ())),
    }
    lines = [
        "import pathlib",
        "import tempfile",
        "",
        "import torch",
        "from torch.utils.cpp_extension import load",
        "",
        "SOURCES = {",
        *(f"    {path!r}: {text!r}," for path, text in solution.sources.items()),
        "}",
        'folder = pathlib.Path(tempfile.mkdtemp(prefix="solution-"))',
        "for path, text in SOURCES.items():",
        "    (folder / path).parent.mkdir(parents=True, exist_ok=True)",
        "    (folder / path).write_text(text)",
        "built = load(",
        f"    name={'solution_' + re.sub(r'[^0-9A-Za-z]', '_', solution.name)!r},",
        f"    sources=[str(folder / path) for path in {built!r}],",
        *(f"    {key}={value!r}," for key, value in options.items()),
        "    build_directory=str(folder),",
        ")",
        "",
        "",
        *_adapter(f"built.{solution.entry}", solution, definition),
    ]
    needs = "nvcc and an NVIDIA GPU" if cuda else "ninja"
    return Adapted("\n".join(lines), needs)


def _adapter(call: str, solution: Solution, definition: Definition) -> list[str]:
    """The lines of `ModelNew`."""
    names = [tensor.name for tensor in definition.inputs]
    given = ", ".join(names)
    outputs = [tensor.name for tensor in definition.outputs]
    head = [
        "class ModelNew(torch.nn.Module):",
        f"    def forward(self, {given}):",
        *(
            f"        {t.name} = {t.name}.contiguous()"
            for t in definition.inputs
            if t.shape is not None
        ),
    ]
    if not solution.destination_passing:
        order = ", ".join(f'found["{name}"]' for name in outputs)
        return [
            *head,
            f"        found = {call}({given})",
            "        if isinstance(found, dict):",
            f"            return ({order},)",
            "        return found",
            "",
        ]
    return [
        *head,
        *(f"        {line}" for line in _allocation(definition)),
        f"        {call}({', '.join([*names, *outputs])})",
        f"        return {', '.join(outputs)}",
        "",
    ]


def _allocation(definition: Definition) -> Iterator[str]:
    """Statements that make the outputs, of sizes that are read off the inputs."""
    first = next(t for t in definition.inputs if t.shape)
    wanted = {axis for t in definition.outputs for axis in t.shape or ()}
    wanted |= {a for e in definition.expressions.values() for a in re.findall(r"[^\W\d]\w*", e)}
    for axis in [name for name in definition.axes if name in wanted]:
        place = next(
            (
                f"{tensor.name}.shape[{tensor.shape.index(axis)}]"
                for tensor in definition.inputs
                if tensor.shape and axis in tensor.shape
            ),
            None,
        )
        if place is None and axis in definition.expressions:
            place = f"int({definition.expressions[axis]})"
        if place is None and axis in definition.constants:
            place = str(definition.constants[axis])
        if place is None:
            raise Malformed(f"the size {axis} of an output stands in no input's shape")
        yield f"{axis} = {place}"
    for tensor in definition.outputs:
        sizes = ", ".join(tensor.shape or ())
        yield (
            f"{tensor.name} = torch.empty([{sizes}], dtype=torch.{tensor.dtype}, device={first.name}.device)"
        )


def _sources(data: Json) -> Iterator[tuple[str, str]]:
    given = data.get("sources")
    if not isinstance(given, list) or not given:
        raise Malformed("'sources' must be a list of files")
    for one in given:
        if not isinstance(one, Mapping):
            raise Malformed("'sources' must be a list of files")
        path, text = one.get("path"), one.get("content")
        if not isinstance(path, str) or not isinstance(text, str):
            raise Malformed("a source must have 'path' and 'content'")
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise Malformed(f"a source leaves its folder: {path}")
        yield path, text


def _flags(spec: Json) -> dict[str, tuple[str, ...]]:
    options = spec.get("compile_options")
    if not isinstance(options, Mapping):
        return {}
    return {
        str(key): tuple(str(flag) for flag in flags)
        for key, flags in options.items()
        if isinstance(flags, list)
    }


def _word(data: Json, key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{key!r} must be a text")
    return value
