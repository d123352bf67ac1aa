"""What the evaluation of a decision gives."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from grevy.client.options import JsonValue
from grevy.protocol import values


class EvaluatedInput(Struct, frozen=True):
    """The value of an input of a decision table."""

    input_id: str
    name: str
    value: JsonValue


class EvaluatedOutput(Struct, frozen=True):
    """The value of an output of a rule that matched."""

    output_id: str
    name: str
    value: JsonValue


class MatchedRule(Struct, frozen=True):
    """A rule that matched; `index` counts from 1."""

    rule_id: str
    index: int
    outputs: tuple[EvaluatedOutput, ...]


class EvaluatedDecision(Struct, frozen=True):
    """A decision that was evaluated on the way, itself included; `type` as in DECISION_TABLE."""

    decision_id: str
    name: str
    version: int
    key: int
    type: str
    output: JsonValue
    inputs: tuple[EvaluatedInput, ...]
    matched_rules: tuple[MatchedRule, ...]


class DecisionEvaluation(Struct, frozen=True):
    """What a decision gave, and how it came to that: `evaluated` has what others require first.

    With a `failure`, a sentence, there is no output: `failed_decision_id` says which decision it
    was. Otherwise both are empty.
    """

    key: int
    decision_id: str
    name: str
    version: int
    decision_key: int
    requirements_id: str
    requirements_key: int
    output: JsonValue
    evaluated: tuple[EvaluatedDecision, ...]
    failure: str = ""
    failed_decision_id: str = ""


def evaluation_of(key: int, value: values.DecisionEvaluationValue) -> DecisionEvaluation:
    """The result of a request, from the value of its answer."""
    return DecisionEvaluation(
        key,
        value.decision_id,
        value.decision_name,
        value.decision_version,
        value.decision_key,
        value.decision_requirements_id,
        value.decision_requirements_key,
        _read(value.decision_output),
        tuple(map(_decision, value.evaluated_decisions)),
        value.evaluation_failure_message,
        value.failed_decision_id,
    )


def _decision(one: values.EvaluatedDecision) -> EvaluatedDecision:
    return EvaluatedDecision(
        one.decision_id,
        one.decision_name,
        one.decision_version,
        one.decision_key,
        one.decision_type,
        _read(one.decision_output),
        tuple(
            EvaluatedInput(i.input_id, i.input_name, _read(i.input_value))
            for i in one.evaluated_inputs
        ),
        tuple(map(_rule, one.matched_rules)),
    )


def _rule(rule: values.MatchedRule) -> MatchedRule:
    outputs = (
        EvaluatedOutput(o.output_id, o.output_name, _read(o.output_value))
        for o in rule.evaluated_outputs
    )
    return MatchedRule(rule.rule_id, rule.rule_index, tuple(outputs))


def _read(document: bytes) -> JsonValue:
    value: JsonValue = msgspec.json.decode(document)
    return value
