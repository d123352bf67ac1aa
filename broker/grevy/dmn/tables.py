"""Decision tables: inputs, the rules that match them, and what a hit policy makes of these."""

from __future__ import annotations

from msgspec import Struct

from grevy.dmn.hits import Hits, Row
from grevy.dmn.matching import Matcher
from grevy.dmn.results import EvaluatedInput, EvaluatedOutput, MatchedRule
from grevy.dmn.sitting import Sitting, Trace
from grevy.feel import Constant, Expression, Scope, Value, arranged

Entry = Constant | Expression

_RULE_STEPS = 10
"""What a rule costs that matches, with its report."""


class Input(Struct, frozen=True):
    """An input; its name is its label, or its expression."""

    id: str
    name: str
    expression: Expression


class Output(Struct, frozen=True):
    """An output. Values go by its `name`, records by its `label`."""

    id: str
    name: str
    label: str
    default: Entry | None


class Rule(Struct, frozen=True):
    """The outputs of a rule; some of them may be missing at the end."""

    id: str
    entries: tuple[Entry, ...]


class Table(Struct, frozen=True):
    """A decision table."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]
    matcher: Matcher
    hits: Hits
    kind: str = "DECISION_TABLE"

    def evaluate(self, sitting: Sitting, scope: Scope, trace: Trace | None) -> Value:
        """See `Logic`."""
        session = sitting.session
        values = [session.evaluate(column.expression, scope) for column in self.inputs]
        if trace is not None:
            trace.inputs = tuple(
                EvaluatedInput(column.id, column.name, sitting.json(value))
                for column, value in zip(self.inputs, values, strict=True)
            )
        matched = self.matcher.matches(session, values, scope)
        if self.hits.is_first:
            del matched[1:]
        rows = [self._row(sitting, self.rules[index], scope) for index in matched]
        if trace is not None:
            trace.rules = tuple(
                self._matched(sitting, index, row) for index, row in zip(matched, rows, strict=True)
            )
        if not rows:
            return self._default(sitting, scope)
        return self.hits.result(sitting.session, [self._named(row) for row in rows])

    def _row(self, sitting: Sitting, rule: Rule, scope: Scope) -> list[Value]:
        sitting.session.charge(_RULE_STEPS + len(rule.entries))
        return [_value(sitting, entry, scope) for entry in rule.entries]

    def _named(self, row: list[Value]) -> Row:
        return {output.name: value for output, value in zip(self.outputs, row, strict=False)}

    def _matched(self, sitting: Sitting, index: int, row: list[Value]) -> MatchedRule:
        outputs = tuple(
            EvaluatedOutput(output.id, output.label, sitting.json(value))
            for output, value in zip(self.outputs, row, strict=False)
        )
        return MatchedRule(self.rules[index].id, index + 1, outputs)

    def _default(self, sitting: Sitting, scope: Scope) -> Value:
        found = {
            output.name: _value(sitting, output.default, scope)
            for output in self.outputs
            if output.default is not None
        }
        if len(found) > 1:
            return arranged(found)
        return next(iter(found.values()), None)


def _value(sitting: Sitting, entry: Entry, scope: Scope) -> Value:
    if isinstance(entry, Constant):
        return entry.value
    return sitting.session.evaluate(entry, scope)
