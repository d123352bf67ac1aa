"""Plays a trace's steps on an in-process engine and keeps what came of them.

Keys never appear in a trace: its steps name things ("the oldest open incident"), and the player
finds them in the records so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from grevy.protocol.intents import (
    DeploymentIntent,
    Intent,
    RejectionType,
    SignalIntent,
)
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.values import (
    DecisionRequirementsMetadata,
    DecisionValue,
    DeploymentValue,
    ProcessMetadata,
    ResourceFile,
    SignalValue,
    Value,
)
from grevy.testing import InProcessEngine, NoJob, NoResult, Rejected

Answer = dict[str, Any]
Step = dict[str, Any]

NO_SUCH_KEY: Final = 99

GRPC: Final = {
    RejectionType.INVALID_ARGUMENT: "INVALID_ARGUMENT",
    RejectionType.NOT_FOUND: "NOT_FOUND",
    RejectionType.ALREADY_EXISTS: "ALREADY_EXISTS",
    RejectionType.INVALID_STATE: "FAILED_PRECONDITION",
    RejectionType.PROCESSING_ERROR: "INTERNAL",
    RejectionType.EXCEEDED_BATCH_RECORD_SIZE: "INTERNAL",
    RejectionType.UNAUTHORIZED: "UNAUTHENTICATED",
    RejectionType.FORBIDDEN: "PERMISSION_DENIED",
    RejectionType.RESOURCE_EXHAUSTED: "RESOURCE_EXHAUSTED",
}
"""The status that a client of the gateway sees for a rejection."""

OPEN_JOB: Final = (
    "CREATED",
    "TIMED_OUT",
    "RECURRED_AFTER_BACKOFF",
    "YIELDED",
    "RETRIES_UPDATED",
    "FAILED",
)
"""After these a job is open, as the recording's own player counted."""


