"""What the executable model says about each element."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from grevy.bpmn import InvalidModel, compile_processes
from grevy.bpmn.model import Element, Mapping, Process, TimerKind
from grevy.feel import Expression
from grevy.protocol.intents import BpmnElementType, BpmnEventType

Compiled = Callable[..., Process]
Document = Callable[..., bytes]

JOB = '<extensionElements><zeebe:taskDefinition type="t"/></extensionElements>'
MESSAGE = (
    '<message id="m" name="paid"><extensionElements>'
    '<zeebe:subscription correlationKey="=order"/></extensionElements></message>'
)
ERROR = '<error id="er" errorCode="E"/>'
TIMER = "<timerEventDefinition><timeDuration> PT1S\n</timeDuration></timerEventDefinition>"
CATCH_MESSAGE = '<messageEventDefinition messageRef="m"/>'


def source(text: str | Expression | None) -> str | None:
    """A static text as it is, an expression with its `=`."""
    return f"={text.text}" if isinstance(text, Expression) else text


def element(process: Process, element_id: str = "x") -> Element:
    """The element, checked to know its place."""
    found = process.elements[element_id]
    assert found.id == element_id
    assert found.scope is process.root
    return found


@pytest.mark.parametrize(
    ("tag", "element_type"),
    [
        ("serviceTask", BpmnElementType.SERVICE_TASK),
        ("sendTask", BpmnElementType.SEND_TASK),
        ("scriptTask", BpmnElementType.SCRIPT_TASK),
        ("businessRuleTask", BpmnElementType.BUSINESS_RULE_TASK),
    ],
)
def test_job_tasks(compiled: Compiled, tag: str, element_type: BpmnElementType) -> None:
    task = element(compiled(f'<{tag} id="x" name="X">{JOB}</{tag}>', "s>x>e"))
    assert (task.element_type, task.event_type) == (element_type, BpmnEventType.UNSPECIFIED)
    assert task.name == "X"
    assert task.job is not None
    assert (task.job.type, task.job.retries, task.job.headers) == ("t", "3", b"{}")


def test_job_definition(compiled: Compiled) -> None:
    extensions = (
        '<zeebe:taskDefinition type="=kind" retries="=1 + 1"/><zeebe:taskHeaders>'
        '<zeebe:header key="a" value="=1"/><zeebe:header key="ä" value=" "/>'
        '<zeebe:header key="none"/><zeebe:header value="none"/><zeebe:header key="e" value=""/>'
        "</zeebe:taskHeaders>"
    )
    body = f'<serviceTask id="x"><extensionElements>{extensions}</extensionElements></serviceTask>'
    job = element(compiled(body, "s>x>e")).job
    assert job is not None
    assert (source(job.type), source(job.retries)) == ("=kind", "=1 + 1")
    assert json.loads(job.headers) == {"a": "=1", "ä": " "}


@pytest.mark.parametrize(("tag", "kind"), [("manualTask", "MANUAL_TASK"), ("task", "TASK")])
def test_tasks_that_pass_through(compiled: Compiled, tag: str, kind: str) -> None:
    task = element(compiled(f'<{tag} id="x"/>', "s>x>e"))
    assert task.element_type is BpmnElementType[kind]
    assert task.job is None


def test_script(compiled: Compiled) -> None:
    script = '<zeebe:script expression="=a + 1" resultVariable="r"/>'
    body = f'<scriptTask id="x"><extensionElements>{script}</extensionElements></scriptTask>'
    found = element(compiled(body, "s>x>e")).script
    assert found is not None
    assert (source(found.expression), found.result_variable) == ("=a + 1", "r")


def test_receive_task(compiled: Compiled) -> None:
    body = '<receiveTask id="x" messageRef="m"/>'
    task = element(compiled(body, "s>x>e", beside=MESSAGE))
    assert (task.element_type.name, task.event_type.name) == ("RECEIVE_TASK", "MESSAGE")
    assert task.message is not None
    assert task.message.name == "paid"
    assert source(task.message.correlation_key) == "=order"


def test_message_start_has_no_correlation_key(compiled: Compiled) -> None:
    process = compiled(f'<startEvent id="s">{CATCH_MESSAGE}</startEvent>', "s>e", beside=MESSAGE)
    start = element(process, "s")
    assert start.event_type is BpmnEventType.MESSAGE
    assert start.message is not None
    assert (start.message.name, start.message.correlation_key) == ("paid", None)
    assert process.root.start_events == (start,)
    assert process.root.none_start_event is None


@pytest.mark.parametrize(
    ("tag", "value", "kind"),
    [
        ("timeDate", "2030-01-01T00:00:00Z", TimerKind.DATE),
        ("timeDuration", "P1DT2H", TimerKind.DURATION),
        ("timeCycle", "R3/PT10S", TimerKind.CYCLE),
        ("timeCycle", "@daily", TimerKind.CYCLE),
        ("timeCycle", "=cycle(duration(d))", TimerKind.CYCLE),
    ],
)
def test_timer_start(compiled: Compiled, tag: str, value: str, kind: TimerKind) -> None:
    timer = f"<timerEventDefinition><{tag}> {value}\n </{tag}></timerEventDefinition>"
    start = element(compiled(f'<startEvent id="s">{timer}</startEvent>', "s>e"), "s")
    assert start.event_type is BpmnEventType.TIMER
    assert start.timer is not None
    assert (start.timer.kind, source(start.timer.value)) == (kind, value)


@pytest.mark.parametrize(("inside", "event"), [(TIMER, "TIMER"), (CATCH_MESSAGE, "MESSAGE")])
def test_catch_events(compiled: Compiled, inside: str, event: str) -> None:
    body = f'<intermediateCatchEvent id="x">{inside}</intermediateCatchEvent>'
    catch = element(compiled(body, "s>x>e", beside=MESSAGE))
    assert catch.element_type is BpmnElementType.INTERMEDIATE_CATCH_EVENT
    assert catch.event_type is BpmnEventType[event]
    assert (catch.timer is not None) == (event == "TIMER")
    assert (catch.message is not None) == (event == "MESSAGE")


def test_throw_events(compiled: Compiled) -> None:
    plain = element(compiled('<intermediateThrowEvent id="x"/>', "s>x>e"))
    assert (plain.event_type, plain.job) == (BpmnEventType.NONE, None)
    body = f'<intermediateThrowEvent id="x">{JOB}<messageEventDefinition/></intermediateThrowEvent>'
    message = element(compiled(body, "s>x>e"))
    assert message.event_type is BpmnEventType.MESSAGE
    assert message.job is not None


@pytest.mark.parametrize(
    ("inside", "event"),
    [
        ("", "NONE"),
        ("<terminateEventDefinition/>", "TERMINATE"),
        ('<errorEventDefinition errorRef="er"/>', "ERROR"),
        (f"{JOB}<messageEventDefinition/>", "MESSAGE"),
    ],
)
def test_end_events(compiled: Compiled, inside: str, event: str) -> None:
    end = element(compiled(f'<endEvent id="e">{inside}</endEvent>', "s>e", beside=ERROR), "e")
    assert end.event_type is BpmnEventType[event]
    assert end.error_code == ("E" if event == "ERROR" else None)
    assert (end.job is not None) == (event == "MESSAGE")


def test_boundary_events_are_attached_in_document_order(compiled: Compiled) -> None:
    body = (
        f'<boundaryEvent id="late" attachedToRef="x" cancelActivity="false">{TIMER}</boundaryEvent>'
        f'<manualTask id="x"/><boundaryEvent id="b" attachedToRef="x">{CATCH_MESSAGE}</boundaryEvent>'
        '<boundaryEvent id="c" attachedToRef="x"><errorEventDefinition errorRef="er"/></boundaryEvent>'
        '<boundaryEvent id="any" attachedToRef="x"><errorEventDefinition/></boundaryEvent>'
    )
    process = compiled(body, "s>x>e", "late>e", "c>e2", beside=MESSAGE + ERROR)
    events = element(process).boundary_events
    assert [event.id for event in events] == ["late", "b", "c", "any"]
    assert [event.interrupting for event in events] == [False, True, True, True]
    assert [event.error_code for event in events] == [None, None, "E", None]
    assert all(event.attached_to is element(process) for event in events)


def test_an_error_without_a_code_catches_all(compiled: Compiled) -> None:
    event = '<boundaryEvent id="b" attachedToRef="x"><errorEventDefinition errorRef="er"/>'
    body = f'<manualTask id="x"/>{event}</boundaryEvent>'
    for error in ('<error id="er"/>', '<error id="er" errorCode=""/>'):
        assert element(compiled(body, "s>x>e", beside=error), "b").error_code is None


def test_flows(compiled: Compiled) -> None:
    body = '<exclusiveGateway id="x" default="x_e2"/>'
    process = compiled(body, "s>x", "x>e2", "x>e:\n =a &gt; 1 ")
    gateway = element(process)
    assert [flow.id for flow in gateway.incoming] == ["s_x"]
    assert [flow.id for flow in gateway.outgoing] == ["x_e2", "x_e"]
    assert gateway.default_flow is process.flows["x_e2"]
    conditional = process.flows["x_e"]
    assert source(conditional.condition) == "=a > 1"
    assert conditional.source is gateway
    assert conditional.target is element(process, "e")
    assert [flow.order for flow in gateway.outgoing] == sorted(
        flow.order for flow in gateway.outgoing
    )


def test_event_based_gateway_knows_its_events(compiled: Compiled) -> None:
    body = (
        f'<eventBasedGateway id="x"/><intermediateCatchEvent id="a">{TIMER}</intermediateCatchEvent>'
        f'<intermediateCatchEvent id="b">{CATCH_MESSAGE}</intermediateCatchEvent>'
    )
    process = compiled(body, "s>x>b>e", "x>a>e2", beside=MESSAGE)
    assert [target.id for target in element(process).event_targets] == ["b", "a"]


def test_sub_process_is_a_scope(compiled: Compiled) -> None:
    inner = '<startEvent id="is"/><manualTask id="y"/>'
    body = f'<subProcess id="x">{inner}<sequenceFlow id="f" sourceRef="is" targetRef="y"/></subProcess>'
    process = compiled(body, "s>x>e")
    scope = element(process)
    assert scope.element_type is BpmnElementType.SUB_PROCESS
    assert [child.id for child in scope.children] == ["is", "y"]
    assert all(child.scope is scope for child in scope.children)
    assert scope.none_start_event is process.elements["is"]
    assert process.root.none_start_event is process.elements["s"]
    assert process.elements["p"] is process.root


def entries(mappings: tuple[Mapping, ...]) -> list[tuple[str, object]]:
    """Mappings as they read in a model, those to paths as lists."""
    return [
        (m.target, entries(m.source) if isinstance(m.source, tuple) else source(m.source))
        for m in mappings
    ]


def test_mappings(compiled: Compiled) -> None:
    mappings = (
        '<zeebe:output source="=1" target="o"/><zeebe:input source="text" target="a.b_1"/>'
        '<zeebe:input source="=x" target="c"/><zeebe:input source="=" target="d"/>'
        '<zeebe:input source=" = 1" target="f"/><zeebe:input source="" target="g"/>'
        '<zeebe:input target="h"/><zeebe:input source="=c" target="a.i"/>'
        '<zeebe:input source="=y" target="c"/><zeebe:input source="=z" target="d.j.k"/>'
    )
    extensions = (
        f'<extensionElements><zeebe:taskDefinition type="t"/>'
        f"<zeebe:ioMapping>{mappings}</zeebe:ioMapping></extensionElements>"
    )
    task = element(compiled(f'<serviceTask id="x">{extensions}</serviceTask>', "s>x>e"))
    assert entries(task.inputs) == [
        ("a", [("b_1", "text"), ("i", "=c")]),
        ("c", "=y"),
        ("d", [("j", [("k", "=z")])]),
        ("f", " = 1"),
        ("g", "=null"),
        ("h", "=null"),
    ]
    assert entries(task.outputs) == [("o", "=1")]


def test_mappings_without_effect_are_left_out(compiled: Compiled) -> None:
    mappings = '<zeebe:input source="=1" target="i"/><zeebe:output source="=1" target="o"/>'
    extensions = (
        f"<extensionElements><zeebe:ioMapping>{mappings}</zeebe:ioMapping></extensionElements>"
    )
    body = f'<startEvent id="s">{extensions}</startEvent><parallelGateway id="x">{extensions}</parallelGateway>'
    process = compiled(body, "s>x>e")
    assert [len(element(process, "s").inputs), len(element(process, "s").outputs)] == [0, 1]
    assert [len(element(process).inputs), len(element(process).outputs)] == [0, 0]


def test_what_the_engine_does_not_need_is_ignored(document: Document) -> None:
    body = (
        '<extensionElements><zeebe:versionTag value="v1"/><zeebe:properties/></extensionElements>'
        '<laneSet id="ls"><lane id="l"><flowNodeRef>s</flowNodeRef></lane></laneSet>'
        '<dataObject id="do"/><dataObjectReference id="dr" dataObjectRef="do"/>'
        '<dataStoreReference id="ds"/>'
        '<task id="x"><documentation>why</documentation><extensionElements><foo xmlns="u"/>'
        "</extensionElements><!-- a comment --><?and more?></task>"
    )
    artifacts = (
        '<group id="g"/><textAnnotation id="ta"><text>hi</text></textAnnotation>'
        '<association id="as" sourceRef="s" targetRef="ta"/>'
    )
    beside = (
        '<collaboration id="co"><participant id="pp" processRef="p"/></collaboration>'
        '<BPMNDiagram xmlns="http://www.omg.org/spec/BPMN/20100524/DI" id="x"/>'
    )
    file = document(body, "s>x>e", beside=beside).replace(
        b"</process>", f"{artifacts}</process>".encode()
    )
    (process,) = compile_processes("p.bpmn", file)
    assert set(process.elements) == {"p", "s", "x", "e"}
    assert process.version_tag == "v1"


def test_every_executable_process_in_document_order(document: Document) -> None:
    others = "".join(
        f'<process id="{name}" isExecutable="{flag}"><startEvent id="{name}_s"/></process>'
        for name, flag in (("z", "true"), ("n", "false"), ("a", "true"))
    )
    beside = f'{others}<process id="silent"><serviceTask id="w"/></process>'
    found = compile_processes("p.bpmn", document("", "s>e", beside=beside))
    assert [process.id for process in found] == ["p", "z", "a"]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda text: text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        lambda text: text.replace("UTF-8", "windows-1252").encode("cp1252"),
    ],
)
def test_encodings(document: Document, encode: Callable[[str], bytes]) -> None:
    text = document('<manualTask id="x" name="für"/>', "s>x>e").decode()
    xml = encode(f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}')
    (process,) = compile_processes("p.bpmn", xml)
    assert element(process).name == "für"


def test_prefixes_do_not_matter(document: Document) -> None:
    text = document('<manualTask id="x"/>', "s>x>e").decode()
    prefixed = text.replace("<", "<b:").replace("<b:/", "</b:").replace("xmlns=", "xmlns:b=")
    assert [p.id for p in compile_processes("p.bpmn", prefixed.encode())] == ["p"]


def test_the_same_bytes_give_the_same_model(document: Document) -> None:
    xml = document(f'<serviceTask id="x">{JOB}</serviceTask>', "s>x>e")
    first, second = (compile_processes("p.bpmn", xml)[0] for _ in range(2))
    assert list(first.elements) == list(second.elements)
    assert list(first.flows) == list(second.flows)


def test_the_report_names_elements_and_all_their_faults(document: Document) -> None:
    body = '<serviceTask id="x"/><scriptTask id="y"/>'
    with pytest.raises(InvalidModel) as refused:
        compile_processes("order.bpmn", document(body, "s>x>y", "y>e:=1 +"))
    lines = refused.value.report.splitlines()
    assert lines[0] == "'order.bpmn': - Element: x"
    assert all(line.startswith("    - ERROR: ") for line in lines if "Element" not in line)
    assert [line for line in lines if line.startswith("- Element")] == [
        "- Element: y",
        "- Element: y_e",
    ]
    assert str(refused.value) == refused.value.report
    assert {fault.line for fault in refused.value.faults} == {1}


def test_a_long_report_is_cut_between_faults(document: Document) -> None:
    body = "".join(f'<serviceTask id="ä{n}"/>' for n in range(1000))
    with pytest.raises(InvalidModel) as refused:
        compile_processes("p.bpmn", document(body, "s>e"))
    assert len(refused.value.faults) == 1000
    assert 11_000 < len(refused.value.report.encode()) <= 12 * 1024
    told = refused.value.report.count("ERROR")
    assert refused.value.report.endswith(f"… and {1000 - told} more errors\n")
