"""Reads the Scala text in which feel-scala's tests write their contexts and results: literals,
collections, what `java.time` makes, and the wrappers of FEEL's values. What needs a JVM, or Scala
code that is not in the text, is `Unsupported`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from grevy.feel import (
    Duration,
    FeelDate,
    FeelDateTime,
    FeelFormatError,
    FeelRange,
    FeelSyntaxError,
    FeelTime,
    Period,
    Value,
    iso8601,
    parse_expression,
)

SECOND: Final = 1_000_000_000
NOW_MS: Final = 1_767_268_800_000
"""2026-01-01T12:00:00Z, the time of all cases."""


class Unsupported(Exception):
    """The case needs something of the JVM."""


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call: by position, by name, and, for those of a `Map`, pairs."""

    values: list[Value]
    named: dict[str, Value]
    pairs: dict[str, Value]

    def all(self) -> list[Value]:
        """By position, then by name."""
        return self.values + list(self.named.values())

    def one(self) -> Value:
        """The only one."""
        found = self.all()
        if len(found) != 1:
            raise Unsupported(f"one argument, not {found}")
        return found[0]

    def text(self) -> str:
        """The only one, a text."""
        found = self.one()
        if not isinstance(found, str):
            raise Unsupported(f"a text, not {found}")
        return found

    def numbers(self) -> list[int]:
        """All of them, whole numbers."""
        return [_whole(value) for value in self.all()]


Make: TypeAlias = Callable[[Arguments], Value]
Method: TypeAlias = Callable[[Value, Arguments], Value]
Known: TypeAlias = dict[str, Value]
"""What names stand for, beyond those that are built in."""

_TOKENS: Final = re.compile(
    r"""\s*(?:(?P<STRING>"{3}[\s\S]*?"{3}(?!")|"(?:[^"\\]|\\.)*")
      | (?P<NUMBER>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[LlFfDd]?\b)
      | (?P<SYMBOL>->|::|[-+(),.=\[\]])
      | (?P<NAME>[A-Za-z_]\w*))""",
    re.VERBOSE,
)


def read(text: str, known: Known | None = None) -> Value:
    """The value of a Scala expression; raises `Unsupported`."""
    reader = _Reader(text.strip(), known or {})
    value = reader.value()
    reader.expect_end()
    return value


class _Reader:
    """Each method reads one part of the grammar."""

    def __init__(self, text: str, known: Known) -> None:
        self.text = text
        self.constants: Known = {**_CONSTANTS, **known}
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            match = _TOKENS.match(text, at)
            if match is None or match.lastgroup is None:
                raise Unsupported(text)
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self.tokens.append(("END", ""))
        self.index = 0

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.index += 1
        return token

    def accept(self, symbol: str) -> bool:
        if self.peek()[1] != symbol or self.peek()[0] == "STRING":
            return False
        self.index += 1
        return True

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise Unsupported(self.text)

    def expect_end(self) -> None:
        if self.peek()[0] != "END":
            raise Unsupported(self.text)

    def value(self) -> Value:
        """`a + b` of texts or numbers, `a :: list`, `a to b`."""
        left = self.chained()
        while self.accept("+"):
            left = _plus(left, self.chained())
        if self.accept("to"):
            return list[Value](range(_whole(left), _whole(self.chained()) + 1))
        if self.accept("::"):
            return [left, *_items(self.value())]
        return left

    def chained(self) -> Value:
        """A value and the methods that are called on it."""
        value = self.primary()
        while self.accept("."):
            name = self.next()[1]
            value = self.method(value, name)
        return value

    def method(self, value: Value, name: str) -> Value:
        arguments = self.arguments()
        if name not in _METHODS:
            raise Unsupported(f".{name}")
        return _METHODS[name](value, arguments)

    def primary(self) -> Value:
        kind, text = self.next()
        if kind == "STRING":
            return _string(text)
        if kind == "NUMBER":
            return Decimal(text.replace("_", "").rstrip("LlFfDd"))
        if text == "-":
            return _negative(self.chained())
        if text == "(":
            value = self.value()
            self.expect(")")
            return value
        if kind != "NAME":
            raise Unsupported(self.text)
        return self.named(self.next()[1] if text == "new" else text)

    def named(self, name: str) -> Value:
        """A constant, or a call of the longest dotted name that is known."""
        while self.peek()[1] == "." and self.peek(1)[0] == "NAME" and name not in self.constants:
            self.index += 1
            name += f".{self.next()[1]}"
            if name in _CALLS:
                break
        if name in self.constants:
            self.type_arguments()
            return self.constants[name]
        make = _CALLS.get(name, _CALLS.get(name.rpartition(".")[2]))
        self.type_arguments()
        if make is None or self.peek()[1] != "(":
            raise Unsupported(name)
        try:
            return make(self.arguments())
        except (FeelFormatError, IndexError, ValueError):
            raise Unsupported(self.text) from None

    def type_arguments(self) -> None:
        """`[String, Any]`: nothing that a value needs."""
        depth = int(self.accept("["))
        while depth:
            kind, text = self.next()
            if kind == "END":
                raise Unsupported(self.text)
            depth += (text == "[") - (text == "]")

    def arguments(self) -> Arguments:
        """What stands in brackets; nothing where there are none."""
        found = Arguments([], {}, {})
        if not self.accept("("):
            return found
        while not self.accept(")"):
            if self.peek()[0] == "NAME" and self.peek(1)[1] == "=":
                name = self.next()[1]
                self.next()
                found.named[name] = self.value()
            else:
                value = self.value()
                if self.accept("->"):
                    found.pairs[str(value)] = self.value()
                else:
                    found.values.append(value)
            if self.peek()[1] != ")":
                self.expect(",")
        return found


