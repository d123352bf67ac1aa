"""Decision tables: inputs, the rules that match them, and what a hit policy makes of these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from typing import Final

from msgspec import Struct

from grevy.dmn.hits import Hits, Row
from grevy.dmn.matching import Matcher
from grevy.dmn.results import EvaluatedInput, EvaluatedOutput, MatchedRule
from grevy.dmn.sitting import Sitting, Trace, size_of
from grevy.feel import Constant, Expression, Scope, Value, arranged, to_json

Entry = Constant | Expression

_RULE_STEPS: Final = 10
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
    """The outputs of a rule; some of them may be missing at the end. With constants only, their
    values are known by name, as are what is reported of it and the size of that in bytes.
    """

    id: str
    entries: tuple[Entry, ...]
    row: Row | None = None
    report: MatchedRule | None = None
    size: int = 0


def rule_of(number: int, rule_id: str, entries: Sequence[Entry], outputs: Sequence[Output]) -> Rule:
    """The rule of that number, which counts from 1."""
    constants = [entry.value for entry in entries if isinstance(entry, Constant)]
    if len(constants) < len(entries):
        return Rule(rule_id, tuple(entries))
    report = _report(number, rule_id, outputs, map(to_json, constants))
    return Rule(rule_id, tuple(entries), _named(outputs, constants), report, size_of(report))


def _named(outputs: Sequence[Output], values: Sequence[Value]) -> Row:
    return {output.name: value for output, value in zip(outputs, values, strict=False)}


def _report(
    number: int, rule_id: str, outputs: Sequence[Output], values: Iterable[bytes]
) -> MatchedRule:
    return MatchedRule(
        rule_id,
        number,
        tuple(
            EvaluatedOutput(output.id, output.label, value)
            for output, value in zip(outputs, values, strict=False)
        ),
    )


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
        limit = 1 if self.hits.is_first else None
        matched = list(islice(self.matcher.matches(session, values, scope), limit))
        rules = [self.rules[index] for index in matched]
        session.charge(sum(_RULE_STEPS + len(rule.entries) for rule in rules))
        values_of = [self._evaluated(sitting, rule, scope) for rule in rules]
        if trace is not None:
            trace.rules = tuple(map(self._matched, repeat(sitting), matched, rules, values_of))
        if not rules:
            return self._default(sitting, scope)
        rows = [
            _named(self.outputs, found) if rule.row is None else rule.row
            for rule, found in zip(rules, values_of, strict=True)
        ]
        return self.hits.result(session, rows)

    def _evaluated(self, sitting: Sitting, rule: Rule, scope: Scope) -> Sequence[Value]:
        """The values of a rule's outputs; none where they are known."""
        if rule.row is not None:
            return ()
        return [_value(sitting, entry, scope) for entry in rule.entries]

    def _matched(
        self, sitting: Sitting, index: int, rule: Rule, values: Sequence[Value]
    ) -> MatchedRule:
        if rule.report is not None:
            sitting.count(rule.size)
            return rule.report
        return _report(index + 1, rule.id, self.outputs, map(sitting.json, values))

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
