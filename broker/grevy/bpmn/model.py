"""The executable model of a process: plain objects in which everything an element needs is already
resolved.

`compiler` builds it once from a deployed file; the engine only reads it. References between
elements are object references, expressions are compiled, static texts are texts. Objects are made
in two passes (elements refer to each other), so they are not frozen; nothing writes to them after
`compile_processes` has returned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from grevy.feel import Expression
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.protocol.values import EMPTY_DOCUMENT, Document

Text: TypeAlias = "str | Expression"
"""A static text, or a FEEL expression that gives one (written with a leading `=`)."""


class TimerKind(Enum):
    """Which of the three timer definitions an event has."""

    DATE = "timeDate"
    DURATION = "timeDuration"
    CYCLE = "timeCycle"


@dataclass(slots=True, frozen=True)
class Timer:
    """When a timer event fires."""

    kind: TimerKind
    value: Text


@dataclass(slots=True, frozen=True)
class Message:
    """A message that a catch event or receive task waits for; start events of a process have no
    correlation key.
    """

    name: Text
    correlation_key: Expression | None = None


@dataclass(slots=True, frozen=True)
class Job:
    """The job of a task or throw event; `headers` is a JSON object of strings."""

    type: Text
    retries: Text = "3"
    headers: Document = EMPTY_DOCUMENT


@dataclass(slots=True, frozen=True)
class Script:
    """A FEEL script and the variable that takes its result."""

    expression: Expression
    result_variable: str


class Binding(Enum):
    """Which version of what it calls an element means: the newest one, the one that was deployed
    with the process, or the newest one with a version tag.
    """

    LATEST = "latest"
    DEPLOYMENT = "deployment"
    VERSION_TAG = "versionTag"


@dataclass(slots=True, frozen=True)
class CalledDecision:
    """A decision to evaluate and the variable that takes its output; `version_tag` is empty unless
    the binding is VERSION_TAG.
    """

    decision_id: Text
    result_variable: str
    binding: Binding = Binding.LATEST
    version_tag: str = ""


@dataclass(slots=True, frozen=True)
class Mapping:
    """What one variable, or one entry of an object, is made of: a value, or the entries that
    mappings put into it.
    """

    target: str
    source: Text | tuple[Mapping, ...]


@dataclass(slots=True, eq=False)
class SequenceFlow:
    """A flow between two elements of one scope; `order` is its place in the document."""

    id: str
    source: Element
    target: Element
    order: int
    condition: Expression | None = None


_NONE: Final = BpmnEventType.NONE  # looked up once: it is asked for with every instance


@dataclass(slots=True, eq=False)
class Element:
    """A flow node, an embedded sub-process or the process itself.

    What an element does not have is None or empty. `error_code` of a catch event: None means any;
    of a throw event it is a Text. `boundary_events` and `outgoing` are in document order;
    `inputs` and `outputs` have one mapping for each variable, in the order in which the model names
    them first. `children` holds the direct flow nodes of a scope, and `event_targets` the catch
    events behind an event-based gateway. `messages` and `timers` of the boundary events belong to
    those events, not to the activity.
    """

    id: str
    element_type: BpmnElementType
    event_type: BpmnEventType = BpmnEventType.UNSPECIFIED
    name: str = ""
    scope: Element | None = None
    incoming: tuple[SequenceFlow, ...] = ()
    outgoing: tuple[SequenceFlow, ...] = ()
    default_flow: SequenceFlow | None = None
    inputs: tuple[Mapping, ...] = ()
    outputs: tuple[Mapping, ...] = ()
    job: Job | None = None
    script: Script | None = None
    called_decision: CalledDecision | None = None
    message: Message | None = None
    timer: Timer | None = None
    error_code: Text | None = None
    attached_to: Element | None = None
    interrupting: bool = True
    boundary_events: tuple[Element, ...] = ()
    event_targets: tuple[Element, ...] = ()
    children: tuple[Element, ...] = ()
    start_events: tuple[Element, ...] = ()

    @property
    def none_start_event(self) -> Element | None:
        """The start event without a trigger of a scope, if it has one."""
        for event in self.start_events:
            if event.event_type is _NONE:
                return event
        return None


@dataclass(slots=True, eq=False)
class Process:
    """An executable process: its root element and all elements by id."""

    id: str
    root: Element
    elements: dict[str, Element] = field(default_factory=dict)
    flows: dict[str, SequenceFlow] = field(default_factory=dict)
    version_tag: str = ""