def _string(text: str) -> str:
    if text.startswith('"""'):
        return text[3:-3]
    return str(json.loads(text.replace("\\'", "'"), strict=False))


def _whole(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        raise Unsupported(f"a whole number, not {value}")
    return int(value)


def _items(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise Unsupported(f"a list, not {value}")
    return value


def _plus(left: Value, right: Value) -> Value:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left + right
    raise Unsupported(f"{left} + {right}")


def _negative(value: Value) -> Value:
    if not isinstance(value, int | Decimal):
        raise Unsupported(f"-{value}")
    return -value


# --- what calls make ---


def _parsed(parse: Callable[[str], Value]) -> Make:
    """Makes a value of its text; what is made already stays as it is."""

    def make(arguments: Arguments) -> Value:
        value = arguments.one()
        return parse(value) if isinstance(value, str) else value

    return make


def _wrapped(arguments: Arguments) -> Value:
    return arguments.one()


def _list(arguments: Arguments) -> Value:
    return arguments.values


def _wrapped_list(arguments: Arguments) -> Value:
    return _items(arguments.one())


def _map(arguments: Arguments) -> Value:
    if arguments.values or arguments.named:
        raise Unsupported("a Map of something else than pairs")
    return arguments.pairs


def _context(arguments: Arguments) -> Value:
    made: dict[str, Value] = {}
    for part in arguments.all():
        if not isinstance(part, dict):
            raise Unsupported(f"a context of {part}")
        made.update(part)
    return made


def _range(arguments: Arguments) -> Value:
    first, last = (_Bound.of(bound) for bound in arguments.all())
    return FeelRange(first.value, last.value, first.is_closed, last.is_closed)


@dataclass(frozen=True)
class _Bound:
    """A bound of a range on its way through values: a context of two entries."""

    value: Value
    is_closed: bool

    @classmethod
    def of(cls, value: Value) -> _Bound:
        if not isinstance(value, dict) or value.keys() != {"bound", "is closed"}:
            raise Unsupported(f"a bound, not {value}")
        return cls(value["bound"], value["is closed"] is True)


def _bound(*, is_closed: bool) -> Make:
    return lambda arguments: {"bound": arguments.one(), "is closed": is_closed}


def _date_of(arguments: Arguments) -> Value:
    year, month, day = arguments.numbers()
    return iso8601.parse_date(f"{year:04}-{month:02}-{day:02}")


def _clock(parts: list[int]) -> str:
    hour, minute, second, nanos = (*parts, 0, 0, 0)[:4]
    return f"{hour:02}:{minute:02}:{second:02}.{nanos:09}"


def _time_of(arguments: Arguments) -> Value:
    return iso8601.parse_time(_clock(arguments.numbers()))


def _date_time_of(arguments: Arguments) -> Value:
    """Of a date and a time, or of the numbers of both."""
    parts = arguments.values
    if len(parts) == 2 and isinstance(parts[0], FeelDate) and isinstance(parts[1], FeelTime):
        return parts[0].at(parts[1].nanos)
    year, month, day, *clock = arguments.numbers()
    return iso8601.parse_date_and_time(f"{year:04}-{month:02}-{day:02}T{_clock(clock)}")


def _zoned_of(arguments: Arguments) -> Value:
    """Of a date and time (or a time) and a place."""
    *parts, place = arguments.values
    if len(parts) == 2:
        parts = [_date_time_of(Arguments(parts, {}, {}))]
    (moment,) = parts
    offset, zone = iso8601.parse_zone(str(place))
    if isinstance(moment, FeelTime):
        return FeelTime(moment.nanos, offset)
    if not isinstance(moment, FeelDateTime):
        raise Unsupported(f"a date and time, not {moment}")
    return (
        FeelDateTime(moment.local, offset) if zone is None else moment.in_zone(moment.local, zone)
    )


def _offset(arguments: Arguments) -> Value:
    hours, minutes = (*arguments.numbers(), 0)[:2]
    total = hours * 60 + minutes
    return f"{'-' if total < 0 else '+'}{abs(total) // 60:02}:{abs(total) % 60:02}"


def _function(arguments: Arguments) -> Value:
    """The function that an expression gives."""
    text = arguments.text()
    try:
        return parse_expression(text).evaluate(lambda _name: None, NOW_MS).value
    except FeelSyntaxError as error:
        raise Unsupported(str(error)) from None


def _periods(months: int) -> Make:
    return lambda arguments: Period(_whole(arguments.one()) * months)


def _durations(seconds: int) -> Make:
    return lambda arguments: Duration(_whole(arguments.one()) * seconds * SECOND)


_CALLS: Final[dict[str, Make]] = {
    **dict.fromkeys(("List", "Seq", "Vector", "Array", "Set", "Iterable"), _list),
    **dict.fromkeys(("ValList", "ValArray"), _wrapped_list),
    **dict.fromkeys(("Map", "ListMap", "HashMap"), _map),
    **dict.fromkeys(
        ("ValContext", "StaticContext", "MyCustomContext", "SimpleTestContext"), _context
    ),
    **dict.fromkeys(
        ("ValNumber", "ValString", "ValBoolean", "CustomValue", "Some", "Option"), _wrapped
    ),
    **dict.fromkeys(("ValDate", "date", "LocalDate.parse"), _parsed(iso8601.parse_date)),
    **dict.fromkeys(
        (
            "ValTime", "ValLocalTime", "time", "localTime", "LocalTime.parse", "OffsetTime.parse",
            "ZonedTime.parse",
        ),
        _parsed(iso8601.parse_time),
    ),
    **dict.fromkeys(
        (
            "ValDateTime", "ValLocalDateTime", "dateTime", "localDateTime", "LocalDateTime.parse",
            "ZonedDateTime.parse", "OffsetDateTime.parse",
        ),
        _parsed(iso8601.parse_date_and_time),
    ),
    **dict.fromkeys(
        ("ValDayTimeDuration", "dayTimeDuration", "Duration.parse"),
        _parsed(iso8601.parse_duration),
    ),
    **dict.fromkeys(
        ("ValYearMonthDuration", "yearMonthDuration", "Period.parse"),
        _parsed(iso8601.parse_period),
    ),
    "evaluateFunction": _function,
    **dict.fromkeys(("ValError", "ValFatalError"), lambda _arguments: None),
    "ValRange": _range,
    "ClosedRangeBoundary": _bound(is_closed=True),
    "OpenRangeBoundary": _bound(is_closed=False),
    "BigDecimal": lambda arguments: Decimal(str(arguments.one())),
    "Range": lambda arguments: list[Value](range(*arguments.numbers())),
    "LocalDate.of": _date_of,
    "LocalTime.of": _time_of,
    "LocalDateTime.of": _date_time_of,
    "ZonedDateTime.of": _zoned_of,
    "OffsetDateTime.of": _zoned_of,
    "OffsetTime.of": _zoned_of,
    "ZoneId.of": _wrapped,
    "ZoneOffset.of": _wrapped,
    "ZoneOffset.ofHours": _offset,
    "ZoneOffset.ofHoursMinutes": _offset,
    "Period.ofYears": _periods(12),
    "Period.ofMonths": _periods(1),
    "Duration.ofDays": _durations(86_400),
    "Duration.ofHours": _durations(3_600),
    "Duration.ofMinutes": _durations(60),
    "Duration.ofSeconds": _durations(1),
}  # fmt: skip


# --- methods ---


def _now() -> FeelDateTime:
    return FeelDateTime(NOW_MS * 1_000_000, 0)


def _date(value: Value) -> FeelDate:
    if not isinstance(value, FeelDateTime):
        raise Unsupported(f"the date of {value}")
    return value.date


def _with_period(value: Value, months: int, *, is_added: bool) -> Period:
    if not isinstance(value, Period):
        raise Unsupported(f"months of {value}")
    return Period((value.months if is_added else value.months // 12 * 12) + months)


def _plus_time(seconds: int) -> Method:
    def add(value: Value, arguments: Arguments) -> Value:
        amount = Duration(_whole(arguments.one()) * seconds * SECOND)
        if isinstance(value, Duration):
            return Duration(value.nanos + amount.nanos)
        if isinstance(value, FeelDate | FeelDateTime | FeelTime):
            return value.plus(amount)
        raise Unsupported(f"time after {value}")

    return add


def _placed(value: Value, arguments: Arguments) -> Value:
    return _zoned_of(Arguments([value, arguments.one()], {}, {}))


def _start_of_day(value: Value, _arguments: Arguments) -> Value:
    if not isinstance(value, FeelDate):
        raise Unsupported(f"the start of {value}")
    return value.at(0)


def _negated(value: Value, _arguments: Arguments) -> Value:
    if isinstance(value, Duration):
        return Duration(-value.nanos)
    if isinstance(value, Period):
        return Period(-value.months)
    raise Unsupported(f"-{value}")


def _same(value: Value, _arguments: Arguments) -> Value:
    return value


_METHODS: Final[dict[str, Method]] = {
    **dict.fromkeys(("toList", "toSeq", "toVector", "asJava", "toArray", "toMap"), _same),
    "take": lambda value, arguments: _items(value)[: _whole(arguments.one())],
    "drop": lambda value, arguments: _items(value)[_whole(arguments.one()) :],
    "head": lambda value, _: _items(value)[0],
    "last": lambda value, _: _items(value)[-1],
    "tail": lambda value, _: _items(value)[1:],
    "init": lambda value, _: _items(value)[:-1],
    "reverse": lambda value, _: _items(value)[::-1],
    "size": lambda value, _: len(_items(value)),
    "length": lambda value, _: len(_items(value)),
    "flatten": lambda value, _: [item for part in _items(value) for item in _items(part)],
    **dict.fromkeys(("atZone", "atOffset"), _placed),
    "atStartOfDay": _start_of_day,
    "negated": _negated,
    "toLocalDate": lambda value, _: _date(value),
    "withMonths": lambda value, a: _with_period(value, _whole(a.one()), is_added=False),
    "plusMonths": lambda value, a: _with_period(value, _whole(a.one()), is_added=True),
    "plusDays": _plus_time(86_400),
    "plusHours": _plus_time(3_600),
    "plusMinutes": _plus_time(60),
    "plusSeconds": _plus_time(1),
}

_CONSTANTS: Final[Known] = {
    "true": True,
    "false": False,
    "null": None,
    "None": None,
    "ValNull": None,
    "Nil": [],
    **{f"{name}.empty": [] for name in ("List", "Seq", "Vector", "Set")},
    "Map.empty": {},
    "EmptyContext": {},
    "Context.EmptyContext": {},
    "Double.NaN": None,
    "Double.PositiveInfinity": None,
    "Double.NegativeInfinity": None,
    "Int.MaxValue": 2**31 - 1,
    "Int.MinValue": -(2**31),
    "Long.MaxValue": 2**63 - 1,
    "Long.MinValue": -(2**63),
    "ZoneOffset.UTC": "Z",
    "Duration.ZERO": Duration(0),
    "Period.ZERO": Period(0),
    "now": _now(),
}
