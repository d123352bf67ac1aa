"""The house rules that no linter knows: sizes, what each floor may import, docstrings, no `Any`
in signatures.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("broker", "client", "exporters")
SOURCES = sorted(
    path for root in ROOTS for path in (ROOT / root / "grevy").rglob("*.py") if path.stat().st_size
)
EVERYTHING = (
    SOURCES + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "bench").rglob("*.py"))
)

FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70
POSITIONAL_MAX = 5

CORE_ROOMS = {
    "protocol", "ports", "journal", "raft", "cluster", "logstream", "state", "feel", "xml", "bpmn",
    "dmn", "engine", "stream", "exporting",
}  # fmt: skip
SHELL_MODULES = {"zmq", "asyncio", "threading", "socket", "time", "random", "uvloop", "subprocess"}
ONLY_IN = {
    "zmq": {"transport", "client"},
    "capnp": {"protocol"},
    "lmdb": {"state"},
    "lxml": {"xml"},
}
BANNED_EVERYWHERE = {"pickle", "shelve", "marshal"}
BANNED_CALLS = {"eval", "exec", "compile", "print"}
PRINTING_ROOMS = {"broker"}


def name_of(path: Path) -> str:
    """A file's path below the repository, for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """The room of a source file: the package below `grevy`."""
    return path.relative_to(ROOT).parts[2]


def tree_of(path: Path) -> ast.Module:
    """The parsed source."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The modules that a file imports, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.lineno, node.module


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(tree: ast.Module) -> Iterator[Function]:
    """All functions and methods."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_sizes(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= FILE_LINES_MAX, f"{lines} lines: this file is two rooms"
    for function in functions_of(tree_of(path)):
        size = (function.end_lineno or function.lineno) - function.lineno + 1
        assert size <= FUNCTION_LINES_MAX, (
            f"{function.name} at line {function.lineno}: {size} lines"
        )


COMMAND_LINE = ROOT / "broker/grevy/broker/cli"
"""Its functions' parameters are the options of commands: typer reads them."""

UNTYPED = {
    ROOT / "broker/grevy/protocol" / name
    for name in ("schemas.py", "forms.py", "struct_codec.py", "splitter.py", "imprint.py")
}
"""Where pycapnp, which has no types, is given some, and structs of any kind are taken apart."""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_few_positional_parameters(path: Path) -> None:
    if path.is_relative_to(COMMAND_LINE):
        return
    for function in functions_of(tree_of(path)):
        names = [a.arg for a in function.args.posonlyargs + function.args.args]
        count = len([n for n in names if n not in ("self", "cls")])
        assert count <= POSITIONAL_MAX, (
            f"{function.name} at line {function.lineno}: {count} parameters"
        )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_of_the_floor(path: Path) -> None:
    room = room_of(path)
    for line, module in imports_of(tree_of(path)):
        top = module.split(".")[0]
        assert top not in BANNED_EVERYWHERE, f"line {line}: {module}"
        if top in ONLY_IN:
            assert room in ONLY_IN[top], f"line {line}: {module} belongs to {ONLY_IN[top]}"
        if room in CORE_ROOMS:
            assert top not in SHELL_MODULES, f"line {line}: {module} in a core without I/O"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_banned_calls(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name == "print" and room_of(path) in PRINTING_ROOMS:
                continue
            assert name not in BANNED_CALLS, f"line {node.lineno}: {name}()"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_any_in_signatures(path: Path) -> None:
    if path in UNTYPED:
        return
    for function in functions_of(tree_of(path)):
        arguments = function.args
        every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
        annotations = [a.annotation for a in every] + [function.returns]
        for annotation in annotations:
            text = "" if annotation is None else ast.unparse(annotation)
            words = text.replace("[", " ").replace("]", " ").replace(",", " ").split()
            assert "Any" not in words, f"{function.name} at line {function.lineno}: {text}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_docstrings_on_public_names(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module says at its top what it is"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _check_docstring(node)


def _check_docstring(node: ast.ClassDef | Function) -> None:
    if node.name.startswith("_"):
        return
    assert ast.get_docstring(node), f"{node.name} at line {node.lineno} has no docstring"
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, Function) and not _is_plain(member):
                assert ast.get_docstring(member), f"{node.name}.{member.name} has no docstring"


def _is_plain(function: Function) -> bool:
    """Private, or a dunder, or the setter or overload of something that has its docstring."""
    decorators = {ast.unparse(d).split(".")[-1] for d in function.decorator_list}
    is_stub = ast.unparse(function.body[-1]) == "..."  # a protocol's, whose class says enough
    is_known = is_stub or bool(decorators & {"setter", "overload"})
    return function.name.startswith("_") or is_known


def test_no_leftovers() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
    for path in EVERYTHING:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = [
                word
                for word in words
                if f" {word}" in f" {line} ".replace("#", " ").replace(":", " ")
            ]
            assert not found, f"{name_of(path)}:{number}: {line.strip()}"
