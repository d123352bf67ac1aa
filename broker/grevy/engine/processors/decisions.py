"""The processor that evaluates a decision for a client."""

from __future__ import annotations

from grevy.engine.behaviors.decisions import evaluate_decision as evaluate
from grevy.engine.behaviors.documents import BadDocument, split, variables_of
from grevy.engine.step import Command, Step
from grevy.protocol.intents import DecisionEvaluationIntent, RejectionType
from grevy.protocol.values import DecisionEvaluationValue, DecisionValue


def evaluate_decision(step: Step, command: Command) -> None:
    """Evaluates a decision: of a key, or the newest version of an id. An evaluation that fails is
    an answer too.
    """
    value = command.value
    assert isinstance(value, DecisionEvaluationValue), value
    decision = _find(step, command, value)
    if decision is None:
        return
    try:
        variables = dict(split(variables_of(step, command)))
    except BadDocument as error:
        reason = f"Expected to evaluate decision '{decision.decision_id}', but {error}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    key, evaluation = evaluate(step, decision, variables.get, DecisionEvaluationValue())
    intent = DecisionEvaluationIntent
    is_failed = bool(evaluation.evaluation_failure_message)
    step.answer(intent.FAILED if is_failed else intent.EVALUATED, key, evaluation)


def _find(step: Step, command: Command, value: DecisionEvaluationValue) -> DecisionValue | None:
    decisions, wanted = step.views.decisions, value.decision_id
    if value.decision_key > 0:
        wanted = str(value.decision_key)
        decision, what = decisions.get(value.decision_key), "key"
    elif wanted:
        decision, what = decisions.find(wanted), "id"
    else:
        reason = "Expected either a decision id or a valid decision key, but none provided"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return None
    if decision is None:
        found = f"no decision found for {what} '{wanted}'"
        reason = f"Expected to evaluate decision '{wanted}', but {found}"
        step.reject(command, RejectionType.NOT_FOUND, reason)
    return decision
