"""The grammar of BPMN 2.0 files as far as it can make one wrong: which attributes an element has,
and which children, in which order.

A line of `_TABLE` is an element: `name | attributes | children`. An attribute may say what it
takes: `:bool`, `:int`, `:idref` (the id of an element of the file) or a choice `:A/B`; `!` stands
behind one that has to be there. Every element may have an `id` and attributes of other namespaces.
Children are groups in their order: a name or a class of names (in capitals), `*` behind what may
be repeated; `...` says that the content is not looked at, `text` that it is text. What all elements
of a class have is written once, in `_COMMON`. What a reader checks anyway, such as the ends of a
flow, is not checked here too. Elements that no executable process needs are not in the table;
nothing is said about what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_COMMON: Final = {
    "base": "documentation* extensionElements",
    "flow": "documentation* extensionElements auditing monitoring categoryValueRef*",
    "node": "auditing monitoring categoryValueRef* incoming* outgoing*",
    "io": "ioSpecification property* dataInputAssociation* dataOutputAssociation*",
    "catches": "property* dataOutput* dataOutputAssociation* outputSet EVENT* eventDefinitionRef*",
    "throws": "property* dataInput* dataInputAssociation* inputSet EVENT* eventDefinitionRef*",
    "activity": "isForCompensation:bool startQuantity:int completionQuantity:int default:idref",
}

_CLASSES: Final = {
    "EVENT": """
        messageEventDefinition timerEventDefinition errorEventDefinition signalEventDefinition
        escalationEventDefinition compensateEventDefinition terminateEventDefinition
        linkEventDefinition conditionalEventDefinition cancelEventDefinition
        """,
    "LOOP": "multiInstanceLoopCharacteristics standardLoopCharacteristics",
    "ROLE": "resourceRole performer humanPerformer potentialOwner",
    "ARTIFACT": "association group textAnnotation",
    "ELEMENT": """
        sequenceFlow startEvent endEvent intermediateCatchEvent intermediateThrowEvent boundaryEvent
        implicitThrowEvent event task serviceTask sendTask receiveTask userTask manualTask
        scriptTask businessRuleTask callActivity subProcess adHocSubProcess transaction
        exclusiveGateway inclusiveGateway parallelGateway complexGateway eventBasedGateway
        dataObject dataObjectReference dataStoreReference choreographyTask subChoreography
        callChoreography
        """,
    "ROOT": """
        process message error signal escalation collaboration category correlationProperty dataStore
        endPoint interface itemDefinition partnerEntity partnerRole resource choreography
        globalChoreographyTask conversation globalConversation globalTask globalManualTask
        globalScriptTask globalUserTask globalBusinessRuleTask EVENT
        """,
}

_TABLE: Final = """
definitions | name targetNamespace! expressionLanguage typeLanguage exporter exporterVersion \
    | import* extension* ROOT* DIAGRAM* relationship*
process | name processType:None/Public/Private isClosed:bool isExecutable:bool \
    definitionalCollaborationRef | base supportedInterfaceRef* ioSpecification ioBinding* auditing \
    monitoring property* laneSet* ELEMENT* ARTIFACT* ROLE* correlationSubscription* supports*
sequenceFlow | name sourceRef targetRef isImmediate:bool | flow conditionExpression
startEvent | name parallelMultiple:bool isInterrupting:bool | base node catches
boundaryEvent | name parallelMultiple:bool cancelActivity:bool attachedToRef | base node catches
intermediateCatchEvent | name parallelMultiple:bool | base node catches
intermediateThrowEvent implicitThrowEvent endEvent | name | base node throws
task manualTask | name activity | base node io ROLE* LOOP
serviceTask | name activity implementation operationRef | base node io ROLE* LOOP
sendTask | name activity implementation operationRef messageRef | base node io ROLE* LOOP
receiveTask | name activity implementation operationRef messageRef instantiate:bool \
    | base node io ROLE* LOOP
businessRuleTask | name activity implementation | base node io ROLE* LOOP
userTask | name activity implementation | base node io ROLE* LOOP rendering*
scriptTask | name activity scriptFormat | base node io ROLE* LOOP script
callActivity | name activity calledElement | base node io ROLE* LOOP
subProcess | name activity triggeredByEvent:bool \
    | base node io ROLE* LOOP laneSet* ELEMENT* ARTIFACT*
adHocSubProcess | name activity triggeredByEvent:bool cancelRemainingInstances:bool \
    ordering:Parallel/Sequential | base node io ROLE* LOOP laneSet* ELEMENT* ARTIFACT* \
    completionCondition
transaction | name activity triggeredByEvent:bool method \
    | base node io ROLE* LOOP laneSet* ELEMENT* ARTIFACT*
exclusiveGateway | name gatewayDirection:Unspecified/Converging/Diverging/Mixed default | base node
inclusiveGateway | name gatewayDirection:Unspecified/Converging/Diverging/Mixed default:idref \
    | base node
