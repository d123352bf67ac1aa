"""Variable documents: splitting one without parsing its values, and putting one together."""

from __future__ import annotations

from collections.abc import Iterable
from math import isinf
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from grevy.engine.step import Command, Step
from grevy.feel import json_double
from grevy.protocol.limits import JSON_DEPTH_MAX
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    DecisionEvaluationValue,
    Document,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    SignalValue,
    VariableDocumentValue,
)

_WITH_VARIABLES: Final = (
    DecisionEvaluationValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    SignalValue,
    VariableDocumentValue,
)
_SPLITTER: Final = msgspec.json.Decoder(dict[str, Raw])


def _read_float(text: str) -> float | Raw:
    number = float(text)
    if isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return json_double(number)


_READER: Final = msgspec.json.Decoder(float_hook=_read_float)


class BadDocument(ValueError):
    """What a client gave as variables is no JSON object; the text says what is wrong."""


def split(document: Document) -> list[tuple[str, bytes]]:
    """The variables of a document that was checked: name and JSON text of each, in document
    order.
    """
    if document == EMPTY_DOCUMENT:
        return []
    return [(name, bytes(raw)) for name, raw in _SPLITTER.decode(document).items()]


def join(variables: Iterable[tuple[str, bytes]]) -> Document:
    """The document of some variables."""
    parts = [msgspec.json.encode(name) + b":" + value for name, value in variables]
    return b"{" + b",".join(parts) + b"}" if parts else EMPTY_DOCUMENT


def variables_of(step: Step, command: Command) -> Document:
    """The variables that a client's command brings, checked and as they are kept; raises
    BadDocument.

    The log gets the command with them, so that it holds a large document once.
    """
    value = command.value
    assert isinstance(value, _WITH_VARIABLES), value
    variables = checked(value.variables)
    if variables is not value.variables:
        step.restate(replace(value, variables=variables))
    return variables


def checked(document: Document) -> Document:
    """A client's document in the form that is kept: compact, its texts unescaped; raises
    BadDocument.
    """
    if document in (b"", b"{}", b"null"):
        return EMPTY_DOCUMENT
    _check_depth(document)
    try:
        if not document.isascii():
            document.decode()  # the splitter does not look into texts
        if b"\\" in document or b"e" in document or b"E" in document or b"." in document:
            parsed = _READER.decode(document)  # numbers and escapes have more than one form
            if not isinstance(parsed, dict):
                raise BadDocument(f"the variables are no JSON object, but {_kind(parsed)}")
            encoded = msgspec.json.encode(parsed)
            return document if encoded == document else encoded
        compact = msgspec.json.format(document, indent=-1)
        if not compact.startswith(b"{"):
            raise BadDocument(
                f"the variables are no JSON object, but {_kind(msgspec.json.decode(compact))}"
            )
        _SPLITTER.decode(compact)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadDocument(f"the variables are no valid JSON: {error}") from None
    except RecursionError:
        raise BadDocument(f"the variables are nested deeper than {JSON_DEPTH_MAX} levels") from None
    return document if compact == document else compact


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _check_depth(document: Document) -> None:
    """Brackets in texts count too: what is refused has more than the limit of them in any case."""
    if document.count(b"[") + document.count(b"{") <= JSON_DEPTH_MAX:
        return
    depth = 0
    is_text = is_escaped = False
    for byte in document:
        if is_text:
            if is_escaped:
                is_escaped = False
            elif byte == 0x5C:
                is_escaped = True
            elif byte == 0x22:
                is_text = False
        elif byte == 0x22:
            is_text = True
        elif byte in b"[{":
            depth += 1
            if depth > JSON_DEPTH_MAX:
                raise BadDocument(f"the variables are nested deeper than {JSON_DEPTH_MAX} levels")
        elif byte in b"]}":
            depth -= 1
