"""Brokers as processes, for the benchmarks: one, or a cluster on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from grevy.broker.cli.launching import broker_command, free_ports
from grevy.broker.config import BrokerConfig
from grevy.client import Client

_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Shape:
    """How many brokers and partitions, on how many brokers each partition lies, and how many
    processes each broker has.
    """

    brokers: int = 1
    partitions: int = 1
    replication_factor: int = 1
    hosts: int = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """What the leaders have written, and what all brokers have used."""

    records: int
    log_bytes: int
    cpu_s: float
    rss_mb: float


class Brokers:
    """Running brokers; `addresses` is where clients connect."""

    def __init__(self, data: Path, shape: Shape) -> None:
        self._data = data
        self._shape = shape
        self._processes: list[asyncio.subprocess.Process] = []
        self.addresses: list[str] = []

    async def start(self) -> None:
        """All of them at once; ready when this returns."""
        ports = free_ports(self._shape.brokers, self._shape.hosts)
        await asyncio.gather(*(self._start(node, ports) for node in range(self._shape.brokers)))

    async def usage(self) -> Usage:
        """As of now."""
        records = log_bytes = 0
        pids = [process.pid for process in self._processes]
        for address in self.addresses:
            async with await Client.connect(address) as client:
                status = await client.status()
            partitions, hosts = status["partitions"], status.get("hosts", [])
            assert isinstance(partitions, list)
            assert isinstance(hosts, list)
            pids += [int(str(one["pid"])) for one in hosts if isinstance(one, dict)]
            for one in partitions:
                if isinstance(one, dict) and one["role"] == "leader":
                    records += int(str(one["records"]))
                    log_bytes += int(str(one["log_bytes"]))
        return Usage(records, log_bytes, sum(map(_cpu_s, pids)), round(sum(map(_rss_mb, pids)), 1))

    def kill(self, node: int) -> None:
        """kill -9 of one, from 0."""
        self._processes[node].send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """The polite way, all at once."""
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in self._processes))

    async def _start(self, node: int, ports: list[int]) -> None:
        shape = self._shape
        config = BrokerConfig(
            data=self._data / str(node + 1) if shape.brokers > 1 else self._data,
            port=0,
            partitions=shape.partitions,
            hosts=shape.hosts,
        )
        if shape.brokers > 1:
            config = replace(
                config,
                node_id=node + 1,
                cluster_size=shape.brokers,
                cluster_port=ports[node],
                contact_points=",".join(f"127.0.0.1:{port}" for port in ports),
                replication_factor=shape.replication_factor,
            )
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*broker_command(config), stdout=pipe)
        self._processes.append(process)
        assert process.stdout is not None
        line = await process.stdout.readline()
        self.addresses.append(json.loads(line)["endpoint"])


def _rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
