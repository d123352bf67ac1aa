"""The process that the chaos tests run: a job, then a message, for each order."""

from __future__ import annotations

from typing import Final

ORDER: Final = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:message id="m" name="paid"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:process id="order" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
</bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:serviceTask>
<bpmn:intermediateCatchEvent id="c">
<bpmn:incoming>f2</bpmn:incoming><bpmn:outgoing>f3</bpmn:outgoing>
<bpmn:messageEventDefinition id="md" messageRef="m"/></bpmn:intermediateCatchEvent>
<bpmn:endEvent id="e"><bpmn:incoming>f3</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="c"/>
<bpmn:sequenceFlow id="f3" sourceRef="c" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""
