"""Hit policies: what a decision table gives when rules match."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import DecimalException
from functools import reduce
from typing import Final, TypeAlias

from msgspec import Struct

from grevy.feel import EvaluationFailed, Session, Value, arranged, decimals, feel_type, shown
from grevy.feel.decimals import Number

Row: TypeAlias = dict[str, Value]
"""The outputs of a rule that matched, by the names of the outputs."""

_SHOWN_MAX: Final = 10
"""Rows that a failure shows."""


class Hits(Struct, frozen=True):
    """A hit policy, with what it needs to know. `priorities` are, by output, the ranks of values
    by their texts.
    """

    policy: str
    aggregation: str = ""
    priorities: tuple[tuple[str, Mapping[str, int]], ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether only the first rule counts."""
        return self.policy == "FIRST"

    def result(self, session: Session, rows: list[Row]) -> Value:
        """The value of one or more rows, in rule order. Raises `EvaluationFailed`."""
        if self.policy == "UNIQUE" and len(rows) > 1:
            raise EvaluationFailed(
                "multiple values aren't allowed for UNIQUE hit policy. "
                f"found: '{_shown_rows(rows)}'"
            )
        if self.policy == "ANY":
            different: dict[Hashable, Row] = {}
            for row in rows:
                different.setdefault(session.identity(row), row)
            if len(different) > 1:
                raise EvaluationFailed(
                    "different values aren't allowed for ANY hit policy. "
                    f"found: '{_shown_rows(list(different.values()))}'"
                )
        if self.policy in ("PRIORITY", "OUTPUT ORDER"):
            rows = sorted(rows, key=self._rank)
        values = [_value(row) for row in rows]
        if self.policy == "COLLECT" and self.aggregation:
            return _AGGREGATIONS[self.aggregation](values)
        if self.policy in ("COLLECT", "RULE ORDER", "OUTPUT ORDER"):
            return list(values)
        return values[0]

    def _rank(self, row: Row) -> tuple[int, ...]:
        return tuple(
            _place(row.get(name), ranks) if ranks else 0 for name, ranks in self.priorities
        )


def ranks_of(texts: Iterable[str]) -> dict[str, int]:
    """The ranks of values that are listed as texts, the first one of those that are there twice."""
    ranks: dict[str, int] = {}
    for text in texts:
        ranks.setdefault(text, len(ranks))
    return ranks


def _place(value: Value, ranks: Mapping[str, int]) -> int:
    """Only texts and numbers are found; what is not comes last."""
    if feel_type(value) not in ("string", "number"):
        return len(ranks)
    return ranks.get(shown(value), len(ranks))


def _value(row: Row) -> Value:
    return next(iter(row.values())) if len(row) == 1 else arranged(row)


def _shown_rows(rows: list[Row]) -> str:
    texts = []
    for row in rows[:_SHOWN_MAX]:
        entries = ", ".join(f"{name} -> {shown(value)}" for name, value in row.items())
        texts.append(f"Map({entries})")
    if len(rows) > _SHOWN_MAX:
        texts.append("…")
    return f"List({', '.join(texts)})"


def _numbers(values: list[Value]) -> list[Number]:
    numbers: list[Number] = []
    for value in values:
        if feel_type(value) != "number":
            raise EvaluationFailed(f"expected number but found '{shown(value)}'")
        numbers.append(value)  # type: ignore[arg-type]  # its type says so
    return numbers


def _sum(values: list[Value]) -> Value:
    try:
        return reduce(decimals.add, _numbers(values))
    except DecimalException:
        raise EvaluationFailed("the sum is out of range") from None


def _least(values: list[Value]) -> Value:
    return min(_numbers(values))


def _greatest(values: list[Value]) -> Value:
    return max(_numbers(values))


def _count(values: list[Value]) -> Value:
    return len(values)


_AGGREGATIONS: Final[dict[str, Callable[[list[Value]], Value]]] = {
    "SUM": _sum,
    "MIN": _least,
    "MAX": _greatest,
    "COUNT": _count,
}
AGGREGATIONS: Final = frozenset(_AGGREGATIONS)
"""What COLLECT can make of numbers."""

POLICIES: Final = frozenset(
    ("UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT")
)
"""The hit policies, as files spell them."""
