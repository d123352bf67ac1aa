"""A broker with several partitions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from grevy.broker.config import BrokerConfig
from grevy.broker.server import Broker, WrongPartitions
from grevy.client import run

PARTITIONS: Final = 3


async def _started(folder: Path, partitions: int = PARTITIONS) -> Broker:
    config = BrokerConfig(data=folder, port=0, partitions=partitions)
    broker = Broker(config, asyncio.get_running_loop())
    await broker.start()
    return broker


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    async def act() -> None:
        await (await _started(tmp_path)).stop()
        with pytest.raises(WrongPartitions, match="has partitions 1, 2, 3, but the setting is 2"):
            await _started(tmp_path, 2)
        await (await _started(tmp_path)).stop()

    run(act())
