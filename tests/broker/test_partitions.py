"""A broker with several partitions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest
from tests.engine.partition_workload import catching

from grevy.broker.config import BrokerConfig
from grevy.broker.plans import WrongSettings
from grevy.broker.server import Broker
from grevy.client import Client, run
from grevy.protocol.keys import partition_of, partition_of_correlation_key

PARTITIONS: Final = 3


async def _started(folder: Path, partitions: int = PARTITIONS) -> Broker:
    config = BrokerConfig(data=folder, port=0, partitions=partitions)
    broker = Broker(config, asyncio.get_running_loop())
    await broker.start()
    return broker


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    async def act() -> None:
        await (await _started(tmp_path)).stop()
        with pytest.raises(
            WrongSettings, match="with 3 partitions of 1 replicas, but the settings"
        ):
            await _started(tmp_path, 2)
        await (await _started(tmp_path)).stop()

    run(act())


def test_definitions_and_messages_reach_all_partitions(tmp_path: Path) -> None:
    """Instances of each partition wait for messages that are spread over all of them."""

    async def wait_deployed(client: Client) -> None:
        """A deployment is answered before the others have it; the client then asks the first."""
        found: set[int] = set()
        while len(found) < PARTITIONS:
            found.add(partition_of((await client.create_instance("p")).key))

    async def act() -> None:
        broker = await _started(tmp_path)
        async with await Client.connect(broker.endpoint) as client, asyncio.timeout(60):
            await client.deploy(("p.bpmn", catching("p", "paid").encode()))
            keys = [f"key{number}" for number in range(12)]
            await wait_deployed(client)
            create = client.create_instance_with_result
            instances = [asyncio.create_task(create("p", variables={"key": key})) for key in keys]
            for key in keys:
                await client.publish_message("paid", key, variables={"of": key})
            ended = await asyncio.gather(*instances)
        await broker.stop()
        assert [one.variables for one in ended] == [{"key": key, "of": key} for key in keys]
        assert {partition_of(one.key) for one in ended} == set(range(1, PARTITIONS + 1))
        assert len({partition_of_correlation_key(key, PARTITIONS) for key in keys}) == PARTITIONS

    run(act())
