"""Built-ins on numbers: rounding, roots, remainders, chance."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from typing import Final

from grevy.feel import decimals
from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped, FeelFormatError, quote
from grevy.feel.moments import Duration, Period
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import Value

LIBRARY: Final = Library()

_MODES: Final = {
    "UP": decimal.ROUND_UP,
    "DOWN": decimal.ROUND_DOWN,
    "CEILING": decimal.ROUND_CEILING,
    "FLOOR": decimal.ROUND_FLOOR,
    "HALF_UP": decimal.ROUND_HALF_UP,
    "HALF_DOWN": decimal.ROUND_HALF_DOWN,
    "HALF_EVEN": decimal.ROUND_HALF_EVEN,
}


def _round(number: Number, scale: Number, rounding: str) -> Value:
    try:
        return decimals.rescale(number, decimals.to_index(scale), rounding)
    except decimal.DecimalException:
        raise CallFailed(f"'{shown(number)}' cannot have the scale '{shown(scale)}'") from None


@LIBRARY.define("decimal", "n: number", "scale: number")
def _decimal(_run: Run, number: Number, scale: Number) -> Value:
    return _round(number, scale, decimal.ROUND_HALF_EVEN)


@LIBRARY.define("decimal", "n: number", "scale: number", "mode: string")
def _decimal_by_mode(_run: Run, number: Number, scale: Number, mode: str) -> Value:
    if mode.upper() == "UNNECESSARY":
        result = _round(number, scale, decimal.ROUND_DOWN)
        if result != number:
            raise CallFailed("Failed to apply rounding mode 'UNNECESSARY': Rounding necessary")
        return result
    rounding = _MODES.get(mode.upper())
    if rounding is None:
        raise CallFailed(
            f"Illegal argument '{quote(mode)}' for rounding mode. Must be one of: "
            + ", ".join((*_MODES, "UNNECESSARY"))
        )
    return _round(number, scale, rounding)


def _define_rounding(name: str, rounding: str, *, has_default: bool) -> None:
    """`scala` is how Zeebe's engine calls the parameter `scale` of some of them."""

    def by_scale(_run: Run, number: Number, scale: Number = 0) -> Value:
        return _round(number, scale, rounding)

    if has_default:
        LIBRARY.define(name, "n: number")(by_scale)
    for parameter in ("scale", "scala"):
        LIBRARY.define(name, "n: number", f"{parameter}: number")(by_scale)


_define_rounding("floor", decimal.ROUND_FLOOR, has_default=True)
_define_rounding("ceiling", decimal.ROUND_CEILING, has_default=True)
_define_rounding("round up", decimal.ROUND_UP, has_default=False)
_define_rounding("round down", decimal.ROUND_DOWN, has_default=False)
_define_rounding("round half up", decimal.ROUND_HALF_UP, has_default=False)
_define_rounding("round half down", decimal.ROUND_HALF_DOWN, has_default=False)


@LIBRARY.define("abs", "number: number|duration|period")
@LIBRARY.define("abs", "n: number|duration|period")
def _abs(_run: Run, value: Number | Duration | Period) -> Number | Duration | Period:
    if isinstance(value, Duration):
        return Duration(abs(value.nanos))
    if isinstance(value, Period):
        return Period(abs(value.months))
    return value if value >= 0 else decimals.negate(value)


@LIBRARY.define("modulo", "dividend: number", "divisor: number")
def _modulo(_run: Run, dividend: Number, divisor: Number) -> Value:
    try:
        return decimals.modulo(dividend, divisor)
    except decimal.DecimalException:
        reason = f"{shown(dividend)} has no remainder for {shown(divisor)}"
        raise EvaluationStopped(reason) from None


def _define_by_float(name: str, calculate: Callable[[float], float]) -> None:
    def by_float(_run: Run, number: Number) -> Value:
        try:
            return decimals.from_float(calculate(float(number)))
        except (ValueError, OverflowError, FeelFormatError):
            raise EvaluationStopped(f"{name}({shown(number)}) is no number") from None

    LIBRARY.define(name, "number: number")(by_float)


_define_by_float("log", math.log)
_define_by_float("exp", math.exp)


@LIBRARY.define("sqrt", "number: number")
def _sqrt(_run: Run, number: Number) -> Value:
    try:
        return decimals.from_float(math.sqrt(number))
    except (ValueError, OverflowError, FeelFormatError):
        raise CallFailed(f"'{shown(number)}' is out of range") from None


@LIBRARY.define("odd", "number: number")
def _odd(_run: Run, number: Number) -> Value:
    return decimals.remainder_by_two(number) == 1


@LIBRARY.define("even", "number: number")
def _even(_run: Run, number: Number) -> Value:
    return decimals.remainder_by_two(number) == 0


@LIBRARY.define("random number")
def _random_number(run: Run) -> Value:
    if run.entropy is None:
        raise CallFailed("there is no source of randomness here")
    return decimals.from_float((run.entropy.random_u64() >> 11) / 2**53)
