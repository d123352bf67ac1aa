"""What the evaluation of a decision gives, in the form in which the log keeps it."""

from __future__ import annotations

from msgspec import Struct


class EvaluatedInput(Struct, frozen=True, gc=False):
    """The value of an input of a decision table, as JSON."""

    input_id: str
    input_name: str
    value: bytes


class EvaluatedOutput(Struct, frozen=True, gc=False):
    """The value of an output of a rule that matched, as JSON."""

    output_id: str
    output_name: str
    value: bytes


class MatchedRule(Struct, frozen=True, gc=False):
    """A rule that matched; `rule_index` counts from 1."""

    rule_id: str
    rule_index: int
    outputs: tuple[EvaluatedOutput, ...]


class EvaluatedDecision(Struct, frozen=True, gc=False):
    """One decision that was evaluated on the way, those that others require before these.

    `decision_type` is DECISION_TABLE, LITERAL_EXPRESSION, CONTEXT, INVOCATION, LIST, RELATION or
    UNKNOWN; `output` is JSON.
    """

    decision_id: str
    decision_name: str
    decision_type: str
    output: bytes
    inputs: tuple[EvaluatedInput, ...] = ()
    matched_rules: tuple[MatchedRule, ...] = ()


class DecisionResult(Struct, frozen=True, gc=False):
    """The result of a decision: its output as JSON, and all that was evaluated for it.

    With a `failure`, a sentence that is complete by itself, the output is null;
    `failed_decision_id` says which decision it was. It is the last in `evaluated`, with what there
    is to tell of it.
    """

    output: bytes
    evaluated: tuple[EvaluatedDecision, ...]
    failure: str = ""
    failed_decision_id: str = ""