parallelGateway | name gatewayDirection:Unspecified/Converging/Diverging/Mixed | base node
complexGateway | name gatewayDirection:Unspecified/Converging/Diverging/Mixed default:idref \
    | base node activationCondition
eventBasedGateway | name gatewayDirection:Unspecified/Converging/Diverging/Mixed \
    instantiate:bool eventGatewayType:Exclusive/Parallel | base node
messageEventDefinition | messageRef | base operationRef
timerEventDefinition | | base timeDate timeDuration timeCycle
errorEventDefinition | errorRef | base
signalEventDefinition | signalRef | base
escalationEventDefinition | escalationRef | base
terminateEventDefinition cancelEventDefinition | | base
compensateEventDefinition | waitForCompletion:bool activityRef | base
linkEventDefinition | name! | base source* target
conditionalEventDefinition | | base condition
timeDate timeDuration timeCycle conditionExpression completionCondition condition \
    | language evaluatesToTypeRef | base text
multiInstanceLoopCharacteristics | isSequential:bool behavior:None/One/All/Complex \
    oneBehaviorEventRef noneBehaviorEventRef | base loopDataInputRef loopDataOutputRef \
    inputDataItem outputDataItem complexBehaviorDefinition* completionCondition
standardLoopCharacteristics | testBefore:bool loopMaximum | base loopCondition
message | name itemRef | base
error | name errorCode structureRef | base
escalation | name escalationCode structureRef | base
signal | name structureRef | base
extensionElements | | OTHER*
incoming outgoing eventDefinitionRef flowNodeRef | | text
script documentation | textFormat | ...
laneSet childLaneSet | name | base lane*
lane | name partitionElementRef | base partitionElement flowNodeRef* childLaneSet
dataObject | name itemSubjectRef isCollection:bool | flow dataState
dataObjectReference | name itemSubjectRef dataObjectRef:idref | flow dataState
dataStoreReference | name itemSubjectRef dataStoreRef | flow dataState
textAnnotation | textFormat | ...
association | sourceRef! targetRef! associationDirection:None/One/Both | base
group | categoryValueRef | base
collaboration | name isClosed:bool | base participant* messageFlow* ARTIFACT* \
    conversationNode* conversationAssociation* participantAssociation* messageFlowAssociation* \
    correlationKey* choreographyRef* conversationLink*
participant | name processRef | base interfaceRef* endPointRef* participantMultiplicity
messageFlow | name sourceRef! targetRef! messageRef | base
"""

DIAGRAM: Final = "{http://www.omg.org/spec/BPMN/20100524/DI}BPMNDiagram"


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute takes: `values` are all that it may have, if it is one of a few."""

    is_required: bool = False
    is_reference: bool = False
    is_number: bool = False
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shape:
    """What an element looks like.

    `children` gives the place of each in the order and whether it may be repeated there. Without
    `is_checked` nothing is said about its content; `has_text` lets it have some.
    """

    attributes: dict[str, Attribute]
    children: dict[str, tuple[int, bool]]
    is_checked: bool
    has_text: bool
    has_foreign: bool


BOOLEANS: Final = frozenset(("true", "false", "1", "0"))


def _attribute(word: str) -> tuple[str, Attribute]:
    name, _, takes = word.partition(":")
    is_required = name.endswith("!")
    values = frozenset(takes.split("/")) if "/" in takes else frozenset()
    return name.rstrip("!"), Attribute(
        is_required,
        is_reference=takes == "idref",
        is_number=takes == "int",
        values=BOOLEANS if takes == "bool" else values,
    )


def _expanded(words: str) -> list[str]:
    """The words of a line, those of `_COMMON` replaced by what they stand for."""
    return [one for word in words.split() for one in _COMMON.get(word, word).split()]


def _names(word: str) -> list[str]:
    """The elements that a child's word means."""
    if word == "DIAGRAM":
        return [DIAGRAM]
    return [name for part in _CLASSES.get(word, word).split() for name in _inner(part)]


def _inner(part: str) -> list[str]:
    return _CLASSES[part].split() if part in _CLASSES else [part]


def _shape(attributes: str, children: str) -> Shape:
    words = _expanded(children)
    is_checked = not any(word.endswith("...") for word in words)
    places: dict[str, tuple[int, bool]] = {}
    for place, word in enumerate(words):
        if word not in ("text", "...", "OTHER*"):
            for name in _names(word.removesuffix("...").removesuffix("*")):
                places[name] = (place, word.endswith("*"))
    return Shape(
        dict(_attribute(word) for word in _expanded(attributes)),
        places,
        is_checked,
        has_text="text" in words or not is_checked,
        has_foreign="OTHER*" in words,
    )


def _grammar() -> dict[str, Shape]:
    shapes = {}
    for line in _TABLE.strip().splitlines():
        names, attributes, children = line.split("|")
        for name in names.split():
            shapes[name] = _shape(attributes, children)
    return shapes


GRAMMAR: Final[dict[str, Shape]] = _grammar()
"""The shape of each element that is known."""
