"""The tools that are used on brokers do what they say, tried on echo servers."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.chaos.processes import (
    BrokerEnded,
    ClusterProcesses,
    Layout,
    Node,
    command_of,
    config_of,
)

from grevy.broker.cli.launching import broker_options

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals as Linux has them")


def echo_command(node: Node, layout: Layout, contact_points: Sequence[str]) -> list[str]:
    """An echo server in the place of a broker."""
    program = str(ROOT / "tests/chaos/echo.py")
    return [sys.executable, program, *broker_options(config_of(node, layout, contact_points))]


def echoes(tmp_path: Path, brokers: int = 1) -> ClusterProcesses:
    """A cluster of echo servers."""
    return ClusterProcesses(Layout(tmp_path, brokers=brokers), command=echo_command)


class Talk:
    """A connection to an echo server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, endpoint: str) -> Talk:
        """Connects to "tcp://host:port"."""
        host, port = endpoint.removeprefix("tcp://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    def say(self, word: bytes) -> None:
        """Sends."""
        self._writer.write(word)

    async def hear(self, word: bytes) -> None:
        """Waits for the echo."""
        assert await self._reader.readexactly(len(word)) == word

    async def echo(self, word: bytes) -> None:
        """Sends, and waits for the echo."""
        self.say(word)
        await self.hear(word)

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


def starts(cluster: ClusterProcesses, node_id: int) -> int:
    """How often a broker was started in the folder that it has."""
    return len((cluster.nodes[node_id].data / "starts").read_text().splitlines())


def test_all_start_and_answer_where_they_say(tmp_path: Path) -> None:
    async def main() -> None:
        async with echoes(tmp_path, brokers=3) as cluster:
            await cluster.start_all()
            assert sorted(cluster.running) == [1, 2, 3]
            for node in cluster.nodes.values():
                assert cluster.endpoints[node.node_id] == f"tcp://127.0.0.1:{node.port}"
                for port in (node.port, node.cluster_port):
                    talk = await Talk.to(f"tcp://127.0.0.1:{port}")
                    await talk.echo(b"hello")
                    talk.close()
            assert await cluster.stop(2) == -signal.SIGTERM
            assert sorted(cluster.running) == [1, 3]
        assert cluster.running == []

    asyncio.run(main())


def test_killed_and_started_again_at_the_same_place(tmp_path: Path) -> None:
    async def main() -> None:
        async with echoes(tmp_path) as cluster:
            first = await cluster.start(1)
            await cluster.kill(1)
            assert cluster.running == []
            with pytest.raises(ConnectionError):
                await Talk.to(first)
            assert await cluster.start(1) == first
            assert starts(cluster, 1) == 2

    asyncio.run(main())


def test_wiped(tmp_path: Path) -> None:
    async def main() -> None:
        async with echoes(tmp_path) as cluster:
            await cluster.start(1)
            await cluster.kill(1)
            cluster.wipe(1)
            await cluster.start(1)
            assert starts(cluster, 1) == 1

    asyncio.run(main())


def test_frozen_it_answers_nothing_until_it_thaws(tmp_path: Path) -> None:
    async def main() -> None:
        async with echoes(tmp_path) as cluster:
            talk = await Talk.to(await cluster.start(1))
            await talk.echo(b"before")
            pause = asyncio.create_task(cluster.pause(1, 0.2))
            await asyncio.sleep(0)  # until it is stopped
            talk.say(b"late")
            heard = asyncio.create_task(talk.hear(b"late"))
            done, _ = await asyncio.wait({pause, heard}, return_when=asyncio.FIRST_COMPLETED)
            assert done == {pause}
            await heard
            talk.close()

    asyncio.run(main())


def test_killed_while_frozen(tmp_path: Path) -> None:
    async def main() -> None:
        async with echoes(tmp_path) as cluster:
            await cluster.start(1)
            cluster.freeze(1)
            await cluster.kill(1)
            assert cluster.running == []
            await cluster.start(1)
            assert starts(cluster, 1) == 2

    asyncio.run(main())


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    def no_such_option(node: Node, layout: Layout, contact_points: Sequence[str]) -> list[str]:
        return [*echo_command(node, layout, contact_points), "--no-such-option"]

    async def main() -> None:
        layout = Layout(tmp_path, brokers=1)
        async with ClusterProcesses(layout, command=no_such_option) as cluster:
            with pytest.raises(BrokerEnded, match="--no-such-option"):
                await cluster.start(1)

    asyncio.run(main())


def test_a_broker_is_given_the_whole_cluster(tmp_path: Path) -> None:
    layout = Layout(tmp_path, brokers=2, partitions=5, replication_factor=2)
    node, other = ClusterProcesses(layout).nodes.values()

    command = command_of(node, layout, ["127.0.0.1:1", "127.0.0.1:2"])

    assert command[1:5] == ["-m", "grevy.broker", "broker", "--json"]
    assert set(command[5:]) == {
        "--cluster-size=2",
        "--contact-points=127.0.0.1:1,127.0.0.1:2",
        f"--port={node.port}",
        f"--cluster-port={node.cluster_port}",
        "--partitions=5",
        "--replication-factor=2",
        f"--data={tmp_path / 'broker-1'}",
    }
    assert len({node.port, node.cluster_port, other.port, other.cluster_port}) == 4
