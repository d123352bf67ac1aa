"""The processor of deployments."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from grevy.bpmn import InvalidModel, compile_processes
from grevy.bpmn.model import Element, Process
from grevy.engine.behaviors.base import Stuck
from grevy.engine.behaviors.events import create_timer
from grevy.engine.behaviors.expressions import evaluate_text
from grevy.engine.behaviors.process_starts import root_value
from grevy.engine.behaviors.timers import Due, evaluate_timer
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    DeploymentIntent,
    MessageStartEventSubscriptionIntent,
    ProcessIntent,
    RejectionType,
    TimerIntent,
)
from grevy.protocol.limits import RESOURCE_BYTES_MAX
from grevy.protocol.values import (
    DeploymentValue,
    MessageStartEventSubscriptionValue,
    ProcessMetadata,
    ProcessValue,
    ResourceFile,
)


class _Refused(Exception):
    """The deployment has faults; the text lists them."""


class _Definition(NamedTuple):
    """A process of the deployment, with when its start timers first fire and the messages its start
    events wait for.
    """

    file: ResourceFile
    checksum: bytes
    model: Process
    timers: list[tuple[Element, Due]]
    messages: list[tuple[Element, str]]


def create_deployment(step: Step, command: Command) -> None:
    """Deploys files: all of them or none. What is not new at all keeps its keys and versions."""
    value = command.value
    assert isinstance(value, DeploymentValue), value
    try:
        definitions = _read(step, value.resources)
    except _Refused as refused:
        step.reject(command, RejectionType.INVALID_ARGUMENT, str(refused))
        return
    key = step.next_key()
    is_new = any(not _is_known(step, definition) for definition in definitions)
    metadata = [
        _deploy(step, definition, key) if is_new else _known(step, definition)
        for definition in definitions
    ]
    created = DeploymentValue(processes_metadata=tuple(metadata), deployment_key=key)
    step.event(DeploymentIntent.CREATED, key, created)
    step.answer(DeploymentIntent.CREATED, key, created)
    if is_new:
        for definition, entry in zip(definitions, metadata, strict=True):
            _open_starts(step, definition, entry)


def _read(step: Step, files: tuple[ResourceFile, ...]) -> list[_Definition]:
    if not files:
        raise _Refused("Expected to deploy at least one resource, but none was given")
    faults: list[str] = []
    definitions: list[_Definition] = []
    names: set[str] = set()
    for file in files:
        if file.resource_name in names:
            faults.append(f"'{file.resource_name}': the name stands twice in this deployment")
        names.add(file.resource_name)
        try:
            definitions.extend(_read_file(step, file))
        except InvalidModel as error:
            faults.append(error.report)
        except _Refused as error:
            faults.append(str(error))
    faults.extend(_duplicates(definitions))
    if faults:
        report = "\n".join(faults)
        raise _Refused(
            f"Expected to deploy new resources, but encountered the following errors:\n{report}"
        )
    return definitions


def _read_file(step: Step, file: ResourceFile) -> list[_Definition]:
    name = file.resource_name
    if not name.endswith((".bpmn", ".xml")):
        raise _Refused(
            f"'{name}': expected a file that ends in .bpmn or .xml; other kinds are not supported"
        )
    if len(file.resource) > RESOURCE_BYTES_MAX:
        size = len(file.resource)
        raise _Refused(f"'{name}': {size} bytes are more than the limit of {RESOURCE_BYTES_MAX}")
    checksum = hashlib.md5(file.resource, usedforsecurity=False).digest()
    return [
        _evaluate_starts(step, file, checksum, model)
        for model in compile_processes(name, file.resource)
    ]


def _evaluate_starts(
    step: Step, file: ResourceFile, checksum: bytes, model: Process
) -> _Definition:
    timers, messages = [], []
    for start in reversed(model.root.start_events):  # the order in which Zeebe opens them
        try:
            if start.timer is not None:
                timers.append((start, evaluate_timer(step, start.timer, -1)))
            elif start.message is not None:
                messages.append((start, evaluate_text(step, start.message.name, -1)))
        except Stuck as stuck:
            raise _Refused(
                f"'{file.resource_name}': - Element: {start.id}\n - ERROR: {stuck.message}"
            ) from None
    return _Definition(file, checksum, model, timers, messages)


def _duplicates(definitions: list[_Definition]) -> list[str]:
    seen: dict[str, str] = {}
    faults = []
    for definition in definitions:
        process_id, name = definition.model.id, definition.file.resource_name
        if process_id in seen:
            faults.append(
                f"'{name}': the process id '{process_id}' is taken by '{seen[process_id]}'"
            )
        seen.setdefault(process_id, name)
    return faults


def _latest(step: Step, definition: _Definition) -> ProcessValue | None:
    return step.views.processes.find(definition.model.id)


def _is_known(step: Step, definition: _Definition) -> bool:
    latest = _latest(step, definition)
    return (
        latest is not None
        and latest.checksum == definition.checksum
        and latest.resource_name == definition.file.resource_name
    )


def _known(step: Step, definition: _Definition) -> ProcessMetadata:
    latest = _latest(step, definition)
    assert latest is not None, definition.model.id
    return _metadata(latest, is_duplicate=True)


def _metadata(value: ProcessValue, *, is_duplicate: bool) -> ProcessMetadata:
    return ProcessMetadata(
        bpmn_process_id=value.bpmn_process_id,
        version=value.version,
        process_definition_key=value.process_definition_key,
        resource_name=value.resource_name,
        checksum=value.checksum,
        duplicate=is_duplicate,
        deployment_key=value.deployment_key,
        version_tag=value.version_tag,
    )


def _deploy(step: Step, definition: _Definition, deployment_key: int) -> ProcessMetadata:
    model = definition.model
    key = step.next_key()
    value = ProcessValue(
        bpmn_process_id=model.id,
        version=step.views.processes.latest_version(model.id) + 1,
        process_definition_key=key,
        resource_name=definition.file.resource_name,
        resource=definition.file.resource,
        checksum=definition.checksum,
        deployment_key=deployment_key,
        version_tag=model.version_tag,
    )
    step.event(ProcessIntent.CREATED, key, value)
    return _metadata(value, is_duplicate=False)


def _open_starts(step: Step, definition: _Definition, entry: ProcessMetadata) -> None:
    """Only the newest version's start events wait."""
    key = entry.process_definition_key
    if entry.version > 1:
        previous = step.views.processes.find(entry.bpmn_process_id, entry.version - 1)
        if previous is not None:
            _close_starts(step, previous.process_definition_key)
    for start, name in definition.messages:
        subscription = MessageStartEventSubscriptionValue(
            process_definition_key=key,
            bpmn_process_id=entry.bpmn_process_id,
            start_event_id=start.id,
            message_name=name,
        )
        intent = MessageStartEventSubscriptionIntent.CREATED
        step.event(intent, step.next_key(), subscription)
    process = step.views.processes.get(key)
    assert process is not None, key
    for start, due in definition.timers:
        create_timer(step, start, due, root_value(process, -1), -1)


def _close_starts(step: Step, process_definition_key: int) -> None:
    for subscription in step.views.subscriptions.start_events_of(process_definition_key):
        intent = MessageStartEventSubscriptionIntent.DELETED
        step.event(intent, subscription.key, subscription.value)
    for timer in step.views.timers.of(-process_definition_key):
        step.event(TimerIntent.CANCELED, timer.key, timer.value)
