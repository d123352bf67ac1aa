"""The second golden entry: deploying, evaluating and deleting decisions."""

from __future__ import annotations

from grevy.protocol.intents import (
    DecisionEvaluationIntent,
    DecisionIntent,
    DecisionRequirementsIntent,
    DeploymentIntent,
    ProcessIntent,
    RecordType,
    ResourceDeletionIntent,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import (
    DecisionEvaluationValue,
    DecisionRequirementsMetadata,
    DecisionRequirementsValue,
    DecisionValue,
    DeploymentValue,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
    ProcessValue,
    ResourceDeletionValue,
)

KEY = 2251799813685249
MD5 = bytes(range(16))
EVENT, COMMAND = RecordType.EVENT, RecordType.COMMAND

DECISION = DecisionValue("dish", "Dish", 2, KEY + 2, "menu", KEY + 1, False, KEY, "v1")
METADATA = DecisionRequirementsMetadata(
    "menu", "Menu", 2, KEY + 1, "http://menus", "menu.dmn", MD5, True, KEY
)
GRAPH = DecisionRequirementsValue(
    "menu", "Menu", 2, KEY + 1, "http://menus", "menu.dmn", b"<definitions/>", MD5, False, KEY
)
EVALUATED = DecisionEvaluationValue(
    decision_key=KEY + 2,
    decision_id="dish",
    decision_name="Dish",
    decision_version=2,
    decision_requirements_id="menu",
    decision_requirements_key=KEY + 1,
    decision_output=b'"stew"',
    bpmn_process_id="dinner",
    process_definition_key=KEY + 3,
    process_instance_key=KEY + 4,
    element_id="choose",
    element_instance_key=KEY + 5,
    evaluated_decisions=(
        EvaluatedDecision("season", "Season", KEY + 6, 1, "LITERAL_EXPRESSION", b'"winter"'),
        EvaluatedDecision(
            "dish",
            "Dish",
            KEY + 2,
            2,
            "DECISION_TABLE",
            b'"stew"',
            (EvaluatedInput("i1", "season", b'"winter"'), EvaluatedInput("i2", "guests", b"12")),
            (
                MatchedRule("r1", 1, (EvaluatedOutput("o1", "dish", b'"stew"'),)),
                MatchedRule("r2", 2),
            ),
        ),
    ),
)
FAILED = DecisionEvaluationValue(
    decision_key=KEY + 2,
    decision_id="dish",
    decision_name="Dish",
    decision_version=2,
    decision_requirements_id="menu",
    decision_requirements_key=KEY + 1,
    evaluation_failure_message="Expected to evaluate decision 'dish', but there is no season",
    failed_decision_id="season",
)
DECISION_RECORDS = (
    Record(EVENT, DecisionRequirementsIntent.CREATED, KEY + 1, GRAPH),
    Record(EVENT, DecisionIntent.CREATED, KEY + 2, DECISION),
    Record(
        EVENT,
        DeploymentIntent.CREATED,
        KEY,
        DeploymentValue((), (), KEY, (DECISION,), (METADATA,)),
    ),
    Record(EVENT, DecisionEvaluationIntent.EVALUATED, KEY + 7, EVALUATED),
    Record(
        COMMAND,
        DecisionEvaluationIntent.EVALUATE,
        -1,
        DecisionEvaluationValue(decision_id="dish", variables=b'{"guests":12}'),
    ),
    Record(EVENT, DecisionEvaluationIntent.FAILED, KEY + 8, FAILED),
    Record(COMMAND, ResourceDeletionIntent.DELETE, -1, ResourceDeletionValue(KEY + 1)),
    Record(EVENT, ResourceDeletionIntent.DELETING, KEY + 9, ResourceDeletionValue(KEY + 1)),
    Record(EVENT, DecisionIntent.DELETED, KEY + 10, DECISION),
    Record(EVENT, DecisionRequirementsIntent.DELETED, KEY + 11, GRAPH),
    Record(EVENT, ResourceDeletionIntent.DELETED, KEY + 9, ResourceDeletionValue(KEY + 1)),
    Record(
        EVENT,
        ProcessIntent.DELETED,
        KEY + 12,
        ProcessValue("dinner", 1, KEY + 3, "dinner.bpmn", b"<definitions/>", MD5),
    ),
)
DECISION_ENTRY = Entry(
    1,
    1_700_000_000_000,
    41,
    41,
    DECISION_RECORDS,
    (
        Reply(
            RequestId(bytes(range(100, 116)), 9),
            Answer(DecisionEvaluationIntent.EVALUATED, KEY + 7, EVALUATED),
        ),
    ),
    13,
)
