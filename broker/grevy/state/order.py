"""The order of the keys in a table's upper layers, made when a scan asks for it and not when a key
is written.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar

K = TypeVar("K")

_INSERTED_ONE_BY_ONE_MAX: Final = 16
"""More new rows than this are cheaper to sort in together, among the thousands that may be there.
"""


class LayerOrder(Generic[K]):
    """`rows`, in order, of the keys that steps have written, and `keys`, the key of each row.

    Keys of steps that were rolled back or discarded may stay in it: whoever scans looks at the
    values anyway.
    """

    __slots__ = ("_seen", "_steps", "_to_row", "keys", "rows")

    def __init__(self, to_row: Callable[[K], bytes]) -> None:
        self._to_row = to_row
        self.reset(())

    def reset(self, steps: Iterable[Mapping[K, object]]) -> None:
        """Forget all keys but those of `steps`."""
        self._steps = list(steps)
        self._seen: set[K] = set()
        self.rows: list[bytes] = []
        self.keys: dict[bytes, K] = {}

    def add_step(self, step: Mapping[K, object]) -> None:
        """Have the keys of `step` in order when it is needed, also those that it is still to
        get.
        """
        self._steps.append(step)

    def refresh(self, *, is_step_open: bool) -> None:
        """Bring `rows` and `keys` up to date; the step that was added last may still be open."""
        if not self._steps:
            return
        added: list[bytes] = []
        seen = self._seen
        for step in self._steps:
            for key in step:
                if key not in seen:
                    seen.add(key)
                    row = self._to_row(key)
                    self.keys[row] = key
                    added.append(row)
        self._steps = self._steps[-1:] if is_step_open else []
        if len(added) > _INSERTED_ONE_BY_ONE_MAX:
            self.rows += added
            self.rows.sort()
        else:
            for row in added:
                insort(self.rows, row)
