"""What an exporter's host makes of its broker: it was too slow, and the log no longer has what
comes next; or the broker is gone before it has begun.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.client.conftest import HASTY, ScriptedBroker

from grevy.broker.exporter_host import ExporterHost, HostOrder, Reporter
from grevy.client import Client
from grevy.exporting import ExporterSettings, ExporterStatus
from grevy.protocol.codec import encode_entry
from grevy.protocol.intents import JobIntent, RecordType
from grevy.protocol.messages import (
    AcknowledgeRecords,
    ErrorCode,
    OpenRecordSubscription,
    RecordPush,
    SubscriptionClosed,
    SubscriptionOpened,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import JobValue

PATIENCE_S: Final = 20
COMPACTED: Final = 8


class Told(Reporter):
    """Keeps every status, also those that are no news to a broker."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.last: ExporterStatus | None = None

    def report(self, status: ExporterStatus, now_s: float) -> float:
        self.last = status
        return super().report(status, now_s)


def entry(position: int) -> bytes:
    """An entry of one record, as it lies in the log."""
    record = Record(RecordType.EVENT, JobIntent.COMPLETED, 1, JobValue())
    return encode_entry(Entry(1, 1_700_000_000_000, position, position, (record,)))


async def wait_acknowledged(broker: ScriptedBroker, position: int) -> None:
    await broker.wait_until(
        lambda: any(said.position == position for said in broker.all(AcknowledgeRecords))
    )


async def overtake(folder: Path, reporter: Reporter) -> None:
    broker = ScriptedBroker()
    settings = ExporterSettings("lines", "json-lines", {"path": str(folder)})
    async with await Client.connect(broker.endpoint, options=HASTY) as client:
        host = ExporterHost(client, HostOrder(broker.endpoint, 1, settings), reporter)
        running = asyncio.ensure_future(host.run())
        (first,) = await broker.wait_for(OpenRecordSubscription)
        broker.push(first.subscription, SubscriptionOpened(first.subscription, 0, b""))
        broker.push(first.subscription, RecordPush(first.subscription, (entry(1),), 1))
        await wait_acknowledged(broker, 1)

        closed = SubscriptionClosed(first.subscription, ErrorCode.UNAVAILABLE, "compacted")
        broker.push(first.subscription, closed)
        _, second = await broker.wait_for(OpenRecordSubscription, 2)
        assert second.from_position == 2
        opened = SubscriptionOpened(second.subscription, 1 + COMPACTED, b"")
        broker.push(second.subscription, opened)
        found = 2 + COMPACTED
        broker.push(second.subscription, RecordPush(second.subscription, (entry(found),), found))
        await wait_acknowledged(broker, found)

        host.stop()
        await running
    broker.close()


def test_an_exporter_that_was_overtaken_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    asyncio.run(asyncio.wait_for(overtake(tmp_path, told), PATIENCE_S))

    assert told.last is not None
    assert told.last.lost_records == COMPACTED
    assert "exporter lines was too slow" in caplog.text


def test_a_host_that_has_not_begun_ends_with_its_broker(tmp_path: Path) -> None:
    async def story() -> None:
        broker = ScriptedBroker()
        settings = ExporterSettings("lines", "json-lines", {"path": str(tmp_path)})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "grevy.broker.exporter_host"), stdin=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(HostOrder(broker.endpoint, 1, settings)) + b"\n")
        await broker.wait_for(OpenRecordSubscription)
        process.stdin.close()
        assert await process.wait() == 0
        broker.close()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
