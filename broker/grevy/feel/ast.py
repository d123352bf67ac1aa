"""The nodes of a parsed expression. Frozen; chains of one operator are one node, so that trees
stay as flat as they read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias

from grevy.feel.values import Value


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant, temporal ones included; a temporal text that means nothing is a null."""

    value: Value


@dataclass(frozen=True, slots=True)
class InputSymbol:
    """`?`, the value that a unary test is about."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """`base.key`."""

    base: Node
    key: str


@dataclass(frozen=True, slots=True)
class Filter:
    """`base[condition]`, or an item by its index."""

    base: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ContextOf:
    """`{a: 1, b: a + 1}`; later entries see earlier ones."""

    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class RangeOf:
    """`[a..b]` and its open variants as a value."""

    start: Node
    end: Node
    is_start_closed: bool
    is_end_closed: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """`first op operand op operand …`, of one precedence, from left to right; op is one of + - * /
    **.
    """

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`-operand`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`; op is one of = != < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between:
    """`value between low and high`."""

    value: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class Junction:
    """`a and b and …`, `a or b or …`, or the tests of a list of which one has to hold."""

    is_and: bool
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If:
    """`if c then a else if d then b else e`: the branches (condition, value), then what is left."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Steps:
    """`start..end` after `in` of an iteration."""

    start: Node
    end: Node


@dataclass(frozen=True, slots=True)
class For:
    """`for a in xs, b in ys return body`."""

    iterators: tuple[tuple[str, Node], ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Quantified:
    """`some a in xs satisfies condition`, or `every`."""

    is_every: bool
    iterators: tuple[tuple[str, Node], ...]
    condition: Node


@dataclass(frozen=True, slots=True)
class In:
    """`value in tests`."""

    value: Node
    tests: Node


@dataclass(frozen=True, slots=True)
class InstanceOf:
    """`value instance of type`."""

    value: Node
    type: FeelType


@dataclass(frozen=True, slots=True)
class FeelType:
    """`number`, `list<number>`, `context<a: number>`, `function<a, b> -> c`: members are by key,
    or by index.
    """

    name: str
    members: tuple[tuple[str, FeelType], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """`name(a, b)`, `base.name(a, b)` or `base(a, b)`; names is empty for positional arguments."""

    base: Node | None
    name: str
    arguments: tuple[Node, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionOf:
    """`function(a, b) body`."""

    parameters: tuple[str, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class InputComparison:
    """`< x` and the like: compares the input."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class InputInRange:
    """`[a..b]` where it is a test: whether the input lies in it."""

    range: RangeOf


@dataclass(frozen=True, slots=True)
class UnaryTest:
    """An expression as a test: true, equal to the input, or a list with the input in it."""

    expression: Node


@dataclass(frozen=True, slots=True)
class Not:
    """`not(tests)` as a whole unary test."""

    tests: Node


Node: TypeAlias = (
    Literal
    | InputSymbol
    | Name
    | Path
    | Filter
    | ListOf
    | ContextOf
    | RangeOf
    | Chain
    | Negation
    | Comparison
    | Between
    | Junction
    | If
    | Steps
    | For
    | Quantified
    | In
    | InstanceOf
    | Call
    | FunctionOf
    | InputComparison
    | InputInRange
    | UnaryTest
    | Not
)


def children(node: Node) -> Iterator[Node]:
    """The nodes right below a node, in the order in which they are written."""
    pending: list[object] = [getattr(node, field.name) for field in reversed(fields(node))]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending.extend(reversed(part))
        elif isinstance(part, Node):
            yield part


def measure(node: Node) -> tuple[int, int]:
    """The height of the tree below `node` and the number of its nodes; without recursion, so for
    any tree.
    """
    height = count = 0
    level = [node]
    while level:
        height += 1
        count += len(level)
        level = [child for parent in level for child in children(parent)]
    return height, count


def mentions(node: Node, name: str) -> bool:
    """Whether a variable of that name is read somewhere in the tree; `?` is the input symbol."""
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, Name) and found.name == name:
            return True
        if isinstance(found, InputSymbol) and name == "?":
            return True
        pending.extend(children(found))
    return False
