"""Reading boxed expressions: a table of readers, one for each kind of box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from grevy.dmn.hits import AGGREGATIONS, POLICIES, Hits, ranks_of
from grevy.dmn.logic import (
    Callee,
    Context,
    Function,
    Invocation,
    Items,
    Literal,
    Logic,
    Parameter,
    Relation,
)
from grevy.dmn.matching import Cell, Matcher
from grevy.dmn.reading import Reading
from grevy.dmn.tables import Entry, Input, Output, Table, rule_of
from grevy.dmn.types import known_type
from grevy.xml import Node, quote


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box stands: the file, and what it can call, by name."""

    reading: Reading
    callees: Mapping[str, Callee]

    def logic(self, owner: Node) -> Logic | None:
        """The box in an element that has exactly one; None, and a fault, when it cannot be read."""
        boxes = [child for child in owner.children if child.name in BOXES]
        if len(boxes) == 1:
            return self.box(boxes[0])
        if boxes:
            self.fault(boxes[1], f"The element '{owner.name}' must have one expression only")
        else:
            kinds = ", ".join(name for name in _READERS)
            self.fault(owner, f"The element '{owner.name}' must have an expression: {kinds}")
        return None

    def box(self, node: Node) -> Logic | None:
        """What a box says."""
        reader = _READERS.get(node.name)
        if reader is None:
            self.fault(node, f"The expression '{node.name}' is not supported")
            return None
        return reader(node, self)

    def fault(self, node: Node, text: str) -> None:
        """Adds a fault."""
        self.reading.faults.add(node, text)


def read_parameters(owner: Node, reading: Reading) -> tuple[Parameter, ...]:
    """The formal parameters of a function."""
    return tuple(
        Parameter(reading.name(node), known_type(node.get("typeRef")))
        for node in owner.all("formalParameter")
    )


def _literal(node: Node, place: Place) -> Logic | None:
    expression = place.reading.expression(node)
    return None if expression is None else Literal(expression)


def _context(node: Node, place: Place) -> Logic | None:
    entries: list[tuple[str, Logic]] = []
    result = None
    children = node.all("contextEntry")
    for entry in children:
        logic = place.logic(entry)
        variable = entry.first("variable")
        name = "" if variable is None else place.reading.name(variable)
        if variable is None and entry is not children[-1]:
            place.fault(entry, "Only the last entry of a context may be without a variable")
        elif variable is None:
            result = logic
        elif logic is not None:
            entries.append((name, logic))
    return Context(tuple(entries), result)


def _list(node: Node, place: Place) -> Logic | None:
    return Items(_boxes(node, place))


def _boxes(node: Node, place: Place) -> tuple[Logic, ...]:
    logics = [place.box(child) for child in node.children if child.name in BOXES]
    return tuple(logic for logic in logics if logic is not None)


def _relation(node: Node, place: Place) -> Logic | None:
    columns = tuple(place.reading.name(column) for column in node.all("column"))
    rows = []
    for row in node.all("row"):
        faults = len(place.reading.faults)
        cells = _boxes(row, place)
        if len(cells) != len(columns) and len(place.reading.faults) == faults:
            place.fault(row, f"The row has {len(cells)} expressions for {len(columns)} columns")
        rows.append(cells)
    return Relation(columns, tuple(rows))


def _function(node: Node, place: Place) -> Logic | None:
    logic = place.logic(node)
    parameters = read_parameters(node, place.reading)
    return None if logic is None else Function(parameters, logic)


def _invocation(node: Node, place: Place) -> Logic | None:
    called = node.first("literalExpression")
    text = None if called is None else called.first("text")
    name = "" if text is None else text.text.strip()
    callee = place.callees.get(name)
    if not name:
        place.fault(node, "The invocation must have the name of what it calls as an expression")
    elif callee is None:
        place.fault(
            node,
            f"There is no business knowledge model '{quote(name)}' among the required knowledge",
        )
    bindings = []
    for binding in node.all("binding"):
        parameter = binding.first("parameter")
        if parameter is None:
            place.fault(binding, "The binding must have a parameter")
            continue
        logic = place.logic(binding)
        if logic is not None:
            bindings.append((place.reading.name(parameter), logic))
    return None if callee is None else Invocation(callee, tuple(bindings))


