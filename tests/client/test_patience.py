"""What a client does about refusals, silence and lost brokers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grevy.client import Client, ClientOptions, Overloaded, RequestTimeout, Unavailable
from grevy.protocol.intents import ProcessInstanceCreationIntent
from grevy.protocol.messages import (
    ClusterRequest,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    ServerItem,
    TopologyRequest,
)
from grevy.protocol.record import Answer

CREATE = ProcessInstanceCreationIntent.CREATE
BRIEF = ClientOptions(
    request_timeout_s=0.4, try_timeout_s=0.2, backoff_min_s=0.01, backoff_max_s=0.05
)


def refuse(code: ErrorCode) -> Any:
    """Refuses every command."""
    return lambda request: [ErrorReply(request.number, code, "IN_FLIGHT_MAX is reached", 20)]


async def test_a_refusal_for_load_is_tried_again_under_its_number(
    connected: Any, created: Any
) -> None:
    def refuse_twice(request: CommandRequest) -> list[ServerItem]:
        if len(broker.commands) <= 2:
            return [ErrorReply(request.number, ErrorCode.RESOURCE_EXHAUSTED, "load", 20)]
        return [CommandReply(request.number, Answer(int(CREATE) + 1, 77, created))]

    async with connected() as (broker, client):
        broker.scripts[CREATE] = refuse_twice
        instance = await client.create_instance("order")
        assert instance.key == created.process_instance_key
        assert len(broker.commands) == 3
        assert len({command.number for command in broker.commands}) == 1
        assert client.statistics() == {"in_flight": 0, "retries": 2, "stale_replies": 0}


async def test_a_broker_that_stays_overloaded_is_told_of_with_its_words(connected: Any) -> None:
    async with connected(BRIEF) as (broker, client):
        broker.scripts[CREATE] = refuse(ErrorCode.RESOURCE_EXHAUSTED)
        with pytest.raises(Overloaded, match="IN_FLIGHT_MAX is reached"):
            await client.create_instance("order")
        assert len(broker.commands) > 1


async def test_no_leader_in_time_is_unavailable(connected: Any) -> None:
    async with connected(BRIEF) as (broker, client):
        broker.scripts[CREATE] = refuse(ErrorCode.NOT_LEADER)
        with pytest.raises(Unavailable):
            await client.create_instance("order")


async def test_silence_is_a_timeout_that_names_the_command(connected: Any) -> None:
    async with connected(BRIEF) as (_, client):
        with pytest.raises(RequestTimeout, match="PROCESS_INSTANCE_CREATION CREATE on partition 1"):
            await client.create_instance("order")


async def test_new_work_goes_where_a_leader_can_be_reached(scripted: Any, created: Any) -> None:
    async with scripted(partitions=3) as broker, scripted(partitions=3) as gone:
        for each in (broker, gone):
            each.leaders |= {1: (broker.endpoint, 1), 2: (gone.endpoint, 1), 3: (gone.endpoint, 1)}
            each.answer(CREATE, created)
        async with await Client.connect(gone.endpoint, broker.endpoint) as client:
            notices = asyncio.ensure_future(client.cluster.status())
            await gone.wait_for(ClusterRequest)
            gone.close()
            with pytest.raises(Unavailable, match="lost"):
                await notices
            for _ in range(4):
                await client.create_instance("order")
            assert [command.partition_id for command in broker.commands] == [1, 1, 1, 1]


async def test_a_client_asks_who_leads_instead_of_a_lost_leader(
    scripted: Any, created: Any
) -> None:
    """Also when nothing is under way there, and there is no work for it."""
    async with scripted(partitions=2) as broker, scripted(partitions=2) as gone:
        for each in (broker, gone):
            each.leaders |= {1: (broker.endpoint, 1), 2: (gone.endpoint, 1)}
        broker.answer(CREATE, created)
        options = ClientOptions(topology_s=3_600)
        async with await Client.connect(gone.endpoint, broker.endpoint, options=options) as client:
            notices = asyncio.ensure_future(client.cluster.status())
            await gone.wait_for(ClusterRequest)
            gone.close()
            with pytest.raises(Unavailable, match="lost"):
                await notices
            asked = len(broker.all(TopologyRequest))
            await broker.wait_for(TopologyRequest, asked + 3)
            broker.leaders[2] = (broker.endpoint, 2)
            while 2 not in {command.partition_id for command in broker.commands}:
                await client.create_instance("order")


async def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        await Client.connect("127.0.0.1:1", options=ClientOptions(request_timeout_s=0.1))


@pytest.mark.parametrize("wrong", ["", "two words", "host:", "host:0", "host:99999", "ipc://x"])
async def test_what_is_no_contact_point_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="contact point"):
        await Client.connect("127.0.0.1", wrong)
