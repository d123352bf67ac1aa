"""Small BPMN files for the engine's tests."""

from __future__ import annotations

from itertools import count, pairwise
from typing import Final
from xml.sax.saxutils import quoteattr

_HEAD: Final = (
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
    ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="test">'
)


class ProcessBuilder:
    """Writes a process, element by element."""

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        self._global: list[str] = []
        self._scopes: list[list[str]] = [[]]
        self._flows: list[list[str]] = [[]]
        self._ids = count(1)

    def new_id(self, kind: str) -> str:
        """An id that nothing has had before."""
        return f"{kind}{next(self._ids)}"

    def node(self, tag: str, element_id: str, inner: str = "", **attributes: str) -> str:
        """Any flow node."""
        more = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        self._scopes[-1].append(f'<bpmn:{tag} id="{element_id}"{more}>{inner}</bpmn:{tag}>')
        return element_id

    def start(self, element_id: str = "start", inner: str = "") -> str:
        """A start event."""
        return self.node("startEvent", element_id, inner)

    def end(self, element_id: str = "end", inner: str = "") -> str:
        """An end event."""
        return self.node("endEvent", element_id, inner)

    def task(self, element_id: str, job_type: str = "", mappings: str = "") -> str:
        """A service task; without a type its own id is its jobs' type."""
        definition = f"<zeebe:taskDefinition type={quoteattr(job_type or element_id)}/>"
        inner = f"<bpmn:extensionElements>{definition}{mappings}</bpmn:extensionElements>"
        return self.node("serviceTask", element_id, inner)

    def script(self, element_id: str, expression: str, result: str) -> str:
        """A script task with a FEEL expression."""
        script = (
            f"<zeebe:script expression={quoteattr(expression)} resultVariable={quoteattr(result)}/>"
        )
        inner = f"<bpmn:extensionElements>{script}</bpmn:extensionElements>"
        return self.node("scriptTask", element_id, inner)

    def message(self, name: str, correlation_key: str = "") -> str:
        """A message; the id that events refer to."""
        message_id = self.new_id("message")
        key = f"<zeebe:subscription correlationKey={quoteattr(correlation_key)}/>"
        inner = f"<bpmn:extensionElements>{key}</bpmn:extensionElements>" if correlation_key else ""
        self._global.append(
            f'<bpmn:message id="{message_id}" name={quoteattr(name)}>{inner}</bpmn:message>'
        )
        return message_id

    def error(self, code: str) -> str:
        """An error; the id that events refer to."""
        error_id = self.new_id("error")
        self._global.append(f'<bpmn:error id="{error_id}" errorCode={quoteattr(code)}/>')
        return error_id

    def flow(self, source: str, target: str, condition: str = "") -> str:
        """A sequence flow between two nodes of the scope that is being written."""
        flow_id = f"{source}-{target}"
        inner = (
            f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition else ""
        )
        self._flows[-1].append(
            f'<bpmn:sequenceFlow id="{flow_id}" sourceRef="{source}" targetRef="{target}">'
            f"{inner}</bpmn:sequenceFlow>"
        )
        return flow_id

    def chain(self, *nodes: str) -> None:
        """Flows from each node to the next."""
        for source, target in pairwise(nodes):
            self.flow(source, target)

    def open_scope(self) -> None:
        """What follows lies in a sub-process, until `close_scope`."""
        self._scopes.append([])
        self._flows.append([])

    def close_scope(self, element_id: str) -> str:
        """Ends the sub-process that was opened last and gives it its id."""
        inner = "".join(self._scopes.pop() + self._flows.pop())
        return self.node("subProcess", element_id, inner)

    def xml(self) -> str:
        """The file."""
        inner = "".join(self._scopes[0] + self._flows[0])
        process = f'<bpmn:process id="{self.process_id}" isExecutable="true">{inner}</bpmn:process>'
        return f"{_HEAD}{''.join(self._global)}{process}</bpmn:definitions>"


def timer(duration: str) -> str:
    """The definition of a timer event by duration."""
    inner = f"<bpmn:timeDuration>{duration}</bpmn:timeDuration>"
    return f"<bpmn:timerEventDefinition>{inner}</bpmn:timerEventDefinition>"


def message_ref(message_id: str) -> str:
    """The definition of a message event."""
    return f'<bpmn:messageEventDefinition messageRef="{message_id}"/>'


def error_ref(error_id: str) -> str:
    """The definition of an error event."""
    return f'<bpmn:errorEventDefinition errorRef="{error_id}"/>'


def one_task(process_id: str = "p", job_type: str = "work") -> str:
    """start → task → end."""
    builder = ProcessBuilder(process_id)
    builder.chain(builder.start(), builder.task("task", job_type), builder.end())
    return builder.xml()


def fork(branches: int, process_id: str = "p") -> str:
    """A parallel gateway in front of many tasks, and one behind them."""
    builder = ProcessBuilder(process_id)
    builder.start()
    builder.node("parallelGateway", "fork")
    builder.node("parallelGateway", "join")
    builder.end()
    builder.chain("start", "fork")
    for number in range(branches):
        builder.chain("fork", builder.task(f"task{number}", "work"), "join")
    builder.chain("join", "end")
    return builder.xml()


def loop(process_id: str = "p") -> str:
    """A process that turns for ever between two gateways, until `done` is true, without a wait."""
    builder = ProcessBuilder(process_id)
    builder.start()
    builder.node("exclusiveGateway", "merge")
    builder.node("exclusiveGateway", "again", default="again-merge")
    builder.end()
    builder.chain("start", "merge", "again", "merge")
    builder.flow("again", "end", "=done = true")
    return builder.xml()
