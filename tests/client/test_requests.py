"""Commands as they arrive at the broker, and what comes back."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from grevy.client import (
    BadRequest,
    ClientClosed,
    ClientError,
    ClientOptions,
    Deployment,
    Instance,
    Job,
    NotFound,
    Partition,
    Process,
    Rejected,
    TooLarge,
    Topology,
    UnknownPartition,
)
from grevy.client.errors import REJECTIONS
from grevy.protocol.intents import (
    DeploymentIntent,
    IncidentIntent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RejectionType,
    VariableDocumentIntent,
    VariableDocumentUpdateSemantic,
)
from grevy.protocol.keys import key_of, partition_of_correlation_key
from grevy.protocol.limits import DOCUMENT_BYTES_MAX, RESOURCE_BYTES_MAX
from grevy.protocol.messages import ActivatedJob, CommandReply, CommandRequest, Heartbeat, JobPush
from grevy.protocol.record import Answer
from grevy.protocol.values import (
    DeploymentValue,
    JobBatchValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessMetadata,
    VariableDocumentValue,
)

CREATE = ProcessInstanceCreationIntent.CREATE


def job(key: int, variables: bytes = b"{}") -> ActivatedJob:
    return ActivatedJob(
        key, "pay", "me", 3, 99, 5, b'{"a":"b"}', variables, "task", 4, "order", 1, 8, 2
    )


async def test_create_instance(connected: Any, created: Any) -> None:
    async with connected() as (broker, client):
        broker.answer(CREATE, created)
        instance = await client.create_instance("order", variables={"n": 1}, version=3)
        assert instance == Instance(2251799813685249, "order", 3, 8)
        (command,) = broker.commands
        assert (command.partition_id, command.key) == (1, -1)
        assert command.value == ProcessInstanceCreationValue(
            bpmn_process_id="order", version=3, variables=b'{"n":1}'
        )


async def test_variables_as_bytes_are_taken_as_they_are(connected: Any, created: Any) -> None:
    async with connected() as (broker, client):
        broker.answer(CREATE, created)
        await client.create_instance(key=8, variables=b'{ "a" : 1.50 }', start_before=["e"])
        assert broker.commands[0].value == ProcessInstanceCreationValue(
            process_definition_key=8, variables=b'{ "a" : 1.50 }', start_instructions=("e",)
        )


async def test_deploy_reads_files(connected: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.bpmn"
    path.write_bytes(b"<a/>")
    metadata = (ProcessMetadata("a", 2, 8, "a.bpmn", b"m"),)
    async with connected() as (broker, client):
        broker.answer(DeploymentIntent.CREATE, DeploymentValue((), metadata), key=5)
        deployment = await client.deploy(path, ("b.bpmn", b"<b/>"))
        assert deployment == Deployment(5, (Process("a", 2, 8, "a.bpmn"),))
        files = [(f.resource_name, f.resource) for f in broker.commands[0].value.resources]
        assert files == [("a.bpmn", b"<a/>"), ("b.bpmn", b"<b/>")]


async def test_publish_message_goes_by_its_correlation_key(connected: Any) -> None:
    async with connected(partitions=3) as (broker, client):
        broker.answer(MessageIntent.PUBLISH, key=31)
        for correlation_key in ("a", "b", "order-17"):
            ttl = timedelta(minutes=1)
            key = await client.publish_message("paid", correlation_key, time_to_live=ttl)
            assert key == 31
            command = broker.commands[-1]
            assert command.partition_id == partition_of_correlation_key(correlation_key, 3)
            assert command.value == MessageValue("paid", correlation_key, "", 60_000)


async def test_what_exists_is_asked_of_the_partition_of_its_key(connected: Any) -> None:
    key = key_of(2, 40)
    async with connected(partitions=3) as (broker, client):
        for intent in (
            ProcessInstanceIntent.CANCEL,
            IncidentIntent.RESOLVE,
            VariableDocumentIntent.UPDATE,
        ):
            broker.answer(intent)
        await client.cancel_instance(key)
        await client.resolve_incident(key)
        await client.set_variables(key, {"x": 1}, local=True)
        assert {(command.partition_id, command.key) for command in broker.commands} == {(2, key)}
        semantic = VariableDocumentUpdateSemantic.LOCAL
        assert broker.commands[2].value == VariableDocumentValue(key, semantic, b'{"x":1}')


async def test_what_is_said_of_jobs(connected: Any) -> None:
    key = key_of(1, 7)
    mine = Job(job(key))
    async with connected() as (broker, client):
        for intent in JobIntent:
            broker.answer(intent)
        await client.complete_job(mine, {"r": 1})
        await client.complete_job(key)
        await client.fail_job(mine, retries=2, error_message="no", retry_backoff=1.5)
        await client.throw_error(mine, "E1", "why", {"x": 1})
        await client.update_job_retries(key, 4)
        await client.update_job_timeout(mine, 0.5)
        assert [command.value for command in broker.commands] == [
            JobValue(variables=b'{"r":1}', activation=5),
            JobValue(),
            JobValue(retries=2, error_message="no", retry_backoff=1500, activation=5),
            JobValue(error_code="E1", error_message="why", variables=b'{"x":1}', activation=5),
            JobValue(retries=4),
            JobValue(timeout=500),
        ]


async def test_activate_jobs_takes_what_is_pushed_ahead_of_the_answer(connected: Any) -> None:
    def activate(request: CommandRequest) -> list[Any]:
        answer = Answer(int(JobBatchIntent.ACTIVATED), 1, request.value)
        return [
            JobPush(-request.number, (job(1, b'{"n":1}'),)),
            JobPush(-request.number, (job(2),)),
            CommandReply(request.number, answer),
        ]

    async with connected() as (broker, client):
        broker.scripts[JobBatchIntent.ACTIVATE] = activate
        jobs = await client.activate_jobs("pay", worker="me", max_jobs=5, timeout=2)
        assert [j.key for j in jobs] == [1, 2]
        assert (jobs[0].variables, jobs[0].headers) == ({"n": 1}, {"a": "b"})
        expected = JobBatchValue(type="pay", worker="me", timeout=2000, max_jobs_to_activate=5)
        assert broker.commands[0].value == expected


async def test_topology_and_status(connected: Any) -> None:
    async with connected(partitions=2) as (broker, client):
        partitions = tuple(Partition(p, broker.endpoint, 1) for p in (1, 2))
        assert await client.topology() == Topology("test", "1.0", partitions)
        assert await client.status() == {"healthy": True}


async def test_the_partition_of_deployments_knows_what_others_have_not_heard_of(
    connected: Any, created: Any
) -> None:
    async with connected(partitions=3) as (broker, client):
        known = {1}

        def create(request: CommandRequest) -> list[CommandReply]:
            if request.partition_id in known:
                answer = Answer(int(CREATE) + 1, 77, created)
            else:
                answer = Answer(int(CREATE), -1, None, RejectionType.NOT_FOUND, "there is none")
            return [CommandReply(request.number, answer)]

        broker.scripts[CREATE] = create
        for _ in range(3):
            await client.create_instance("p")
        assert sorted(each.partition_id for each in broker.commands) == [1, 1, 1, 2, 3]
        known.clear()
        with pytest.raises(NotFound, match="there is none"):
            await client.create_instance("q")


async def test_creations_take_partitions_in_turn(connected: Any, created: Any) -> None:
    async with connected(partitions=3) as (broker, client):
        broker.answer(CREATE, created)
        for _ in range(6):
            await client.create_instance("order")
        partitions = [command.partition_id for command in broker.commands]
        assert sorted(partitions) == [1, 1, 2, 2, 3, 3]


async def test_requests_of_one_turn_share_a_message(connected: Any, created: Any) -> None:
    async with connected() as (broker, client):
        broker.answer(CREATE, created)
        before = broker.server.statistics().messages_received
        await asyncio.gather(*(client.create_instance("order") for _ in range(50)))
        assert broker.server.statistics().messages_received - before <= 2
        assert [c.number for c in broker.commands] == sorted(c.number for c in broker.commands)


async def test_large_requests_do_not_share_one(connected: Any, created: Any) -> None:
    variables = {"text": "x" * (DOCUMENT_BYTES_MAX - 100)}
    async with connected() as (broker, client):
        broker.answer(CREATE, created)
        creations = (client.create_instance("order", variables=variables) for _ in range(4))
        assert len(await asyncio.gather(*creations)) == 4


@pytest.mark.parametrize("kind", list(RejectionType))
async def test_a_rejection_is_raised_by_its_type(connected: Any, kind: RejectionType) -> None:
    async with connected() as (broker, client):
        refusal = Answer(int(CREATE), -1, None, kind, "Expected better, but no")
        broker.scripts[CREATE] = lambda request: [CommandReply(request.number, refusal)]
        with pytest.raises(Rejected, match="Expected better, but no") as caught:
            await client.create_instance("order")
        assert type(caught.value) is REJECTIONS[kind]
        assert caught.value.type is kind
        assert isinstance(caught.value, ClientError)


async def test_a_key_of_no_partition_is_not_found(connected: Any) -> None:
    async with connected() as (broker, client):
        for key in (-1, 0, 42, key_of(9, 1)):
            with pytest.raises(UnknownPartition, match=str(key)):
                await client.cancel_instance(key)
        assert issubclass(UnknownPartition, NotFound)
        assert broker.commands == []


async def test_too_large_is_told_before_it_is_sent(connected: Any) -> None:
    async with connected() as (broker, client):
        with pytest.raises(TooLarge, match="DOCUMENT_BYTES_MAX"):
            await client.create_instance("order", variables={"x": "y" * DOCUMENT_BYTES_MAX})
        with pytest.raises(TooLarge, match="RESOURCE_BYTES_MAX"):
            await client.deploy(("big.bpmn", bytes(RESOURCE_BYTES_MAX + 1)))
        halves = [(f"{n}.bpmn", bytes(RESOURCE_BYTES_MAX)) for n in range(2)]
        with pytest.raises(TooLarge, match="together"):
            await client.deploy(*halves)
        assert broker.commands == []


async def test_what_cannot_be_written_harms_nothing_else(connected: Any, created: Any) -> None:
    async with connected() as (broker, client):
        broker.answer(CREATE, created)
        results: list[object] = await asyncio.gather(
            client.create_instance("order"),
            client.create_instance("order", version=1 << 70),
            client.create_instance("order"),
            return_exceptions=True,
        )
        good, bad, also_good = results
        assert isinstance(bad, BadRequest)
        assert good == also_good
        assert len(broker.commands) == 2


async def test_an_answer_of_another_kind_is_an_error(connected: Any) -> None:
    async with connected() as (broker, client):
        broker.answer(CREATE, JobValue())
        with pytest.raises(BadRequest, match="ProcessInstanceCreationValue"):
            await client.create_instance("order")


async def test_closing_fails_what_is_under_way(connected: Any) -> None:
    async with connected() as (broker, client):
        creation = asyncio.ensure_future(client.create_instance("order"))
        await broker.wait_for(CommandRequest)
        client.close()
        with pytest.raises(ClientClosed):
            await creation
        with pytest.raises(ClientClosed):
            await client.create_instance("order")
        client.close()
        await broker.wait_until(lambda: len(broker.vanished) == 1)


async def test_a_client_that_nobody_closes_holds_up_nobody(scripted: Any) -> None:
    code = (
        "import asyncio, gc, sys\n"
        "from grevy.client import Client, run\n"
        "async def main():\n"
        "    client = await Client.connect(sys.argv[1])\n"
        "    await client.status()\n"
        "for _ in range(5):\n"
        "    run(main())\n"
        "    gc.collect()\n"
    )
    async with scripted() as broker:
        command = (sys.executable, "-c", code, broker.endpoint)
        forgetful = await asyncio.create_subprocess_exec(*command)
        assert await forgetful.wait() == 0


async def test_a_cancelled_request_is_settled(connected: Any, created: Any) -> None:
    async with connected() as (broker, client):
        creation = asyncio.ensure_future(client.create_instance("order"))
        (command,) = await broker.wait_for(CommandRequest)
        creation.cancel()
        await broker.wait_until(
            lambda: any(h.settled > command.number for h in broker.all(Heartbeat))
        )
        broker.server.send(broker.received[-1][0], CommandReply(command.number, Answer(0, 1)))
        broker.answer(CREATE, created)
        assert await client.create_instance("order")


async def test_no_more_in_flight_than_allowed(connected: Any, created: Any) -> None:
    options = ClientOptions(requests_in_flight_max=3)
    async with connected(options) as (broker, client):
        creations = [asyncio.ensure_future(client.create_instance("order")) for _ in range(8)]
        await broker.wait_for(CommandRequest, 3)
        assert client.statistics()["in_flight"] == 3
        peer = broker.received[-1][0]
        broker.answer(CREATE, created)
        for command in broker.commands:
            broker.server.send(peer, CommandReply(command.number, Answer(int(CREATE), 1, created)))
        assert len(await asyncio.gather(*creations)) == 8
        assert len(broker.commands) == 8
