"""Whether the log bears out what clients were told.

    violations = check(read_history(path), entries_of_all_partitions)

Rules (`Rule`): what was acknowledged is there, what was refused is not, nothing is there twice,
nothing is there that nobody asked for, each partition's log is one order of things that the
clients' clock and a small model of a process instance agree with, and for each process instance
there is an order of its operations that explains all answers (`order_history`). An operation whose
outcome nobody knows may be there, but once. Pure functions: no cluster, no files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from tests.chaos.effects import Effect, Effects, effects_of
from tests.chaos.history import Kind, Operation, Outcome
from tests.chaos.instance_model import missteps
from tests.chaos.order_history import unexplained

from grevy.protocol.record import Entry, RequestId

Subject: TypeAlias = tuple[Kind, str]


class Rule(Enum):
    """What may be broken."""

    LOST = "acknowledged, but not in the log"
    REFUSED_YET_DONE = "refused, but in the log"
    REFUSED_WITHOUT_CAUSE = "refused for a reason that the log does not have"
    DOUBLED = "in the log twice"
    UNASKED = "in the log, but nobody asked for it"
    OTHER_KEY = "acknowledged with another key than the log has"
    OUT_OF_ORDER = "in the log after something that began when it had ended"
    CORRELATED_TWICE = "a message correlated twice for one process"
    ANSWERED_TWICE = "a request has two answers"
    LOG_GAP = "positions are missing, or overlap"
    IMPOSSIBLE = "no process instance does that"
    UNEXPLAINED = "no order of what was asked explains what was told"
    UNFINISHED = "a process instance has not ended"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken, and by what."""

    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"{self.rule.value}: {self.what}"


def check(history: Sequence[Operation], entries: Iterable[Entry]) -> list[Violation]:
    """All violations. `entries` are those of all partitions, each partition's in its order, from
    the first one that the history is about.
    """
    log = list(entries)
    effects = effects_of(log)
    asked = _by_subject(history)
    return [
        *_gaps(log),
        *_answers(log),
        *_acknowledged(history, effects),
        *_refused(history, asked, effects),
        *_doubled(effects),
        *_unasked(asked, effects),
        *_correlations(effects),
        *_out_of_order(history, effects),
        *(Violation(Rule.IMPOSSIBLE, str(misstep)) for misstep in missteps(log)),
        *(Violation(Rule.UNEXPLAINED, told) for told in unexplained(history, log)),
    ]


def unfinished(entries: Iterable[Entry]) -> list[Violation]:
    """Process instances that have not ended, once a workload should be over."""
    effects = effects_of(list(entries))
    return [
        Violation(Rule.UNFINISHED, f"process instance {key}")
        for key in effects.instances
        if key not in effects.ended
    ]


def _gaps(log: Sequence[Entry]) -> list[Violation]:
    """Positions of a partition follow each other, wherever the log begins."""
    found = []
    next_position: dict[int, int] = {}
    for entry in log:
        expected = next_position.get(entry.partition_id, entry.first_position)
        if entry.first_position != expected:
            what = f"partition {entry.partition_id}: {entry.first_position} instead of {expected}"
            found.append(Violation(Rule.LOG_GAP, what))
        next_position[entry.partition_id] = entry.last_position + 1
    return found


def _answers(log: Sequence[Entry]) -> list[Violation]:
    """A request that is repeated has its first answer."""
    places: dict[RequestId, list[tuple[int, int]]] = defaultdict(list)
    for entry in log:
        for reply in entry.replies:
            places[reply.request].append((entry.partition_id, entry.first_position))
    return [
        Violation(Rule.ANSWERED_TWICE, f"request {request.number}, in the entries at {where}")
        for request, where in places.items()
        if len(where) > 1
    ]


def _by_subject(history: Sequence[Operation]) -> dict[Subject, list[Operation]]:
    asked: dict[Subject, list[Operation]] = defaultdict(list)
    for operation in history:
        asked[operation.kind, operation.subject].append(operation)
    return asked


