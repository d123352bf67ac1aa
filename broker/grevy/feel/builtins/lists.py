"""Built-ins on lists. Positions count from 1, or from the end for negative ones; equality is
FEEL's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import chain
from typing import Final, cast

from grevy.feel import decimals
from grevy.feel.builtins.library import CallFailed, Library
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped
from grevy.feel.operators import NUMBER_TYPES
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import FeelFunction, Value, identity, order_class, sort_key

LIBRARY: Final = Library()
Items = list[Value]


@LIBRARY.define("list contains", "list: list", "element")
def _list_contains(run: Run, items: Items, element: Value) -> Value:
    key = identity(element, run)
    return any(other == key for other in _keys(run, items))


@LIBRARY.define("count", "list: list")
def _count(_run: Run, items: Items) -> Value:
    return len(items)


@LIBRARY.define("is empty", "list: list")
def _is_empty(_run: Run, items: Items) -> Value:
    return not items


def _keys(run: Run, items: Items) -> list[Hashable]:
    run.charge(len(items))
    return [identity(item, run) for item in items]


# --- the least, the greatest, and statistics ---


def _extreme(run: Run, items: Items, pick: Callable[..., Value]) -> Value:
    if not items:
        return None
    run.charge(len(items))
    kinds = set(map(type, items))
    if kinds <= _NUMBERS or kinds == {str}:
        return pick(items)
    order = order_class(items[0])
    if order is None or any(order_class(item) != order for item in items):
        raise CallFailed(f"{shown(items)} is not comparable")
    return pick(items, key=sort_key)


_NUMBERS: Final = frozenset(NUMBER_TYPES)


@LIBRARY.define("min", "list: list", is_variadic=True)
def _min(run: Run, items: Items) -> Value:
    return _extreme(run, items, min)


@LIBRARY.define("max", "list: list", is_variadic=True)
def _max(run: Run, items: Items) -> Value:
    return _extreme(run, items, max)


def _numbers(run: Run, items: Items) -> list[Number]:
    run.charge(len(items))
    for item in items:
        if type(item) not in _NUMBERS:
            raise CallFailed(f"expected number but found '{shown(item)}'")
    return cast(list[Number], items)


def _total(numbers: list[Number]) -> Number:
    total: Number = 0
    for number in numbers:
        total = decimals.add(total, number)
    return total


@LIBRARY.define("sum", "list: list", is_variadic=True)
def _sum(run: Run, items: Items) -> Value:
    return _total(_numbers(run, items)) if items else None


@LIBRARY.define("product", "list: list", is_variadic=True)
def _product(run: Run, items: Items) -> Value:
    product: Number = 1
    for number in _numbers(run, items):
        product = decimals.multiply(product, number)
    return product if items else None


@LIBRARY.define("mean", "list: list", is_variadic=True)
def _mean(run: Run, items: Items) -> Value:
    return decimals.divide(_total(_numbers(run, items)), len(items)) if items else None


@LIBRARY.define("median", "list: list", is_variadic=True)
def _median(run: Run, items: Items) -> Value:
    numbers = sorted(_numbers(run, items))
    if not numbers:
        return None
    middle = len(numbers) // 2
    if len(numbers) % 2:
        return numbers[middle]
    return decimals.divide(decimals.add(numbers[middle - 1], numbers[middle]), 2)


@LIBRARY.define("stddev", "list: list", is_variadic=True)
def _stddev(run: Run, items: Items) -> Value:
    numbers = _numbers(run, items)
    if len(numbers) < 2:
        if numbers:
            raise EvaluationStopped("a single number has no standard deviation")
        return None
    mean = decimals.divide(_total(numbers), len(numbers))
    deviations = [decimals.subtract(number, mean) for number in numbers]
    squares = _total([decimals.multiply(deviation, deviation) for deviation in deviations])
    variance = decimals.divide(squares, len(numbers) - 1)
    return decimals.from_float(float(variance) ** 0.5)


@LIBRARY.define("mode", "list: list", is_variadic=True)
def _mode(run: Run, items: Items) -> Value:
    counts: dict[Number, int] = {}
    for number in _numbers(run, items):
        counts[number] = counts.get(number, 0) + 1
    most = max(counts.values(), default=0)
    modes = sorted(number for number, count in counts.items() if count == most)
    return list[Value](modes)


# --- all and any ---


def _decide(run: Run, items: Items, *, is_all: bool) -> Value:
    run.charge(len(items))
    if (not is_all) in (item for item in items if isinstance(item, bool)):
        return not is_all
    return is_all if all(isinstance(item, bool) for item in items) else None


@LIBRARY.define("all", "list: list", is_variadic=True)
@LIBRARY.define("and", "list: list", is_variadic=True)
def _all(run: Run, items: Items) -> Value:
    return _decide(run, items, is_all=True)


@LIBRARY.define("any", "list: list", is_variadic=True)
@LIBRARY.define("or", "list: list", is_variadic=True)
def _any(run: Run, items: Items) -> Value:
    return _decide(run, items, is_all=False)


# --- parts and positions ---


def _index(items: Items, position: Number, what: str = "position") -> int:
    """Where a position is, from 0; it may lie outside of the list. There is no position 0."""
    number = decimals.to_index(position)
    if number == 0:
        raise CallFailed(f"{what} must be a non-zero number")
    return number - 1 if number > 0 else len(items) + number


def _made(run: Run, items: Items) -> Items:
    run.check_list(len(items))
    return items


@LIBRARY.define("sublist", "list: list", "start position: number")
@LIBRARY.define("sublist", "list: list", "start position: number", "length: number")
@LIBRARY.define("sublist", "list: list", "start: number")
@LIBRARY.define("sublist", "list: list", "start: number", "length: number")
def _sublist(run: Run, items: Items, start: Number, length: Number | None = None) -> Value:
    first = _index(items, start, "start position")
    end = len(items) if length is None else first + decimals.to_index(length)
    return _made(run, items[max(first, 0) : max(end, 0)])


@LIBRARY.define("insert before", "list: list", "position: number", "newItem")
def _insert_before(run: Run, items: Items, position: Number, new_item: Value) -> Value:
    at = max(_index(items, position), 0)
    return _made(run, [*items[:at], new_item, *items[at:]])


@LIBRARY.define("remove", "list: list", "position: number")
def _remove(run: Run, items: Items, position: Number) -> Value:
    at = _index(items, position)
    return _made(run, items[:at] + items[at + 1 :] if 0 <= at < len(items) else items)


@LIBRARY.define("list replace", "list: list", "position: number", "newItem")
def _list_replace(run: Run, items: Items, position: Number, new_item: Value) -> Value:
    at = _index(items, position)
    if not 0 <= at < len(items):
        raise CallFailed(f"there is no item {shown(position)} in the list")
    return _made(run, [*items[:at], new_item, *items[at + 1 :]])


def _list_replace_matching(run: Run, items: Items, match: FeelFunction, new_item: Value) -> Value:
    if len(match.parameters) != 2:
        raise CallFailed(f"expect boolean function with 2 arguments, but found '{shown(match)}'")
    replaced: Items = []
    for item in items:
        outcome = match.invoke([item, new_item])
        if not isinstance(outcome, bool):
            raise CallFailed(f"expected boolean but found '{shown(outcome)}'")
        replaced.append(new_item if outcome else item)
    return _made(run, replaced)


@LIBRARY.define("list replace", "list: list", "match: number|function", "newItem")
def _list_replace_by(
    run: Run, items: Items, match: Number | FeelFunction, new_item: Value
) -> Value:
    if isinstance(match, FeelFunction):
        return _list_replace_matching(run, items, match, new_item)
    return _list_replace(run, items, match, new_item)


@LIBRARY.define("index of", "list: list", "match")
def _index_of(run: Run, items: Items, match: Value) -> Value:
    key = identity(match, run)
    return [number for number, other in enumerate(_keys(run, items), 1) if other == key]


@LIBRARY.define("partition", "list: list", "size: number")
def _partition(run: Run, items: Items, size: Number) -> Value:
    length = decimals.to_index(size)
    if length < 1:
        raise CallFailed(f"'size' should be greater than zero but was '{length}'")
    parts: Items = [items[at : at + length] for at in range(0, len(items), length)]
    return _made(run, parts)


# --- lists from lists ---


def _spliced(lists: Items) -> Items:
    """The items of lists one after the other; what is no list is one item."""
    return list(chain.from_iterable(part if isinstance(part, list) else [part] for part in lists))


@LIBRARY.define("append", "list: list", "items: list", is_variadic=True)
def _append(run: Run, items: Items, others: Items) -> Value:
    return _made(run, items + others)


@LIBRARY.define("concatenate", "lists: list", is_variadic=True)
def _concatenate(run: Run, lists: Items) -> Value:
    run.check_list(sum(len(part) for part in lists if isinstance(part, list)))
    return _made(run, _spliced(lists))


def _distinct(run: Run, items: Items) -> dict[Hashable, list[Value]]:
    """The items by what they equal, in the order in which each was first seen."""
    groups: dict[Hashable, list[Value]] = {}
    for key, item in zip(_keys(run, items), items, strict=True):
        groups.setdefault(key, []).append(item)
    return groups


@LIBRARY.define("union", "lists: list", is_variadic=True)
def _union(run: Run, lists: Items) -> Value:
    run.check_list(sum(len(part) for part in lists if isinstance(part, list)))
    return [group[0] for group in _distinct(run, _spliced(lists)).values()]


@LIBRARY.define("distinct values", "list: list")
def _distinct_values(run: Run, items: Items) -> Value:
    return [group[0] for group in _distinct(run, items).values()]


@LIBRARY.define("duplicate values", "list: list")
def _duplicate_values(run: Run, items: Items) -> Value:
    return [group[0] for group in _distinct(run, items).values() if len(group) > 1]


@LIBRARY.define("reverse", "list: list")
def _reverse(run: Run, items: Items) -> Value:
    return _made(run, items[::-1])


@LIBRARY.define("flatten", "list: list")
def _flatten(run: Run, items: Items) -> Value:
    flat: Items = []
    pending = [iter(items)]
    while pending:
        for item in pending[-1]:
            run.charge(1)
            if isinstance(item, list):
                pending.append(iter(item))
                break
            flat.append(item)
        else:
            pending.pop()
    return _made(run, flat)


class _Ranked:
    """An item that asks a FEEL function whether it comes before another."""

    __slots__ = ("item", "precedes")

    def __init__(self, item: Value, precedes: FeelFunction) -> None:
        self.item = item
        self.precedes = precedes

    def __lt__(self, other: _Ranked) -> bool:
        outcome = self.precedes.invoke([self.item, other.item])
        if not isinstance(outcome, bool):
            raise CallFailed(
                "fail to sort list by given precedes function: "
                f"expected boolean but found '{shown(outcome)}'"
            )
        return outcome


@LIBRARY.define("sort", "list: list", "precedes: function")
def _sort(run: Run, items: Items, precedes: FeelFunction) -> Value:
    if len(precedes.parameters) != 2:
        count = len(precedes.parameters)
        raise CallFailed(f"expect boolean function with 2 arguments, but found '{count}'")
    run.charge(len(items))
    return [ranked.item for ranked in sorted(_Ranked(item, precedes) for item in items)]


@LIBRARY.define("string join", "list: list|string")
@LIBRARY.define("string join", "list: list|string", "delimiter: string|null")
@LIBRARY.define(
    "string join",
    "list: list|string",
    "delimiter: string|null",
    "prefix: string|null",
    "suffix: string|null",
)
def _string_join(run: Run, items: Items | str, *around: str | None) -> Value:
    delimiter, prefix, suffix = (*around, None, None, None)[:3]
    texts: list[str] = []
    for item in [items] if isinstance(items, str) else items:
        if item is not None and not isinstance(item, str):
            raise CallFailed(f"expected a list of strings but found '{shown(items)}'")
        if item is not None:
            texts.append(run.check_text(item))
    between = delimiter or ""
    run.charge(len(texts) + len(between) * len(texts) // 256)
    length = sum(map(len, texts)) + len(between) * len(texts)
    run.check_length(length)
    return run.check_text(f"{prefix or ''}{between.join(texts)}{suffix or ''}")
