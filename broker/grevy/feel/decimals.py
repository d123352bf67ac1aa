"""FEEL's numbers: decimals of 34 digits, rounded half to even, as Zeebe's are; whole ones stay
Python ints.

An int may be as long as it was written or received, a result of arithmetic has 34 digits at most.
There is no negative zero, no infinity and no NaN: what would give one raises
`decimal.DecimalException`, and callers make it null.
"""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Final, TypeAlias

from grevy.feel.errors import FeelFormatError

Number: TypeAlias = int | Decimal

_TRAPS: Final[list[type[decimal.DecimalException]]] = [
    decimal.InvalidOperation,
    decimal.DivisionByZero,
    decimal.Overflow,
]
CONTEXT: Final = decimal.Context(
    prec=34, rounding=decimal.ROUND_HALF_EVEN, Emax=999_999, Emin=-999_999, traps=list(_TRAPS)
)
"""How arithmetic rounds. `Emax` keeps numbers from growing so long that writing them takes time."""
_WIDE: Final = decimal.Context(prec=20_000, traps=list(_TRAPS))

INT_END: Final = 10**34
"""The first whole number with more than 34 digits."""
SCALE_MIN: Final = -6111
SCALE_MAX: Final = 6176
_INT_DIGITS_MAX: Final = 1_000
"""Longer whole numbers are Decimals, too: Python refuses to read ints of some thousand digits."""
_INT64_SPAN: Final = 2**64


# Bound once: looking them up takes as long as what they do.
_add: Final = CONTEXT.add
_subtract: Final = CONTEXT.subtract
_multiply: Final = CONTEXT.multiply


def parse_number(text: str) -> Number:
    """A number as FEEL writes it: digits, perhaps a point and more digits, perhaps an exponent.

    Exact.
    """
    if len(text) <= _INT_DIGITS_MAX and text.isdigit():
        return int(text)
    return Decimal(text)


def from_float(number: float) -> Decimal:
    """The shortest decimal that is that float, with the digits that the Java platform gives it;
    raises `FeelFormatError` when it is none.
    """
    if not math.isfinite(number):
        raise FeelFormatError("the result is no number")
    return Decimal(double_text(number or 0.0))


def _result(number: Decimal) -> Decimal:
    return number or number.copy_abs()


def add(left: Number, right: Number) -> Number:
    """left + right."""
    if isinstance(left, int) and isinstance(right, int):
        return whole(left + right)
    result = _add(left, right)
    return result or result.copy_abs()


def subtract(left: Number, right: Number) -> Number:
    """left - right."""
    if isinstance(left, int) and isinstance(right, int):
        return whole(left - right)
    result = _subtract(left, right)
    return result or result.copy_abs()


def multiply(left: Number, right: Number) -> Number:
    """left x right."""
    if isinstance(left, int) and isinstance(right, int):
        return whole(left * right)
    result = _multiply(left, right)
    return result or result.copy_abs()