class Player:
    """One run of one trace.

    `answers` has one a step; `records` are exported ones with the number of their step.
    """

    def __init__(self, trace: dict[str, Any]) -> None:
        self._files: dict[str, str] = trace["resources"]
        self._steps: list[Step] = trace["steps"]
        self._engine = InProcessEngine()
        self._seen = 0
        self._exported: list[dict[str, Any]] = []
        self.answers: list[Answer] = []
        self.records: list[tuple[int, dict[str, Any]]] = []

    def play(self) -> None:
        """Plays all steps."""
        for number, step in enumerate(self._steps):
            self.answers.append(self._play(step))
            for record in self._engine.records[self._seen :]:
                exported = record.exported()
                self._exported.append(exported)
                self.records.append((number, exported))
            self._seen = len(self._engine.records)

    @property
    def entries(self) -> list[bytes]:
        """The engine's log."""
        return self._engine.entries

    def _play(self, step: Step) -> Answer:
        do: Callable[[Step], object] | None = getattr(self, f"_do_{step['do']}", None)
        if do is None:
            return {"error": "UNIMPLEMENTED"}
        try:
            return {"ok": do(step)}
        except Rejected as rejected:
            return {"error": GRPC[rejected.rejection_type]}
        except (NoJob, NoResult) as error:
            return {"error": type(error).__name__}

    # The steps, by the names that traces give them.

    def _do_deploy(self, step: Step) -> list[object]:
        files = [ResourceFile(name, self._files[name].encode()) for name in step["resources"]]
        command = DeploymentValue(tuple(files))
        deployed = self._engine.execute(DeploymentIntent.CREATE, -1, command).value
        assert isinstance(deployed, DeploymentValue), deployed
        return [
            *(["process", _deployed(process)] for process in deployed.processes_metadata),
            *(["decision", _deployed_decision(one)] for one in deployed.decisions_metadata),
            *(
                ["decisionRequirements", _deployed_graph(graph)]
                for graph in deployed.decision_requirements_metadata
            ),
        ]

    def _do_create(self, step: Step) -> object:
        process, variables = step["process"], step.get("variables")
        version, start_before = step.get("version", -1), step.get("start_before") or ()
        if not step.get("with_result"):
            self._engine.create(process, variables, version=version, start_before=start_before)
            return None
        awaited = self._engine.create_with_result(
            process,
            variables,
            version=version,
            fetch_variables=step.get("fetch") or (),
            start_before=start_before,
        )
        return {"variables": awaited.result()}

    def _do_activate(self, step: Step) -> list[object]:
        jobs = self._activate(step, step.get("max", 32))
        return [
            {
                "elementId": job.element_id,
                "retries": job.retries,
                "variables": msgspec.json.decode(job.variables),
                "headers": msgspec.json.decode(job.custom_headers),
            }
            for job in jobs
        ]

    def _do_complete(self, step: Step) -> None:
        self._engine.complete(self._job(step), step.get("variables"))

    def _do_fail(self, step: Step) -> None:
        """Without the variables: the gateway of the recordings did not pass them on."""
        self._engine.fail(
            self._job(step),
            retries=step.get("retries", 0),
            backoff_ms=step.get("backoff", 0),
            message=step.get("message", "broken"),
        )

    def _do_throw(self, step: Step) -> None:
        job, message = self._job(step), step.get("message", "")
        self._engine.throw_error(job, step["code"], message, step.get("variables"))

    def _do_retries(self, step: Step) -> None:
        self._engine.update_retries(self._open_job(step), step["retries"])

    def _do_job_timeout(self, step: Step) -> None:
        self._engine.update_timeout(self._open_job(step), step["timeout"])

    def _do_publish(self, step: Step) -> None:
        self._engine.publish(
            step["name"],
            step.get("key", ""),
            step.get("variables"),
            ttl_ms=step.get("ttl", 0),
            message_id=step.get("id", ""),
        )

    def _do_signal(self, step: Step) -> None:
        variables = msgspec.json.encode(step.get("variables") or {})
        self._execute(SignalIntent.BROADCAST, -1, SignalValue(step["name"], variables))

    def _do_time(self, step: Step) -> None:
        self._engine.increase_time(step["seconds"], at_once=True)

    def _do_resolve(self, step: Step) -> None:
        keys = self._open("INCIDENT", ("CREATED",), ("RESOLVED",))
        self._engine.resolve_incident(keys[step.get("nth", 0) % len(keys)] if keys else NO_SUCH_KEY)

    def _do_cancel(self, step: Step) -> None:
        keys, place = self._engine.records.instances(), step.get("instance", 0)
        self._engine.cancel(keys[place] if place < len(keys) else NO_SUCH_KEY)

    def _do_set(self, step: Step) -> None:
        begin = ("ELEMENT_ACTIVATING", "ELEMENT_ACTIVATED")
        end = ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED")
        keys = self._open("PROCESS_INSTANCE", begin, end, elementId=step["element"])
        scope, is_local = keys[-1] if keys else NO_SUCH_KEY, step.get("local", False)
        self._engine.set_variables(scope, step["variables"], local=is_local)

    def _do_evaluate(self, step: Step) -> Answer:
        """What did not fail has no `failed`, as in the recordings."""
        outcome = self._engine.evaluate_decision(step["decision"], step.get("variables"))
        answer = {"output": outcome.value.decision_output.decode()}
        failed = outcome.failed_decision_id
        return {**answer, "failed": failed} if failed else answer

    def _do_delete(self, step: Step) -> None:
        if "process" in step:
            process, version = step["process"], step.get("version", 1)
            made = self._events("PROCESS", ("CREATED",), bpmnProcessId=process, version=version)
        else:
            graph, kind = step["decision"], "DECISION_REQUIREMENTS"
            made = self._events(kind, ("CREATED",), decisionRequirementsId=graph)
        self._engine.delete(made[0]["key"] if made else NO_SUCH_KEY)

    # What steps name, found in the records.

    def _execute(self, intent: Intent, key: int, value: Value) -> None:
        self._engine.execute(intent, key, value)

    def _activate(self, step: Step, limit: int) -> list[ActivatedJob]:
        return self._engine.activate_jobs(
            step["type"],
            limit,
            timeout_ms=step.get("timeout", 300_000),
            worker="w",
            fetch_variables=step.get("fetch") or (),
        )

    def _job(self, step: Step) -> int:
        """The job that a step works on, activated if it does not say otherwise."""
        if not step.get("activate", True):
            return self._open_job(step)
        jobs = self._activate(step, 1)
        if not jobs:
            raise NoJob(step["type"])
        return jobs[0].key

    def _open_job(self, step: Step) -> int:
        end = ("COMPLETED", "CANCELED", "ERROR_THROWN")
        keys = self._open("JOB", OPEN_JOB, end, type=step["type"])
        if keys:
            return int(keys[step.get("nth", 0) % len(keys)])
        made: list[int] = [r["key"] for r in self._events("JOB", ("CREATED",), type=step["type"])]
        return made[-1] if made else NO_SUCH_KEY

    def _events(
        self, value_type: str, intents: Sequence[str], **fields: object
    ) -> list[dict[str, Any]]:
        return [
            record
            for record in self._exported
            if record["valueType"] == value_type
            and record["recordType"] == "EVENT"
            and record["intent"] in intents
            and all(record["value"][name] == wanted for name, wanted in fields.items())
        ]

    def _open(
        self, value_type: str, begin: Sequence[str], end: Sequence[str], **fields: object
    ) -> list[int]:
        """Keys of what began and has not ended, in the order of the beginning."""
        live: dict[int, None] = {}
        for record in self._events(value_type, (*begin, *end)):
            if record["intent"] in end:
                live.pop(record["key"], None)
            elif all(record["value"][name] == wanted for name, wanted in fields.items()):
                live[record["key"]] = None
        return list(live)


def _deployed(process: ProcessMetadata) -> dict[str, object]:
    return {
        "bpmnProcessId": process.bpmn_process_id,
        "version": process.version,
        "resourceName": process.resource_name,
    }


def _deployed_decision(decision: DecisionValue) -> dict[str, object]:
    return {
        "dmnDecisionId": decision.decision_id,
        "dmnDecisionName": decision.decision_name,
        "version": decision.version,
        "dmnDecisionRequirementsId": decision.decision_requirements_id,
    }


def _deployed_graph(graph: DecisionRequirementsMetadata) -> dict[str, object]:
    return {
        "dmnDecisionRequirementsId": graph.decision_requirements_id,
        "dmnDecisionRequirementsName": graph.decision_requirements_name,
        "version": graph.decision_requirements_version,
        "resourceName": graph.resource_name,
    }
