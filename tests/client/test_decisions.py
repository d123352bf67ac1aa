"""Decisions as a client deploys, evaluates and deletes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.client.conftest import ScriptedBroker

from grevy.client import (
    Client,
    Decision,
    DecisionRequirements,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
)
from grevy.protocol import values
from grevy.protocol.intents import (
    DecisionEvaluationIntent,
    DeploymentIntent,
    ResourceDeletionIntent,
)
from grevy.protocol.messages import CommandReply
from grevy.protocol.record import Answer

Pair = Callable[..., AbstractAsyncContextManager[tuple[ScriptedBroker, Client]]]

EVALUATE = DecisionEvaluationIntent.EVALUATE
DECISION = values.DecisionValue("dish", "Dish", 2, 5, "menu", 4)
GRAPH = values.DecisionRequirementsMetadata("menu", "Menu", 3, 4, "ns", "menu.dmn", b"md5")
EVALUATION = values.DecisionEvaluationValue(
    decision_key=5,
    decision_id="dish",
    decision_name="Dish",
    decision_version=2,
    decision_requirements_id="menu",
    decision_requirements_key=4,
    decision_output=b'{"dish":"stew","price":7.5}',
    evaluated_decisions=(
        values.EvaluatedDecision(
            "dish",
            "Dish",
            5,
            2,
            "DECISION_TABLE",
            b'"stew"',
            (values.EvaluatedInput("i", "guests", b"12"),),
            (values.MatchedRule("r", 2, (values.EvaluatedOutput("o", "dish", b'"stew"'),)),),
        ),
    ),
)


async def test_deploying_tells_of_decisions(connected: Pair) -> None:
    async with connected() as (broker, client):
        deployed = values.DeploymentValue((), (), 77, (DECISION,), (GRAPH,))
        broker.answer(DeploymentIntent.CREATE, deployed)
        deployment = await client.deploy(("menu.dmn", b"<definitions/>"))
        assert deployment.decisions == (Decision("dish", "Dish", 2, 5, "menu", 4),)
        assert deployment.decision_requirements == (
            DecisionRequirements("menu", "Menu", 3, 4, "menu.dmn"),
        )


def answer(broker: ScriptedBroker, value: values.DecisionEvaluationValue) -> None:
    """Answers every evaluation with a value."""
    evaluated = Answer(DecisionEvaluationIntent.EVALUATED, 77, value)
    broker.scripts[EVALUATE] = lambda request: [CommandReply(request.number, evaluated)]


async def test_evaluating(connected: Pair) -> None:
    async with connected() as (broker, client):
        answer(broker, EVALUATION)
        evaluation = await client.evaluate_decision("dish", variables={"guests": 12})
        await client.evaluate_decision(decision_key=5)
        first, second = broker.commands
        assert (first.intent, first.key) == (EVALUATE, -1)
        variables = b'{"guests":12}'
        wanted = values.DecisionEvaluationValue(decision_id="dish", variables=variables)
        assert first.value == wanted
        assert second.value == values.DecisionEvaluationValue(decision_key=5)
        assert (evaluation.key, evaluation.version, evaluation.failure) == (77, 2, "")
        assert evaluation.output == {"dish": "stew", "price": 7.5}
        assert evaluation.evaluated == (
            EvaluatedDecision(
                "dish",
                "Dish",
                2,
                5,
                "DECISION_TABLE",
                "stew",
                (EvaluatedInput("i", "guests", 12),),
                (MatchedRule("r", 2, (EvaluatedOutput("o", "dish", "stew"),)),),
            ),
        )


async def test_a_failed_evaluation_is_a_result(connected: Pair) -> None:
    async with connected() as (broker, client):
        failed = values.DecisionEvaluationValue(
            evaluation_failure_message="no season", failed_decision_id="season"
        )
        answer(broker, failed)
        evaluation = await client.evaluate_decision("dish")
        assert (evaluation.output, evaluation.failure) == (None, "no season")
        assert evaluation.failed_decision_id == "season"


async def test_deleting(connected: Pair) -> None:
    async with connected() as (broker, client):
        broker.answer(ResourceDeletionIntent.DELETE)
        await client.delete_resource(4)
        (command,) = broker.commands
        assert command.value == values.ResourceDeletionValue(4)
