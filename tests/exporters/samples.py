"""A value of each type, for who exports them all."""

from __future__ import annotations

from grevy.protocol.intents import DeploymentIntent, ValueType
from grevy.protocol.values import (
    VALUES,
    CommandDistributionValue,
    DecisionEvaluationValue,
    DecisionRequirementsMetadata,
    DecisionRequirementsValue,
    DecisionValue,
    DeploymentValue,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
    ProcessInstanceCreationValue,
    ProcessMetadata,
    ProcessValue,
    ResourceFile,
    Value,
)

DECISION = DecisionValue("d", "D", 1, 5, "g", 4)
GRAPH = DecisionRequirementsMetadata("g", "G", 1, 4, "ns", "g.dmn", b"md5")


def sample(value_type: ValueType) -> Value:
    """A value with something in every list."""
    metadata = ProcessMetadata("order", 1, 2, "order.bpmn", b"md5")
    if value_type is ValueType.DEPLOYMENT:
        files = (ResourceFile("order.bpmn", b"<xml/>"),)
        return DeploymentValue(files, (metadata,), 3, (DECISION,), (GRAPH,))
    if value_type is ValueType.COMMAND_DISTRIBUTION:
        return CommandDistributionValue(int(DeploymentIntent.CREATE), 2, "DEPLOYMENT")
    if value_type is ValueType.PROCESS:
        return ProcessValue("order", 1, 2, "order.bpmn", b"<xml/>", b"md5")
    if value_type is ValueType.DECISION:
        return DECISION
    if value_type is ValueType.DECISION_REQUIREMENTS:
        return DecisionRequirementsValue("g", "G", 1, 4, "ns", "g.dmn", b"<xml/>", b"md5")
    if value_type is ValueType.DECISION_EVALUATION:
        inputs = (EvaluatedInput("i", "I", b"1"),)
        rules = (MatchedRule("r", 1, (EvaluatedOutput("o", "O", b"1"),)),)
        evaluated = EvaluatedDecision("d", "D", 5, 1, "DECISION_TABLE", b"1", inputs, rules)
        return DecisionEvaluationValue(evaluated_decisions=(evaluated,))
    if value_type is ValueType.PROCESS_INSTANCE_CREATION:
        return ProcessInstanceCreationValue(start_instructions=("task",))
    value: Value = VALUES[value_type]()
    return value
