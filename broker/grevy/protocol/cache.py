"""What the codec prepared once and keeps: bounded, since clients choose the names in it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, TypeVar

__all__ = ["Cache"]

K = TypeVar("K")
V = TypeVar("V")


class Cache(dict[K, V]):
    """A dict that starts anew when it is full. That costs less than knowing who was used last: what
    is in use is made again at once, and a cache that is full all the time helps nobody.
    """

    __slots__ = ("_asked", "_count_max")

    def __init__(self, count_max: int) -> None:
        super().__init__()
        self._count_max: Final = count_max
        self._asked: Final[set[int]] = set()

    def keep(self, key: K, item: V) -> None:
        """Add one more."""
        if len(self) >= self._count_max:
            self.clear()
        self[key] = item

    def is_worth(self, key: Hashable) -> bool:
        """Whether somebody asked for this key before. What comes once is not worth preparing."""
        number = hash(key)
        if number in self._asked:
            return True
        if len(self._asked) >= self._count_max:
            self._asked.clear()
        self._asked.add(number)
        return False
