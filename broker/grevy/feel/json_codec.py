"""JSON into values and back, as Zeebe does it: floats become decimals, temporal values
become ISO texts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, TypeAlias, cast

import msgspec

from grevy.feel.decimals import double_text, from_float, to_json_number
from grevy.feel.errors import EvaluationStopped, FeelFormatError
from grevy.feel.moments import FeelDateTime, FeelTime
from grevy.feel.text import text_of
from grevy.feel.values import FeelFunction, FeelRange, Value, check_result


def _read_float(text: str) -> Decimal:
    """Variables are doubles, as in Zeebe: 1.50 is 1.5."""
    return Decimal(text) if _is_as_written(text) else from_float(float(text))


# Of texts with so few digits no two are one double, so that each is the shortest text of its own.
_is_as_written: Final = re.compile(
    r"-?(?:[1-9][0-9]{0,6}|0(?=\.0{0,2}[1-9]))\.(?:0|[0-9]{0,7}[1-9])"
).fullmatch


_DECODER: Final = msgspec.json.Decoder(float_hook=_read_float)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

JsonTree: TypeAlias = (
    bool | int | float | str | msgspec.Raw | list["JsonTree"] | dict[str, "JsonTree"] | None
)
"""What a JSON writer takes."""


def from_json(raw: bytes | str) -> Value:
    """The value of a JSON text. Raises `FeelFormatError` when it is none, or nests too deep to be
    read.
    """
    try:
        return cast(Value, _DECODER.decode(raw))
    except (msgspec.DecodeError, ValueError) as error:
        raise FeelFormatError(f"not JSON: {error}") from None
    except RecursionError:
        raise FeelFormatError("the JSON nests too deep") from None


def to_json(value: Value) -> bytes:
    """The value as compact JSON. Ranges and functions are null, in a context functions are left
    out; non-ASCII text stays as it is.

    Raises `FeelFormatError` for a value too deep or too large; no result of an evaluation is.
    """
    try:
        check_result(value)
    except EvaluationStopped as stop:
        raise FeelFormatError(stop.reason) from None
    return msgspec.json.encode(_tree(value))


def json_double(number: float) -> float | msgspec.Raw:
    """A number that a JSON writer writes as Zeebe does: one that is very large or small with a
    capital E.
    """
    text = double_text(number)
    return msgspec.Raw(text.encode()) if "E" in text else number


def to_json_text(value: Value) -> str:
    """The value as FEEL's `to json` writes it: numbers keep their digits, times their seconds,
    ranges their form.
    """
    check_result(value)
    return msgspec.json.encode(_exact_tree(value)).decode()


def _tree(value: Value) -> JsonTree:
    """The value with JSON's types only; its depth was checked."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value) if not value.isascii() else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        number = to_json_number(value)
        return number if isinstance(number, int) else json_double(number)
    if isinstance(value, list):
        return [_tree(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _tree(item)
            for key, item in value.items()
            if not isinstance(item, FeelFunction) or item.is_boxed
        }
    if isinstance(value, FeelTime | FeelDateTime):
        return value.json_text()
    return None if isinstance(value, FeelRange | FeelFunction) else str(value)


def _exact_tree(value: Value) -> JsonTree:
    if isinstance(value, Decimal):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, list):
        return [_exact_tree(item) for item in value]
    if isinstance(value, dict):
        return {key: _exact_tree(item) for key, item in value.items()}
    if isinstance(value, FeelTime):
        return str(value)
    if isinstance(value, FeelRange):
        return text_of(value)
    return value if isinstance(value, int) else _tree(value)
