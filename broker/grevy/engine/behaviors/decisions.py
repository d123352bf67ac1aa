"""Evaluating deployed decisions, and the business rule task that calls one."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.bpmn.model import Binding, CalledDecision
from grevy.dmn import results
from grevy.engine.behaviors.activities import PassThroughTask
from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.behaviors.documents import join
from grevy.engine.behaviors.events import give_result
from grevy.engine.behaviors.expressions import evaluate_text
from grevy.engine.behaviors.transitions import activated, complete
from grevy.engine.behaviors.variables import apply_inputs
from grevy.engine.decision_order import in_table_order
from grevy.engine.models import DeployedGraph
from grevy.engine.step import Step
from grevy.feel import Lookup
from grevy.protocol.intents import DecisionEvaluationIntent, ErrorType
from grevy.protocol.values import (
    DecisionEvaluationValue,
    DecisionValue,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
)


class BusinessRuleTask(PassThroughTask):
    """A business rule task that calls a decision; with a job instead it is a `JobTask`."""

    def activate(self, step: Step, here: Here) -> None:
        """Evaluates the decision; its output is the element's event, as a job's variables would
        be.
        """
        called = here.element.called_decision
        assert called is not None, f"{here.element.id} calls no decision"
        apply_inputs(step, here)
        decision = _find(step, here, called)
        where = DecisionEvaluationValue(
            bpmn_process_id=here.value.bpmn_process_id,
            process_definition_key=here.value.process_definition_key,
            process_instance_key=here.value.process_instance_key,
            element_id=here.element.id,
            element_instance_key=here.key,
        )
        _, evaluation = evaluate_decision(step, decision, step.lookup(here.key), where)
        failure = evaluation.evaluation_failure_message
        if failure:
            raise Stuck(ErrorType.DECISION_EVALUATION_ERROR, failure, scope_key=here.key)
        give_result(step, here, join([(called.result_variable, evaluation.decision_output)]))
        activated(step, here)
        complete(step, here)


def evaluate_decision(
    step: Step, decision: DecisionValue, lookup: Lookup, where: DecisionEvaluationValue
) -> tuple[int, DecisionEvaluationValue]:
    """Evaluates a decision and all that it requires; the key of the record of it, and the record.

    `where` says for whom. An evaluation that fails has an `evaluation_failure_message`.
    """
    deployed = step.models.graph(decision.decision_requirements_key)
    result = deployed.graph.evaluate(
        decision.decision_id, in_table_order(lookup), step.now, entropy=step.entropy
    )
    evaluated = tuple(_evaluated(one, deployed) for one in result.evaluated)
    step.document_bytes += sum(len(one.decision_output) for one in evaluated)
    value = replace(
        where,
        decision_key=decision.decision_key,
        decision_id=decision.decision_id,
        decision_name=decision.decision_name,
        decision_version=decision.version,
        decision_requirements_id=decision.decision_requirements_id,
        decision_requirements_key=decision.decision_requirements_key,
        evaluated_decisions=evaluated,
    )
    key = step.next_key()
    if result.failure:
        value = replace(
            value,
            evaluation_failure_message=result.failure,
            failed_decision_id=result.failed_decision_id,
        )
        step.event(DecisionEvaluationIntent.FAILED, key, value)
    else:
        value = replace(value, decision_output=result.output)
        step.event(DecisionEvaluationIntent.EVALUATED, key, value)
    return key, value


def _find(step: Step, here: Here, called: CalledDecision) -> DecisionValue:
    """The decision that a task calls, in the version that it is bound to."""
    decision_id = evaluate_text(step, called.decision_id, here.key)
    decisions = step.views.decisions
    if called.binding is Binding.LATEST:
        decision = decisions.find(decision_id)
        wanted = f"decision '{decision_id}', but no decision found for id '{decision_id}'"
    elif called.binding is Binding.VERSION_TAG:
        decision = decisions.with_tag(decision_id, called.version_tag)
        wanted = (
            f"decision with id '{decision_id}' and version tag '{called.version_tag}', "
            "but no such decision found. To resolve this incident, deploy one with this tag."
        )
    else:
        process = step.views.processes.get(here.value.process_definition_key)
        assert process is not None, f"{here.value.bpmn_process_id} is not deployed"
        decision = decisions.in_deployment(process.deployment_key, decision_id)
        wanted = (
            f"decision '{decision_id}' with binding type 'deployment', but no such decision found "
            f"in the deployment with key {process.deployment_key} that the process came with. It "
            "can only be one of the same deployment."
        )
    if decision is None:
        reason = f"Expected to evaluate {wanted}"
        raise Stuck(ErrorType.CALLED_DECISION_ERROR, reason, scope_key=here.key)
    return decision


def _evaluated(one: results.EvaluatedDecision, deployed: DeployedGraph) -> EvaluatedDecision:
    decision = deployed.decisions.get(one.decision_id)  # a business knowledge model is none
    return EvaluatedDecision(
        decision_id=one.decision_id,
        decision_name=one.decision_name,
        decision_key=-1 if decision is None else decision.decision_key,
        decision_version=-1 if decision is None else decision.version,
        decision_type=one.decision_type,
        decision_output=one.output,
        evaluated_inputs=tuple(
            EvaluatedInput(input_.input_id, input_.input_name, input_.value)
            for input_ in one.inputs
        ),
        matched_rules=tuple(
            MatchedRule(
                rule.rule_id,
                rule.rule_index,
                tuple(
                    EvaluatedOutput(output.output_id, output.output_name, output.value)
                    for output in rule.outputs
                ),
            )
            for rule in one.matched_rules
        ),
    )
