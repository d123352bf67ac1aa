"""The brokers of a cluster as processes, and what is done to them: killed, stopped for a time,
started again, robbed of their data.

    async with ClusterProcesses(Layout(folder=tmp_path)) as cluster:
        await cluster.start_all()
        await cluster.kill(2)
        await cluster.start(2)
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeAlias

from grevy.broker.cli.launching import broker_command, free_ports
from grevy.broker.config import BrokerConfig

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """One broker: its id, from 1, its folder and where it listens."""

    node_id: int
    data: Path
    host: str
    port: int
    cluster_port: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A cluster. `hosts` are the addresses of its brokers, one each; all on loopback if there are
    none.
    """

    folder: Path
    brokers: int = 3
    partitions: int = 3
    replication_factor: int = 3
    hosts: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment of each broker, beside this process's own."""

    def data(self, node_id: int) -> Path:
        """A broker's folder."""
        return self.folder / f"broker-{node_id}"

    def nodes(self) -> tuple[Node, ...]:
        """The brokers, with ports that are free now."""
        ports = iter(free_ports(2 * self.brokers))
        hosts = self.hosts or ("127.0.0.1",) * self.brokers
        assert len(hosts) == self.brokers, hosts
        return tuple(
            Node(number, self.data(number), host, next(ports), next(ports))
            for number, host in enumerate(hosts, 1)
        )


Command: TypeAlias = Callable[[Node, Layout, Sequence[str]], list[str]]
"""How a broker is started, with the contact points that it is given."""


def config_of(node: Node, layout: Layout, contact_points: Sequence[str]) -> BrokerConfig:
    """The settings of a broker."""
    return BrokerConfig(
        data=node.data,
        host=node.host,
        port=node.port,
        node_id=node.node_id,
        cluster_size=layout.brokers,
        cluster_host=node.host,
        cluster_port=node.cluster_port,
        contact_points=",".join(contact_points),
        partitions=layout.partitions,
        replication_factor=layout.replication_factor,
    )


def command_of(node: Node, layout: Layout, contact_points: Sequence[str]) -> list[str]:
    """A real broker."""
    return broker_command(config_of(node, layout, contact_points))


class BrokerEnded(Exception):
    """A broker ended before it was ready; its last words are in its log."""


class ClusterProcesses:
    """The processes; nodes are named by their ids.

    `contact_points` gives a broker other ways to the others than their own ports: proxies.
    `prefix` comes before a broker's command, to start it in a network namespace.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        command: Command = command_of,
        contact_points: Callable[[Node], Sequence[str]] | None = None,
        prefix: Callable[[Node], Sequence[str]] = lambda _node: (),
    ) -> None:
        self.layout: Final = layout
        self.nodes: Final = {node.node_id: node for node in layout.nodes()}
        self._command = command
        self._contact_points = contact_points or self._own_ports
        self._prefix = prefix
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self.endpoints: Final[dict[int, str]] = {}
        """Where clients reach the brokers that were started."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def running(self) -> list[int]:
        """Brokers that were started and have not ended, stopped ones included."""
        return [node for node, process in self._processes.items() if process.returncode is None]

    def pid(self, node_id: int) -> int:
        """The process of a broker that was started."""
        return self._processes[node_id].pid

    def log(self, node_id: int) -> str:
        """What a broker has written to its error output, in all its lives."""
        return self._log_path(node_id).read_text(errors="replace")

    async def start_all(self) -> None:
        """Starts those that do not run, all at once; returns when they are ready."""
        async with asyncio.TaskGroup() as tasks:
            for node_id in self.nodes.keys() - set(self.running):
                tasks.create_task(self.start(node_id))

    async def start(self, node_id: int) -> str:
        """Starts a broker in its folder, at its ports; its endpoint, when it is ready.

        Raises `BrokerEnded`, and `TimeoutError` if it does not get ready; then it is killed.
        """
        assert node_id not in self.running, f"broker {node_id} runs"
        node = self.nodes[node_id]
        command = self._command(node, self.layout, self._contact_points(node))
        self.layout.folder.mkdir(parents=True, exist_ok=True)
        with self._log_path(node_id).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._prefix(node),
                *command,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=os.environ | self.layout.settings,
                start_new_session=True,
            )
        self._processes[node_id] = process
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
        except TimeoutError:
            await self.kill(node_id)
            raise
        if not line:
            code = await process.wait()
            raise BrokerEnded(f"broker {node_id} ended with {code}: {self.log(node_id)[-2000:]}")
        self.endpoints[node_id] = str(json.loads(line)["endpoint"])
        return self.endpoints[node_id]

    async def kill(self, node_id: int) -> None:
        """kill -9, of all that it has started too; a stopped one dies as well."""
        process = self._processes[node_id]
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def kill_all(self) -> None:
        """kill -9 of all brokers, at once."""
        await asyncio.gather(*(self.kill(node_id) for node_id in self.running))

    async def stop(self, node_id: int) -> int:
        """The polite way; its exit code. Raises `TimeoutError` if it does not end."""
        process = self._processes[node_id]
        if process.returncode is None:
            process.terminate()
        return await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)

    async def wait(self, node_id: int) -> int:
        """Until a broker has ended by itself; its exit code. Raises `TimeoutError`."""
        return await asyncio.wait_for(self._processes[node_id].wait(), STOP_TIMEOUT_S)

    def freeze(self, node_id: int) -> None:
        """SIGSTOP: it holds its sockets, and does nothing."""
        os.killpg(self.pid(node_id), signal.SIGSTOP)

    def thaw(self, node_id: int) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        os.killpg(self.pid(node_id), signal.SIGCONT)

    async def pause(self, node_id: int, seconds: float) -> None:
        """Frozen for so long. One that is killed meanwhile stays dead."""
        self.freeze(node_id)
        try:
            await asyncio.sleep(seconds)
        finally:
            if node_id in self.running:
                self.thaw(node_id)

    def wipe(self, node_id: int) -> None:
        """Removes all that a broker had on its disk; it must not run."""
        assert node_id not in self.running, f"broker {node_id} runs"
        shutil.rmtree(self.nodes[node_id].data, ignore_errors=True)

    async def close(self) -> None:
        """Kills what runs."""
        await self.kill_all()

    def _own_ports(self, node: Node) -> list[str]:
        return [f"{other.host}:{other.cluster_port}" for other in self.nodes.values()]

    def _log_path(self, node_id: int) -> Path:
        return self.layout.folder / f"broker-{node_id}.log"
