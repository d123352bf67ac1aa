"""The built-in functions of FEEL, as of feel-scala 1.22, with Zeebe's `cycle` and `fromAi`."""

from __future__ import annotations

from typing import Final

from grevy.feel.builtins import (
    contexts,
    conversions,
    general,
    lists,
    numbers,
    ranges,
    strings,
    temporals,
)
from grevy.feel.builtins.library import Builtin, CallFailed

__all__ = ["Builtin", "CallFailed", "builtins_of"]

_ALL: Final[dict[str, tuple[Builtin, ...]]] = {
    name: tuple(builtins)
    for module in (contexts, conversions, general, lists, numbers, ranges, strings, temporals)
    for name, builtins in module.LIBRARY.functions.items()
}


def builtins_of(name: str) -> tuple[Builtin, ...]:
    """The forms of a function, in the order in which they are tried; none for an unknown name."""
    return _ALL.get(name, ())
