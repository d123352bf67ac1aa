"""Which variables of the process an expression may read."""

from __future__ import annotations

from grevy.feel import ast
from grevy.feel.loops import ITEM, PARTIAL
from grevy.feel.scope import INPUT


def free_names(node: ast.Node) -> frozenset[str]:
    """The names that the expression itself does not bind. In a filter a name may be an entry of
    the item or a variable.
    """
    found: set[str] = set()
    _collect(node, frozenset(), found)
    return frozenset(found)


def _collect(node: ast.Node, bound: frozenset[str], found: set[str]) -> None:
    if isinstance(node, ast.Name):
        if node.name not in bound:
            found.add(node.name)
    elif isinstance(node, ast.InputComparison | ast.InputInRange | ast.UnaryTest):
        if INPUT not in bound:
            found.add(INPUT)
        for child in ast.children(node):
            _collect(child, bound, found)
    elif isinstance(node, ast.In):
        _collect(node.value, bound, found)
        _collect(node.tests, bound | {INPUT}, found)
    elif isinstance(node, ast.Filter):
        _collect(node.base, bound, found)
        _collect(node.condition, bound | {ITEM}, found)
    elif isinstance(node, ast.FunctionOf):
        _collect(node.body, bound | set(node.parameters), found)
    elif isinstance(node, ast.ContextOf):
        for key, value in node.entries:
            _collect(value, bound, found)
            bound |= {key}
    elif isinstance(node, ast.For | ast.Quantified):
        for name, source in node.iterators:
            _collect(source, bound, found)
            bound |= {name}
        if isinstance(node, ast.For):
            _collect(node.body, bound | {PARTIAL}, found)
        else:
            _collect(node.condition, bound, found)
    else:
        for child in ast.children(node):
            _collect(child, bound, found)
