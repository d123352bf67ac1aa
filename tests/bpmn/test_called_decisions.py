"""Business rule tasks that call a decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grevy.bpmn.model import Binding, CalledDecision, Process
from grevy.feel import Expression

Compiled = Callable[..., Process]
Faults = Callable[..., list[tuple[str, str]]]

JOB = '<zeebe:taskDefinition type="t"/>'


def rule(extensions: str, tag: str = "businessRuleTask") -> str:
    return f'<{tag} id="x"><extensionElements>{extensions}</extensionElements></{tag}>'


def called(attributes: str) -> str:
    return f"<zeebe:calledDecision {attributes}/>"


GOOD = called('decisionId="d" resultVariable="r"')


@pytest.mark.parametrize(
    ("attributes", "binding", "tag"),
    [
        ("", Binding.LATEST, ""),
        ('bindingType=""', Binding.LATEST, ""),
        ('bindingType="latest"', Binding.LATEST, ""),
        ('bindingType="deployment"', Binding.DEPLOYMENT, ""),
        ('bindingType="versionTag" versionTag="v1"', Binding.VERSION_TAG, "v1"),
    ],
)
def test_a_called_decision(compiled: Compiled, attributes: str, binding: Binding, tag: str) -> None:
    body = rule(called(f'decisionId="d" resultVariable="r" {attributes}'))
    task = compiled(body, "s>x>e").elements["x"]
    assert task.called_decision == CalledDecision("d", "r", binding, tag)
    assert task.job is None


@pytest.mark.parametrize(("raw", "text"), [("=which", "which"), ("12", "12")])
def test_a_decision_id_that_is_an_expression(compiled: Compiled, raw: str, text: str) -> None:
    body = rule(called(f'decisionId="{raw}" resultVariable="r"'))
    decision = compiled(body, "s>x>e").elements["x"].called_decision
    assert decision is not None
    assert isinstance(decision.decision_id, Expression)
    assert decision.decision_id.text == text


def test_another_task_has_no_use_for_a_decision(compiled: Compiled) -> None:
    body = rule(JOB + GOOD + GOOD, "serviceTask")
    assert compiled(body, "s>x>e").elements["x"].called_decision is None


REFUSED = {
    "neither": (rule(""), "either"),
    "both": (rule(GOOD + JOB), "either"),
    "two": (rule(GOOD + GOOD), "only one"),
    "no id": (rule(called('resultVariable="r"')), "decision id"),
    "no variable": (rule(called('decisionId="d"')), "result variable"),
    "bad expression": (rule(called('decisionId="=1 +" resultVariable="r"')), "decision id"),
    "bad binding": (
        rule(called('decisionId="d" resultVariable="r" bindingType="oldest"')),
        "must be one of latest, deployment, versionTag",
    ),
    "no tag": (
        rule(called('decisionId="d" resultVariable="r" bindingType="versionTag"')),
        "needs a version tag",
    ),
    "tag without a meaning": (
        rule(called('decisionId="d" resultVariable="r" versionTag="v"')),
        "no meaning",
    ),
    "at a service task": (rule(JOB + called('decisionId="d"'), "serviceTask"), "result variable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(faults: Faults, name: str) -> None:
    body, words = REFUSED[name]
    ((element_id, text),) = faults(body, "s>x>e")
    assert element_id == "x"
    assert words in text