def divide(left: Number, right: Number) -> Number:
    """left / right; raises `decimal.DecimalException` for a zero `right`."""
    if isinstance(left, int) and isinstance(right, int) and right and left % right == 0:
        return whole(left // right)
    return _result(CONTEXT.divide(left, right))


def power(base: Number, exponent: Number) -> Number:
    """base ** exponent; an exponent that is not whole makes it a calculation with floats, as in
    Zeebe. Raises `decimal.DecimalException` where it is no number.
    """
    if not is_whole(exponent):
        try:
            return from_float(math.pow(base, exponent))
        except (ValueError, OverflowError):  # `FeelFormatError` is a ValueError, too
            raise decimal.InvalidOperation from None
    if not exponent:
        return 1
    if not base and exponent < 0:
        raise decimal.DivisionByZero
    if not base and isinstance(base, Decimal):
        return _zero_power(base, int(exponent))
    is_short = isinstance(base, int) and 0 < exponent * base.bit_length() <= 112
    if is_short and isinstance(base, int) and isinstance(exponent, int):
        return whole(base**exponent)
    result = _result(CONTEXT.power(base, int(exponent)))
    return whole(int(result)) if isinstance(base, int) and _is_short_whole(result) else result


def _zero_power(base: Decimal, exponent: int) -> Decimal:
    """A zero with the decimal places of so many factors, as far as a zero can have them."""
    places = base.as_tuple().exponent
    assert isinstance(places, int), "there is no infinity and no NaN"
    return Decimal((0, (0,), min(max(places * exponent, CONTEXT.Emin), CONTEXT.Emax)))


def modulo(dividend: Number, divisor: Number) -> Number:
    """What is left of a division; it has the sign of the divisor."""
    if isinstance(dividend, int) and isinstance(divisor, int) and divisor:
        return whole(dividend % divisor)
    rest = CONTEXT.remainder(dividend, divisor)
    return _result(CONTEXT.remainder(CONTEXT.add(rest, divisor), divisor))


def negate(number: Number) -> Number:
    """-number."""
    return -number if isinstance(number, int) else _result(number.copy_negate())


def whole(number: int) -> Number:
    """A whole result: an int, or a Decimal when it has to be rounded."""
    if -INT_END < number < INT_END:
        return number
    return CONTEXT.create_decimal(number)


def is_whole(number: Number) -> bool:
    """Whether it is an integer in value, as 3.00 is."""
    return isinstance(number, int) or number == number.to_integral_value()


def remainder_by_two(number: Number) -> int | None:
    """0 for even, 1 for odd; None for a number that is not whole."""
    if isinstance(number, int):
        return number % 2
    if not is_whole(number):
        return None
    # Not int(): a number with a great exponent would become millions of digits, and all of them
    # even.
    return 0 if number.adjusted() > len(number.as_tuple().digits) else int(number) % 2


def _is_short_whole(number: Decimal) -> bool:
    return 0 <= number.adjusted() < 34 and number == number.to_integral_value()


def to_index(number: Number) -> int:
    """The integer towards zero, within 64 bits: for positions and counts."""
    if isinstance(number, int):
        if -(2**63) <= number < 2**63:
            return number
        return -(2**63) if number < 0 else 2**63 - 1
    if number.adjusted() > 18:
        return -(2**63) if number < 0 else 2**63 - 1
    return int(number)


def rescale(number: Number, scale: int, rounding: str) -> Number:
    """The number with `scale` digits after its point; raises `decimal.DecimalException` when it
    cannot have them.
    """
    if not SCALE_MIN <= scale <= SCALE_MAX:
        raise decimal.InvalidOperation(f"the scale {scale} is out of range")
    result = _result(
        Decimal(number).quantize(Decimal(1).scaleb(-scale, _WIDE), rounding, context=_WIDE)
    )
    return int(result) if scale == 0 and result.adjusted() < 34 else result


DOUBLE_PLAIN_MIN: Final = 1e-3
DOUBLE_PLAIN_END: Final = 1e7
"""Doubles from the one to the other, whatever their sign, are written without an exponent."""


def to_json_number(number: Number) -> int | float:
    """As Zeebe exports it: whole numbers as the low 64 bits of an integer, others as the nearest
    double.
    """
    if isinstance(number, Decimal):
        if not is_whole(number):
            return float(number)
        exponent = number.as_tuple().exponent
        # From 10**64 on the low 64 bits are zero; the integer itself could have a million digits.
        number = 0 if isinstance(exponent, int) and exponent >= 64 else int(number)
    return (number + 2**63) % _INT64_SPAN - 2**63


def double_text(number: float) -> str:
    """The shortest text of a finite double, in the form that the Java platform gives it."""
    text = repr(number)
    if number == 0 or DOUBLE_PLAIN_MIN <= abs(number) < DOUBLE_PLAIN_END:
        return text
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int), "the number is finite"
    first, *rest = map(str, digits)
    fraction = "".join(rest) or "0"
    return f"{'-' * sign}{first}.{fraction}E{exponent + len(rest)}"
