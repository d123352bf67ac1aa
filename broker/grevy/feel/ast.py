"""The nodes of a parsed expression. Frozen; chains of one operator are one node, so that trees
stay as flat as they read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from grevy.feel.values import Value


class Literal(Struct, frozen=True):
    """A constant, temporal ones included; a temporal text that means nothing is a null."""

    value: Value


class InputSymbol(Struct, frozen=True):
    """`?`, the value that a unary test is about."""


class Name(Struct, frozen=True):
    """A variable."""

    name: str


class Path(Struct, frozen=True):
    """`base.key`."""

    base: Node
    key: str


class Filter(Struct, frozen=True):
    """`base[condition]`, or an item by its index."""

    base: Node
    condition: Node


class ListOf(Struct, frozen=True):
    """`[a, b]`."""

    items: tuple[Node, ...]


class ContextOf(Struct, frozen=True):
    """`{a: 1, b: a + 1}`; later entries see earlier ones."""

    entries: tuple[tuple[str, Node], ...]


class RangeOf(Struct, frozen=True):
    """`[a..b]` and its open variants as a value."""

    start: Node
    end: Node
    is_start_closed: bool
    is_end_closed: bool


class Chain(Struct, frozen=True):
    """`first op operand op operand …`, of one precedence, from left to right; op is one of + - * /
    **.
    """

    first: Node
    rest: tuple[tuple[str, Node], ...]


class Negation(Struct, frozen=True):
    """`-operand`."""

    operand: Node


class Comparison(Struct, frozen=True):
    """`left op right`; op is one of = != < <= > >=."""

    operator: str
    left: Node
    right: Node


class Between(Struct, frozen=True):
    """`value between low and high`."""

    value: Node
    low: Node
    high: Node


class Junction(Struct, frozen=True):
    """`a and b and …`, `a or b or …`, or the tests of a list of which one has to hold."""

    is_and: bool
    operands: tuple[Node, ...]


class If(Struct, frozen=True):
    """`if c then a else if d then b else e`: the branches (condition, value), then what is left."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


class Steps(Struct, frozen=True):
    """`start..end` after `in` of an iteration."""

    start: Node
    end: Node


class For(Struct, frozen=True):
    """`for a in xs, b in ys return body`."""

    iterators: tuple[tuple[str, Node], ...]
    body: Node


class Quantified(Struct, frozen=True):
    """`some a in xs satisfies condition`, or `every`."""

    is_every: bool
    iterators: tuple[tuple[str, Node], ...]
    condition: Node


class In(Struct, frozen=True):
    """`value in tests`."""

    value: Node
    tests: Node


class InstanceOf(Struct, frozen=True):
    """`value instance of type`."""

    value: Node
    type: FeelType


class FeelType(Struct, frozen=True):
    """`number`, `list<number>`, `context<a: number>`, `function<a, b> -> c`: members are by key,
    or by index.
    """

    name: str
    members: tuple[tuple[str, FeelType], ...] = ()


class Call(Struct, frozen=True):
    """`name(a, b)`, `base.name(a, b)` or `base(a, b)`; names is empty for positional arguments."""

    base: Node | None
    name: str
    arguments: tuple[Node, ...]
    names: tuple[str, ...] = ()


class FunctionOf(Struct, frozen=True):
    """`function(a, b) body`."""

    parameters: tuple[str, ...]
    body: Node


class InputComparison(Struct, frozen=True):
    """`< x` and the like: compares the input."""

    operator: str
    operand: Node


class InputInRange(Struct, frozen=True):
    """`[a..b]` where it is a test: whether the input lies in it."""

    range: RangeOf


class UnaryTest(Struct, frozen=True):
    """An expression as a test: true, equal to the input, or a list with the input in it."""

    expression: Node


class Not(Struct, frozen=True):
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
    pending: list[object] = [getattr(node, name) for name in reversed(node.__struct_fields__)]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending.extend(reversed(part))
        elif isinstance(part, Node):
            yield part


def measure(node: Node) -> tuple[int, int]:
    """The height of the tree below `node` and the number of its nodes; without recursion, so for
    any tree. Iterators after the first one count as loops in a loop, as which they are evaluated.
    """
    height = count = 0
    level = [node]
    while level:
        height += max(len(n.iterators) if isinstance(n, For | Quantified) else 1 for n in level)
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


def defines_function(node: Node) -> bool:
    """Whether a function is defined somewhere in the tree, which would keep its scope."""
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, FunctionOf):
            return True
        pending.extend(children(found))
    return False
