"""Which models are refused, at which element, and why. The verdicts are those of Zeebe's engine
except where a test says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grevy.bpmn import InvalidModel, compile_processes

Faults = Callable[..., list[tuple[str, str]]]

MESSAGE = (
    '<message id="m" name="paid"><extensionElements>'
    '<zeebe:subscription correlationKey="=order"/></extensionElements></message>'
)
MESSAGES = MESSAGE + MESSAGE.replace('id="m"', 'id="m2"')
ERROR = '<error id="er" errorCode="E"/>'
JOB = '<extensionElements><zeebe:taskDefinition type="t"/></extensionElements>'
TASK = f'<serviceTask id="x">{JOB}</serviceTask>'
DURATION = "<timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition>"
CYCLE = "<timerEventDefinition><timeCycle>R/PT1S</timeCycle></timerEventDefinition>"
CATCH = '<messageEventDefinition messageRef="m"/>'


def task(extensions: str, tag: str = "serviceTask") -> str:
    """A task `x` with extension elements."""
    return f'<{tag} id="x"><extensionElements>{extensions}</extensionElements></{tag}>'


def mapping(source: str, target: str) -> str:
    """A task with one input mapping."""
    one = f'<zeebe:input source="{source}" target="{target}"/>'
    return task(f"<zeebe:ioMapping>{one}</zeebe:ioMapping>", "task")


def boundary(inside: str, attributes: str = "", element_id: str = "b") -> str:
    """A boundary event at `x`."""
    return (
        f'<boundaryEvent id="{element_id}" attachedToRef="x"{attributes}>{inside}</boundaryEvent>'
    )


def catch(inside: str, element_id: str = "x") -> str:
    """An intermediate catch event."""
    return f'<intermediateCatchEvent id="{element_id}">{inside}</intermediateCatchEvent>'


def timer(kind: str, value: str) -> str:
    """A timer event definition."""
    return f"<timerEventDefinition><{kind}>{value}</{kind}></timerEventDefinition>"


CALM = "s>x>e"
FORK = ("s>x", "x>e", "x>e2")

REFUSED = {
    "no start event": (TASK, ["x>e"], "p", "at least one start"),
    "two none start events": ('<startEvent id="s"/><startEvent id="q"/>', ["s>e"], "p", "none start"),
    "no task definition": ('<serviceTask id="x"/>', [CALM], "x", "zeebe:taskDefinition"),
    "job without a type": (task('<zeebe:taskDefinition type=""/>'), [CALM], "x", "type"),
    "two task definitions": (task('<zeebe:taskDefinition type="a"/>' * 2), [CALM], "x", "only one"),
    "bad FEEL in a type": (task('<zeebe:taskDefinition type="=1 +"/>'), [CALM], "x", "column"),
    "bad FEEL in retries": (
        task('<zeebe:taskDefinition type="a" retries="=1+"/>'), [CALM], "x", "retries",
    ),
    "script and job": (
        task('<zeebe:taskDefinition type="a"/><zeebe:script expression="=1" resultVariable="r"/>',
             "scriptTask"), [CALM], "x", "either",
    ),
    "script task with neither": ('<scriptTask id="x"/>', [CALM], "x", "either"),
    "script without a result": (
        task('<zeebe:script expression="=1"/>', "scriptTask"), [CALM], "x", "result variable",
    ),
    "static script": (
        task('<zeebe:script expression="1" resultVariable="r"/>', "scriptTask"), [CALM], "x", "'=1'",
    ),
    "empty script": (
        task('<zeebe:script expression="" resultVariable="r"/>', "scriptTask"), [CALM], "x", "empty",
    ),
    "business rule task with neither": ('<businessRuleTask id="x"/>', [CALM], "x", "taskDefinition"),
    "header twice": (
        task('<zeebe:taskDefinition type="a"/><zeebe:taskHeaders><zeebe:header key="k" value="1"/>'
             '<zeebe:header key="k" value="2"/></zeebe:taskHeaders>'), [CALM], "x", "more than once",
    ),
    "reserved header": (
        task('<zeebe:taskDefinition type="a"/><zeebe:taskHeaders>'
             '<zeebe:header key="io.camunda.zeebe:k" value="1"/></zeebe:taskHeaders>'),
        [CALM], "x", "reserved",
    ),
    "mapping: bad FEEL": (mapping("=1 +", "a"), [CALM], "x", "column"),
    "mapping: no target": (mapping("=1", ""), [CALM], "x", "target"),
    "mapping: target with a dash": (mapping("=1", "a-b"), [CALM], "x", "target"),
    "mapping: target with an open end": (mapping("=1", "a."), [CALM], "x", "target"),
    "mapping: target is FEEL": (mapping("=1", "=a"), [CALM], "x", "target"),
    "mapping: target with an umlaut": (mapping("=1", "ä"), [CALM], "x", "target"),
    "mapping: reserved word": (mapping("=1", "null"), [CALM], "x", "reserved"),
    "receive task without a message": ('<receiveTask id="x"/>', [CALM], "x", "reference a message"),
    "unknown message": ('<receiveTask id="x" messageRef="no"/>', [CALM], "x", "'no'"),
    "catch event without trigger": (catch(""), [CALM], "x", "event definition"),
    "catch event with two": (catch(DURATION + CATCH), [CALM], "x", "one event definition"),
    "catch event of an error": (catch("<errorEventDefinition/>"), [CALM], "x", "cannot have"),
    "catch event with a cycle": (catch(CYCLE), [CALM], "x", "timeDuration"),
    "timer without a value": (catch("<timerEventDefinition/>"), [CALM], "x", "exactly one"),
    "timer: tomorrow": (catch(timer("timeDuration", "tomorrow")), [CALM], "x", "tomorrow"),
    "timer: nothing": (catch(timer("timeDuration", " ")), [CALM], "x", "timeDuration"),
    "timer: bad FEEL": (catch(timer("timeDuration", "=1 +")), [CALM], "x", "column"),
    "timer: date without zone": (catch(timer("timeDate", "2030-01-01T00:00:00")), [CALM], "x", "offset"),
    "timer: date alone": (catch(timer("timeDate", "2030-01-01")), [CALM], "x", "timeDate"),
    "boundary event without trigger": (TASK + boundary(""), [CALM, "b>e2"], "b", "event definition"),
    "interrupting cycle": (TASK + boundary(CYCLE), [CALM], "b", "timeCycle"),
    "error that does not interrupt": (
        TASK + boundary("<errorEventDefinition/>", ' cancelActivity="false"'), [CALM], "b", "interrupting",
    ),
    "boundary event at nothing": (boundary(DURATION), ["s>e"], "b", "attached"),
    "boundary event at a gateway": ('<parallelGateway id="x"/>' + boundary(DURATION), [CALM], "b", "attached"),
    "boundary event with an incoming flow": (TASK + boundary(DURATION), ["s>x>b>e"], "b", "incoming"),
    "boundary event of a neither true nor false": (
        TASK + boundary(DURATION, ' cancelActivity="maybe"'), [CALM], "b", "true or false",
    ),
    "boundary event of an error by FEEL": (
        TASK + boundary('<errorEventDefinition errorRef="feel"/>'), [CALM], "b", "expression",
    ),
    "two boundary events of one error": (
        TASK + boundary('<errorEventDefinition errorRef="er"/>')
        + boundary('<errorEventDefinition errorRef="er"/>', element_id="c"), [CALM], "x", "'E'",
    ),
    "two boundary events of all errors": (
        TASK + boundary("<errorEventDefinition/>") + boundary("<errorEventDefinition/>", element_id="c"),
        [CALM], "x", "all errors",
    ),
    "two boundary events of one message": (
        TASK + boundary(CATCH) + boundary(CATCH.replace('"m"', '"m2"'), element_id="c"),
        [CALM], "x", "'paid'",
    ),
    "receive task and boundary event of one message": (
        '<receiveTask id="x" messageRef="m2"/>' + boundary(CATCH), [CALM], "x", "same message",
    ),
    "two start events of one message": (
        f'<startEvent id="s">{CATCH}</startEvent><startEvent id="q">{CATCH}</startEvent>', ["s>e"],
        "p", "'paid'",
    ),
    "end event with an outgoing flow": ('<endEvent id="x"/>', [CALM], "x", "outgoing"),
    "cancel end event": ('<endEvent id="e"><cancelEventDefinition/></endEvent>', ["s>e"], "e", "cannot"),
    "error end event without an error": (
        '<endEvent id="e"><errorEventDefinition/></endEvent>', ["s>e"], "e", "reference an error",
    ),
    "error end event without a code": (
        '<endEvent id="e"><errorEventDefinition errorRef="blank"/></endEvent>', ["s>e"], "e", "code",
    ),
    "message end event without a job": (
        f'<endEvent id="e">{CATCH}</endEvent>', ["s>e"], "e", "zeebe:taskDefinition",
    ),
    "exclusive flow without condition": (
        '<exclusiveGateway id="x"/>', ["s>x", "x>e:=a", "x>e2"], "x_e2", "condition",
    ),
    "no condition at all": ('<exclusiveGateway id="x"/>', FORK, "x_e", "condition"),
    "bad FEEL in a condition": ('<exclusiveGateway id="x"/>', ["s>x", "x>e:=1 +"], "x_e", "column"),
    "static condition": ('<exclusiveGateway id="x"/>', ["s>x", "x>e:a"], "x_e", "'=a'"),
    "blank condition": ('<exclusiveGateway id="x"/>', ["s>x", "x>e: "], "x_e", "empty"),
    "condition that is =": ('<exclusiveGateway id="x"/>', ["s>x", "x>e:="], "x_e", "expression"),
    "default flow of another": (
        '<exclusiveGateway id="x" default="s_x"/>', ["s>x", "x>e:=a"], "x", "starts here",
    ),
    "unknown default flow": ('<exclusiveGateway id="x" default="no"/>', ["s>x>e"], "x", "'no'"),
    "condition behind a task": (TASK, ["s>x", "x>e:=a"], "x", "Conditions"),
    "condition behind a parallel gateway": ('<parallelGateway id="x"/>', ["s>x", "x>e:=a"], "x", "Conditions"),
    "event gateway with one event": (
        '<eventBasedGateway id="x"/>' + catch(DURATION, "a"), ["s>x>a>e"], "x", "at least two",
    ),
    "event gateway to a task": (
        '<eventBasedGateway id="x"/><manualTask id="y"/>' + catch(DURATION, "a"),
        ["s>x>a>e", "x>y>e2"], "x", "'y' is none",
    ),
    "event gateway to an event with another way in": (
        '<eventBasedGateway id="x"/><parallelGateway id="y"/>' + catch(DURATION, "a") + catch(CATCH, "b"),
        ["s>y>x>a>e", "x>b>e2", "y>a"], "x", "no incoming flow",
    ),
    "event gateway with a message twice": (
        '<eventBasedGateway id="x"/>' + catch(CATCH, "a") + catch(CATCH, "b"),
        ["s>x>a>e", "x>b>e2"], "x", "'paid'",
    ),
    "sub-process with a timer": (
        f'<subProcess id="x"><startEvent id="is">{DURATION}</startEvent></subProcess>', [CALM], "is", "trigger",
    ),
    "sub-process with nothing": ('<subProcess id="x"/>', [CALM], "x", "exactly one"),
    "sub-process with two start events": (
        '<subProcess id="x"><startEvent id="a"/><startEvent id="b"/></subProcess>', [CALM], "x", "exactly one",
    ),
    "flow into nothing": ("", ["s>nowhere"], "s_nowhere", "'nowhere'"),
    "flow to the process": ("", ["s>p"], "s_p", "'p'"),
    "flow to a flow": ("", ["s>e", "s>s_e"], "s_s_e", "'s_e'"),
    "id twice": ('<manualTask id="x"/><task id="x"/>', [CALM], "x", "more than once"),
    "id that is none": ('<manualTask id="1x"/>', ["s>e"], "1x", "letter"),
    "no id": ("<manualTask/>", ["s>e"], "p", "must have an id"),
    "long id": (f'<manualTask id="{"x" * 5000}"/>', ["s>e"], "x" * 5000, "at most"),
    "complex gateway": ('<complexGateway id="x"/>', [CALM], "x", "'complexGateway' is not supported"),
    "transaction": ('<transaction id="x"/>', [CALM], "x", "is not supported"),
    "element that BPMN has not": ('<fooTask id="x"/>', [CALM], "x", "no element of BPMN"),
    "foreign element": ('<bar xmlns="urn:foo" id="x"/>', ["s>e"], "x", "no element of BPMN"),
    "element that a task has not": ('<task id="x"><foo/></task>', [CALM], "x", "no element of BPMN"),
    "extension outside": ('<task id="x"><zeebe:ioMapping/></task>', [CALM], "x", "extensionElements"),
    "two extensionElements": ('<task id="x">' + "<extensionElements/>" * 2 + "</task>", [CALM], "x", "only one"),
}  # fmt: skip

BESIDE = MESSAGES + ERROR + '<error id="blank"/><error id="feel" errorCode="=c"/>'


@pytest.mark.parametrize("case", REFUSED)
def test_refused(faults: Faults, case: str) -> None:
    body, flows, element_id, words = REFUSED[case]
    found = faults(body, *flows, beside=BESIDE)
    assert [text for owner, text in found if owner == element_id and words in text], found
    # One mistake, one fault; two where the mistake is made at two places.
    assert len(found) <= 2, found


NOT_YET = {
    "userTask": '<userTask id="x"/>',
    "callActivity": '<callActivity id="x"/>',
    "inclusiveGateway": '<inclusiveGateway id="x"/>',
    "adHocSubProcess": '<adHocSubProcess id="x"><task id="y"/></adHocSubProcess>',
    "event sub-process": '<subProcess id="x" triggeredByEvent="true"><startEvent id="y"/></subProcess>',
    "multi-instance": '<task id="x"><multiInstanceLoopCharacteristics/></task>',
    "compensation": '<task id="x" isForCompensation="true"/>',
    "signalEventDefinition": catch("<signalEventDefinition/>"),
    "linkEventDefinition": catch('<linkEventDefinition name="n"/>'),
    "escalationEventDefinition": (
        '<intermediateThrowEvent id="x"><escalationEventDefinition/></intermediateThrowEvent>'
    ),
    "Execution listeners": task(
        "<zeebe:executionListeners><zeebe:executionListener/></zeebe:executionListeners>", "task"
    ),
}


@pytest.mark.parametrize("words", NOT_YET)
def test_not_supported_yet(faults: Faults, words: str) -> None:
    ((element_id, text),) = faults(NOT_YET[words], CALM)
    assert element_id == "x"
    assert words in text
    assert "not supported yet" in text


ACCEPTED = {
    "task with two ways out": (TASK, FORK),
    "task beside the way": (TASK, ["s>e"]),
    "gateway with one way out": ('<exclusiveGateway id="x"/>', [CALM]),
    "gateway without a way out": ('<parallelGateway id="x"/>', ["s>x"]),
    "condition of the default flow": ('<exclusiveGateway id="x" default="x_e"/>', ["s>x", "x>e:=a"]),
    "default of a task has no meaning": (TASK.replace(' id="x"', ' id="x" default="x_e"'), [CALM]),
    "start event with an incoming flow": (TASK, ["s>x>s"]),
    "boundary event without a way out": (TASK + boundary(DURATION), [CALM]),
    "cycle that does not interrupt": (TASK + boundary(CYCLE, ' cancelActivity="0"'), [CALM]),
    "none end event with a job has none": (f'<endEvent id="e">{JOB}</endEvent>', ["s>e"]),
    "mapping to a path with a word of FEEL": (mapping("=1", "a.null"), [CALM]),
    "header list without headers": (
        task('<zeebe:taskDefinition type="a"/><zeebe:taskHeaders/>'), [CALM],
    ),
    "listeners without a listener": (
        task('<zeebe:taskDefinition type="a"/><zeebe:executionListeners/>'), [CALM],
    ),
    "two timer starts": (
        f'<startEvent id="s">{CYCLE}</startEvent><startEvent id="q">{CYCLE}</startEvent>', ["s>e"],
    ),
    "none start and message start": (f'<startEvent id="q">{CATCH}</startEvent>', ["s>e"]),
    "error end by expression": (
        '<endEvent id="e"><errorEventDefinition errorRef="feel"/></endEvent>', ["s>e"],
    ),
    "id with letters of the world": ('<manualTask id="größe_1.a-b"/>', ["s>e"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(faults: Faults, case: str) -> None:
    body, flows = ACCEPTED[case]
    assert faults(body, *flows, beside=BESIDE) == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('<message id="m"/>', "name of the message"),
        ('<message id="m" name="=a +"/>', "column"),
        ('<message id="m" name="a"/>', "zeebe:subscription"),
        (MESSAGE.replace("=order", "order"), "'=order'"),
        (MESSAGE.replace("=order", "=order +"), "column"),
        (MESSAGE.replace("=order", ""), "correlation key"),
        (MESSAGE.replace("paid", "p" * 5000), "at most"),
    ],
)
def test_faults_of_messages_are_told_once(faults: Faults, message: str, words: str) -> None:
    found = faults('<receiveTask id="x" messageRef="m"/>' + TASK.replace('"x"', '"y"')
                   + '<receiveTask id="z" messageRef="m"/>', "s>x>y>z>e", beside=message)  # fmt: skip
    assert [text for element_id, text in found if words in text and element_id == "m"]
    assert len(found) == len(set(found))


def test_faults_of_a_message_that_nothing_uses(faults: Faults) -> None:
    ((element_id, _),) = faults("", "s>e", beside=MESSAGE.replace("=order", "=("))
    assert element_id == "m"


def test_stricter_than_zeebe_where_it_would_run_nonsense(faults: Faults) -> None:
    inner = '<subProcess id="x"><startEvent id="is"/><manualTask id="y"/></subProcess>'
    across = '<sequenceFlow id="f" sourceRef="is" targetRef="e"/>'
    assert "another scope" in faults(inner + across, CALM)[0][1]
    at_inner = boundary(DURATION).replace('attachedToRef="x"', 'attachedToRef="y"')
    assert "another scope" in faults(inner + at_inner, CALM)[0][1]
    loop = '<task id="x"><standardLoopCharacteristics/></task>'
    assert "standard loop" in faults(loop, CALM)[0][1]


def test_every_fault_of_every_element_in_one_go(faults: Faults) -> None:
    body = (
        '<serviceTask id="a"/><exclusiveGateway id="g"/><userTask id="u"/>'
        + catch(timer("timeDate", "never"), "t")
        + mapping("=1 +", "1a")
    )
    found = faults(body, "s>a>g", "g>u", "g>t", "u>e:=(", "x>lost")
    assert {element_id for element_id, _ in found} == {
        *("a", "u", "t", "x"),  # elements
        *("g_u", "g_t", "u_e", "x_lost"),  # flows
    }
    assert sum(element_id == "x" for element_id, _ in found) == 2


@pytest.mark.parametrize(
    "attributes", ['id="p"', 'id="p" isExecutable="false"', 'id="p" isExecutable="yes"']
)
def test_a_file_without_an_executable_process(
    document: Callable[..., bytes], attributes: str
) -> None:
    xml = document("", "s>e").replace(b'id="p" isExecutable="true"', attributes.encode())
    with pytest.raises(InvalidModel, match="at least one executable process"):
        compile_processes("p.bpmn", xml)


STRUCTURE = {
    "unknown attribute": ('<task id="x" foo="1"/>', "x", "no attribute 'foo'"),
    "attribute of another element": ('<parallelGateway id="x" default="x_e"/>', "x", "no attribute"),
    "not a choice": ('<exclusiveGateway id="x" gatewayDirection="Up"/>', "x", "one of Converging"),
    "not a number": ('<task id="x" startQuantity="many"/>', "x", "whole number"),
    "reference to nothing": ('<task id="x" default="no"/>', "x", "id of an element"),
    "missing attribute": ('<task id="x"/><association id="a" sourceRef="x"/>', "a", "'targetRef'"),
    "children in another order": (
        f'<serviceTask id="x"><incoming>s_x</incoming>{JOB}</serviceTask>', "x", "before 'incoming'",
    ),
    "outgoing before incoming": (
        '<task id="x"><outgoing>x_e</outgoing><incoming>s_x</incoming></task>', "x", "before 'outgoing'",
    ),
    "two extensionElements": (f'<serviceTask id="x">{JOB}{JOB}</serviceTask>', "x", "only one"),
    "outgoing of nothing": ('<task id="x"><outgoing>no</outgoing></task>', "x", "'no'"),
    "text between": ('<task id="x"><incoming>s_x</incoming>text</task>', "x", "no text"),
    "lanes after elements": ('<task id="x"/><laneSet id="ls"/>', "p", "'laneSet' must stand before"),
    "BPMN inside extensionElements": (
        '<task id="x"><extensionElements><property/></extensionElements></task>', "x", "no element",
    ),
    "no namespace": (
        '<task id="x"><extensionElements><a xmlns=""/></extensionElements></task>', "x", "no element",
    ),
    "attribute of a definition": (catch(DURATION.replace(">", ' foo="1">', 1)), "x", "no attribute"),
    "header of nothing twice": (
        task('<zeebe:taskHeaders><zeebe:header key="k"/><zeebe:header key="k"/></zeebe:taskHeaders>',
             "task"), "x", "more than once",
    ),
    "job of a task without one": (task("<zeebe:taskDefinition/>", "task"), "x", "type"),
    "static output": (
        task('<zeebe:ioMapping><zeebe:output source="a" target="b"/></zeebe:ioMapping>', "task"),
        "x", "'=a'",
    ),
    "path of 300 names": (mapping("=1", ".".join("a" * 300)), "x", "more than 200 names"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRUCTURE)
def test_what_bpmn_does_not_have_there(faults: Faults, case: str) -> None:
    body, element_id, words = STRUCTURE[case]
    found = faults(body, CALM)
    assert [text for owner, text in found if owner == element_id and words in text], found


def test_a_file_needs_a_target_namespace(document: Callable[..., bytes]) -> None:
    file = document("", "s>e").replace(b"targetNamespace", b"xmlns:unused")
    with pytest.raises(InvalidModel) as refused:
        compile_processes("p.bpmn", file)
    assert "targetNamespace" in str(refused.value)


def test_a_flow_may_be_written_in_another_scope_than_its_ends(faults: Faults) -> None:
    inner = '<subProcess id="x"><startEvent id="is"/><manualTask id="y"/></subProcess>'
    assert faults(inner, CALM, "is>y") == []


@pytest.mark.parametrize("retries", ["many", "1.5", " 3", "+3", "1e2", "99999999999"])
def test_what_static_retries_are_is_told_when_they_are_needed(faults: Faults, retries: str) -> None:
    assert faults(task(f'<zeebe:taskDefinition type="a" retries="{retries}"/>'), CALM) == []
