"""Zeebe's extension elements: how an element is executed, as told in its `extensionElements`."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from grevy.bpmn.model import Job, Mapping, Script, Text
from grevy.bpmn.reading import Reading, typed
from grevy.feel import parse_expression
from grevy.protocol.limits import JSON_DEPTH_MAX
from grevy.protocol.values import EMPTY_DOCUMENT, Document
from grevy.xml import Node, quote

NOT_YET: Final = {
    "zeebe:executionListeners": "Execution listeners",
    "zeebe:taskListeners": "Task listeners",
    "zeebe:linkedResources": "Linked resources",
}
"""Extension elements that would change what an element does, and how a fault calls them."""

RESERVED_HEADER_PREFIX: Final = "io.camunda.zeebe:"
"""Header keys that begin so are the engine's own."""

_DEFAULT_RETRIES: Final = "3"
_PATH: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*")
_FEEL_WORDS: Final = frozenset(
    ("null", "true", "false", "function", "if", "then", "else", "for", "between", "instance", "of")
)
_NULL: Final = parse_expression("null")


def extensions(node: Node, name: str) -> list[Node]:
    """The extension elements of that name."""
    holder = node.first("extensionElements")
    return [] if holder is None else holder.all(name)


def extension(node: Node, name: str, reading: Reading) -> Node | None:
    """The one extension element of that name, if there is one."""
    found = extensions(node, name)
    if len(found) > 1:
        reading.faults.add(
            node, f"Must have only one '{name}' extension element, but has {len(found)}"
        )
    return found[0] if found else None


def check_extensions(node: Node, reading: Reading) -> None:
    """Refuses extension elements that would change what the element does, and those that are wrong
    by themselves, whether the element has a use for them or not.
    """
    if node.first("extensionElements") is None:
        return
    for name, words in NOT_YET.items():
        if any(found.children for found in extensions(node, name)):
            reading.faults.add(node, f"{words} ({name}) are not supported yet")
    for definition in extensions(node, "zeebe:taskDefinition"):
        _read_definition(node, definition, reading)
    for script in extensions(node, "zeebe:script"):
        reading.expression(node, script.get("expression"), "The script")
    for holder in extensions(node, "zeebe:taskHeaders"):
        _check_headers(node, holder, reading)


def read_job(node: Node, reading: Reading) -> Job | None:
    """The job of an element, which it has to have."""
    definition = extension(node, "zeebe:taskDefinition", reading)
    if definition is None:
        reading.faults.add(node, "Must have a 'zeebe:taskDefinition' extension element")
        return None
    job_type, retries = _read_definition(node, definition, reading)
    return Job(job_type, retries, _read_headers(node, reading))


def _read_definition(node: Node, definition: Node, reading: Reading) -> tuple[Text, Text]:
    """The type and the retries of a job."""
    job_type = reading.name(node, definition.get("type"), "The type of the task definition")
    raw = definition.get("retries") or _DEFAULT_RETRIES
    return typed(job_type), reading.number(node, raw, "The retries of the task definition")


def _read_headers(node: Node, reading: Reading) -> Document:
    """The headers as a JSON object; as in Zeebe, without those that lack a key or a value."""
    holder = extension(node, "zeebe:taskHeaders", reading)
    if holder is None:
        return EMPTY_DOCUMENT
    pairs = [(one.get("key"), one.get("value")) for one in holder.all("zeebe:header")]
    headers = {key: value for key, value in pairs if key and value}
    return msgspec.json.encode(headers) if headers else EMPTY_DOCUMENT


def _check_headers(node: Node, holder: Node, reading: Reading) -> None:
    seen: set[str] = set()
    for header in holder.all("zeebe:header"):
        key = header.get("key")
        if key.startswith(RESERVED_HEADER_PREFIX):
            what = f"The header '{quote(key)}' starts with '{RESERVED_HEADER_PREFIX}'"
            reading.faults.add(node, f"{what}, which is reserved")
        if key in seen:
            reading.faults.add(node, f"The header '{quote(key)}' stands there more than once")
        seen.add(key)


def read_script(node: Node, reading: Reading) -> Script | None:
    """The FEEL script of a script task, if it has one."""
    definition = extension(node, "zeebe:script", reading)
    if definition is None:
        return None
    variable = definition.get("resultVariable")
    if not variable:
        reading.faults.add(node, "The script must name a result variable")
    expression = reading.expression(node, definition.get("expression"), "The script")
    return None if expression is None else Script(expression, variable)


def read_mappings(node: Node, reading: Reading) -> tuple[tuple[Mapping, ...], tuple[Mapping, ...]]:
    """The input and the output mappings of an element."""
    holder = extension(node, "zeebe:ioMapping", reading)
    if holder is None:
        return (), ()
    inputs = [_read_mapping(node, child, "Input", reading) for child in holder.all("zeebe:input")]
    outputs = [
        _read_mapping(node, child, "Output", reading) for child in holder.all("zeebe:output")
    ]
    return _combined(inputs), _combined(outputs)


def _read_mapping(node: Node, mapping: Node, kind: str, reading: Reading) -> tuple[str, Text]:
    """The path and the source of a mapping. What an output brings is never static."""
    target, raw = mapping.get("target"), mapping.get("source")
    what = f"{kind} mapping to '{quote(target)}'"
    if not target:
        reading.faults.add(node, f"{kind} mapping of '{quote(raw)}' must have a target")
    elif not _PATH.fullmatch(target):
        reading.faults.add(
            node, f"{what}: the target must be a name, or names with dots between them"
        )
    elif target in _FEEL_WORDS:
        reading.faults.add(node, f"{what}: the target is a reserved word of FEEL")
    elif target.count(".") >= JSON_DEPTH_MAX:
        reading.faults.add(node, f"{what}: more than {JSON_DEPTH_MAX} names are in the path")
    if kind == "Output":
        return target, reading.expression(node, raw, what) or _NULL
    return target, reading.text(node, raw, what) if raw else _NULL


_Tree: TypeAlias = "dict[str, Text | _Tree]"


def _combined(mappings: list[tuple[str, Text]]) -> tuple[Mapping, ...]:
    """One mapping for each variable: a later one replaces an earlier one in its place, those to
    paths below one name are put together.
    """
    variables: _Tree = {}
    for target, source in mappings:
        *path, last = target.split(".")[: JSON_DEPTH_MAX + 1]
        inside = variables
        for name in path:
            below = inside.get(name)
            if not isinstance(below, dict):
                inside[name] = below = {}
            inside = below
        inside[last] = source
    return _mappings(variables)


def _mappings(entries: _Tree) -> tuple[Mapping, ...]:
    return tuple(
        Mapping(name, _mappings(source) if isinstance(source, dict) else source)
        for name, source in entries.items()
    )


def read_version_tag(process: Node, reading: Reading) -> str:
    """The version tag of a process, or ""."""
    found = extension(process, "zeebe:versionTag", reading)
    return "" if found is None else found.get("value")