def _acknowledged(history: Sequence[Operation], effects: Effects) -> list[Violation]:
    """What was acknowledged is there, under the key that was told; a job is told of once."""
    there: dict[Subject, list[int]] = defaultdict(list)
    for effect in effects.every:
        there[effect.kind, effect.subject].append(effect.key)
    found = []
    completed: Counter[str] = Counter()
    for operation in history:
        if operation.outcome is not Outcome.OK:
            continue
        keys = there[operation.kind, operation.subject]
        if not keys:
            found.append(Violation(Rule.LOST, _said(operation)))
        elif operation.key > 0 and any(keys) and operation.key not in keys:
            found.append(Violation(Rule.OTHER_KEY, f"{_said(operation)}: {keys}"))
        if operation.kind is Kind.COMPLETE:
            completed[operation.subject] += 1
    found.extend(
        Violation(Rule.DOUBLED, f"job {subject}: acknowledged to {count} who completed it")
        for subject, count in completed.items()
        if count > 1
    )
    return found


def _refused(
    history: Sequence[Operation], asked: dict[Subject, list[Operation]], effects: Effects
) -> list[Violation]:
    """What was refused did not happen, unless somebody else asked for the same; and what was not
    found had gone, what was there already was there.
    """
    there = {(effect.kind, effect.subject) for effect in effects.every}
    found = []
    for operation in history:
        if operation.outcome is not Outcome.REJECTED:
            continue
        subject = (operation.kind, operation.subject)
        others = [o for o in asked[subject] if o.outcome is not Outcome.REJECTED]
        if subject in there and not others and operation.kind is not Kind.CANCEL:
            found.append(Violation(Rule.REFUSED_YET_DONE, _said(operation)))
        if not _has_cause(operation, others, effects):
            found.append(Violation(Rule.REFUSED_WITHOUT_CAUSE, _said(operation)))
    return found


def _has_cause(operation: Operation, others: list[Operation], effects: Effects) -> bool:
    if operation.reason.startswith("AlreadyExists"):
        return any(_may_precede(other, operation) for other in others)
    if operation.kind not in (Kind.COMPLETE, Kind.CANCEL):
        return True
    if not operation.reason.startswith("NotFound"):
        return True
    key = int(operation.subject)
    is_completed = any(
        effect.kind is Kind.COMPLETE and effect.subject == operation.subject
        for effect in effects.every
    )
    if operation.kind is Kind.COMPLETE and is_completed:
        return any(_may_precede(other, operation) for other in others)
    return key in effects.ended


def _may_precede(one: Operation, other: Operation) -> bool:
    return one.begin_s <= other.end_s


def _doubled(effects: Effects) -> list[Violation]:
    counts = Counter((e.kind, e.subject) for e in effects.every if e.subject)
    return [
        Violation(Rule.DOUBLED, f"{kind.value} {subject}: {count} times")
        for (kind, subject), count in counts.items()
        if count > 1
    ]


def _unasked(asked: dict[Subject, list[Operation]], effects: Effects) -> list[Violation]:
    """Instances are terminated for other reasons too; all else is asked for by name."""
    return [
        Violation(Rule.UNASKED, f"{effect.kind.value} {effect.subject or '(unnamed)'}")
        for effect in effects.every
        if effect.kind is not Kind.CANCEL and (effect.kind, effect.subject) not in asked
    ]


def _correlations(effects: Effects) -> list[Violation]:
    return [
        Violation(Rule.CORRELATED_TWICE, f"message {key}, process {process}: at {places}")
        for (key, process), places in effects.correlations.items()
        if len(places) > 1
    ]


def _out_of_order(history: Sequence[Operation], effects: Effects) -> list[Violation]:
    """A partition's log is one order, in which what had ended before another began comes first.

    Only acknowledged operations have an end that is known; each is the one that its effect is of.
    """
    done = {(o.kind, o.subject): o for o in history if o.outcome is Outcome.OK}
    ordered = sorted(effects.every, key=_place)
    found = []
    latest: dict[int, Operation] = {}
    for effect in ordered:
        operation = done.get((effect.kind, effect.subject))
        if operation is None:
            continue
        before = latest.get(effect.place[0])
        if before is not None and operation.end_s < before.begin_s:
            what = f"{_said(operation)} after {_said(before)}, in partition {effect.place[0]}"
            found.append(Violation(Rule.OUT_OF_ORDER, what))
        if before is None or operation.begin_s > before.begin_s:
            latest[effect.place[0]] = operation
    return found


def _place(effect: Effect) -> tuple[int, int]:
    return effect.place


def _said(operation: Operation) -> str:
    reason = f" ({operation.reason})" if operation.reason else ""
    return f"{operation.kind.value} {operation.subject}{reason}"
