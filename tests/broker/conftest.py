"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.broker.processes import BrokerProcess, running

TASK = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="PROCESS" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:serviceTask id="pay"><bpmn:extensionElements>
<zeebe:taskDefinition type="TYPE" retries="1"/>
<zeebe:taskHeaders><zeebe:header key="bank" value="north"/></zeebe:taskHeaders>
</bpmn:extensionElements>
<bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:serviceTask>
<bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="pay"/>
<bpmn:sequenceFlow id="f2" sourceRef="pay" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""

STRAIGHT = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 id="d" targetNamespace="t"><bpmn:process id="PROCESS" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f</bpmn:outgoing></bpmn:startEvent>
<bpmn:endEvent id="e"><bpmn:incoming>f</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f" sourceRef="s" targetRef="e"/></bpmn:process></bpmn:definitions>"""


def task_model(process: str, job_type: str) -> str:
    """A process of one task, whose job has one try."""
    return TASK.replace("PROCESS", process).replace("TYPE", job_type)


def straight_model(process: str) -> str:
    """A process that ends where it begins."""
    return STRAIGHT.replace("PROCESS", process)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker for all tests of a module."""
    with running(tmp_path_factory.mktemp("broker")) as process:
        yield process