# --- decision tables ---


def _table(node: Node, place: Place) -> Logic | None:
    inputs = [_input(column, place) for column in node.all("input")]
    outputs = _outputs(node, place)
    hits = _hits(node, place, outputs)
    rows: list[list[Cell]] = []
    rules = []
    is_whole = None not in inputs and hits is not None
    for number, rule in enumerate(node.all("rule"), 1):
        cells = [place.reading.cell(cell) for cell in rule.all("inputEntry")]
        entries = [place.reading.entry(entry) for entry in rule.all("outputEntry")]
        if not entries:
            place.fault(rule, "The rule must have an output entry")
        is_whole = is_whole and None not in cells and None not in entries
        rows.append([cell for cell in cells if cell is not None])
        known = [entry for entry in entries if entry is not None]
        rules.append(rule_of(number, rule.id, known, outputs))
    if not is_whole or hits is None:
        return None
    columns = tuple(column for column in inputs if column is not None)
    matcher = Matcher(rows, len(columns))
    return Table(columns, tuple(outputs), tuple(rules), matcher, hits)


def _input(node: Node, place: Place) -> Input | None:
    inner = node.first("inputExpression")
    if inner is None:
        place.fault(node, "The input must have an input expression")
        return None
    expression = place.reading.expression(inner)
    if expression is None:
        return None
    return Input(node.id, node.get("label") or expression.text, expression)


def _outputs(node: Node, place: Place) -> list[Output]:
    columns = node.all("output")
    if not columns:
        place.fault(node, "The decision table must have an output")
    outputs = []
    for column in columns:
        name, label = column.get("name"), column.get("label")
        if not name and len(columns) > 1:
            place.fault(column, "Each of several outputs must have a name")
        default = column.first("defaultOutputEntry")
        entry: Entry | None = None if default is None else place.reading.entry(default)
        outputs.append(Output(column.id, name, label or name, entry))
    return outputs


def _hits(node: Node, place: Place, outputs: list[Output]) -> Hits | None:
    policy = node.attributes.get("hitPolicy", "UNIQUE")
    aggregation = node.get("aggregation")
    if policy not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        place.fault(node, f"The hit policy '{quote(policy)}' is not one of {known}")
        return None
    if "aggregation" in node.attributes and aggregation not in AGGREGATIONS:
        known = ", ".join(sorted(AGGREGATIONS))
        place.fault(node, f"The aggregation '{quote(aggregation)}' is not one of {known}")
        return None
    if policy == "COLLECT" and aggregation and len(outputs) > 1:
        place.fault(node, f"COLLECT with {aggregation} needs a single output")
        return None
    priorities = tuple(
        (output.name, ranks_of(_texts(column)))
        for column, output in zip(node.all("output"), outputs, strict=True)
    )
    return Hits(policy, aggregation, priorities)


def _texts(output: Node) -> tuple[str, ...]:
    """The output values as they are written; Zeebe does not read them as FEEL."""
    values = output.first("outputValues")
    text = None if values is None else values.first("text")
    if text is None or not text.text.strip():
        return ()
    return tuple(part.strip() for part in text.text.split(","))


_READERS: Final[dict[str, Callable[[Node, Place], Logic | None]]] = {
    "literalExpression": _literal,
    "decisionTable": _table,
    "context": _context,
    "list": _list,
    "relation": _relation,
    "invocation": _invocation,
    "functionDefinition": _function,
}

BOXES: Final = frozenset(_READERS) | {"conditional", "filter", "for", "every", "some"}
"""The elements that are expressions; those of DMN 1.4 are refused, as Zeebe does."""
