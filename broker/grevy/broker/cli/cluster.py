"""`grevy cluster`: how a cluster is, and one on this machine to try things with."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from grevy.broker.cli.base import Json
from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, with_client
from grevy.protocol.member_ids import DOWN, NEW

if TYPE_CHECKING:
    from rich.console import RenderableType

    from grevy.client import Client, JsonValue, Topology
    from grevy.protocol.messages import BrokerInfo, ReplicaInfo

app = typer.Typer(
    no_args_is_help=True, help="Look at a cluster, change it, or run one on this machine."
)

_BROKERS_MAX: Final = 9


@app.command()
def status(
    address: Annotated[
        str, typer.Option("--address", "-a", envvar="GREVY_ADDRESS", help="A broker: host:port.")
    ] = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Show the brokers, and who holds and leads which partition, as one broker knows it.

    Ends with 1 when a partition has no leader, or a broker or replica is not well.
    """
    output = Output(as_json=as_json)

    async def look(client: Client) -> tuple[Topology, dict[str, JsonValue] | None]:
        return await client.topology(), await _change_of(client)

    topology, change = with_client(address, output, look)
    if as_json:
        import msgspec

        output.result({**msgspec.to_builtins(topology), "change": change}, "")
    else:
        output.draw(draw_cluster(topology, change))
    if faults_of(topology):
        raise typer.Exit(1)


async def _change_of(client: Client) -> dict[str, JsonValue] | None:
    """What is left of a change and what is wrong with brokers; None for a broker that is alone."""
    from grevy.client import Refused

    try:
        status = await client.cluster.status()
    except Refused:
        return None
    return {name: status[name] for name in ("epoch", "steps", "waiting", "problems")}


@app.command()
def local(
    data: Annotated[Path, typer.Option(help="Folder of the brokers' folders.")] = Path(
        "grevy-cluster"
    ),
    brokers: Annotated[int, typer.Option(min=1, max=_BROKERS_MAX, help="How many.")] = 3,
    partitions: Annotated[int, typer.Option(min=1, help="Logs that share the work.")] = 3,
    port: Annotated[int, typer.Option(min=1, help="Of the first broker; the others follow.")] = (
        26600
    ),
    hosts: Annotated[int, typer.Option(min=1, help="Processes of each broker.")] = 1,
    *,
    as_json: Json = False,
) -> None:
    """Run a cluster on this machine, each broker a process, until Ctrl-C.

    A broker that is killed, or removed from the cluster, leaves the others at work.
    """
    output = Output(as_json=as_json)
    from grevy.broker.config import ConfigError

    try:
        commands = commands_of(data, brokers, partitions, port, hosts)
    except ConfigError as error:
        output.fail(str(error))
        raise typer.Exit(1) from None
    raise typer.Exit(asyncio.run(_run_all(commands, output)))


def commands_of(
    data: Path, brokers: int, partitions: int, port: int, hosts: int = 1
) -> list[list[str]]:
    """The command of each broker. Clients connect at `port` and those after it, one for each
    process; brokers at free ports of this machine, which are kept in the folder: a cluster that
    starts again has its old addresses. Raises `ConfigError` for what cannot be.
    """
    from grevy.broker.cli.launching import broker_command
    from grevy.broker.config import BrokerConfig

    ports = _cluster_ports(data / "ports", brokers, hosts)
    configs = [
        BrokerConfig(
            data=data / f"broker-{number + 1}",
            port=port + number * hosts,
            hosts=hosts,
            partitions=partitions,
            node_id=number + 1,
            cluster_size=brokers,
            replication_factor=min(3, brokers),
            cluster_port=ports[number],
            contact_points=",".join(f"127.0.0.1:{each}" for each in ports),
        )
        for number in range(brokers)
    ]
    for config in configs:
        config.validate()
    return [broker_command(config) for config in configs]


def faults_of(topology: Topology) -> list[str]:
    """What is not as it should be."""
    faults = [
        f"partition {each.id} has no leader" for each in topology.partitions if not each.leader
    ]
    for broker in topology.brokers:
        if not broker.is_alive:
            faults.append(f"broker {broker.node_id} is not heard of")
            continue
        faults += [
            f"broker {broker.node_id} {_fault_of(replica)} partition {replica.partition_id}"
            for replica in broker.replicas
            if not replica.is_healthy
        ]
    return faults


def _fault_of(replica: ReplicaInfo) -> str:
    if replica.role == DOWN:
        return "has no host for"
    return "has nothing yet of" if replica.role == NEW else "lacks data of"


def draw_cluster(
    topology: Topology, change: Mapping[str, JsonValue] | None = None
) -> RenderableType:
    """Brokers and partitions as tables, what is left of a change, and what is wrong."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    brokers = Table("broker", "clients connect at", "release", "is", box=None, pad_edge=False)
    replicas: dict[int, list[str]] = {}
    terms = {partition.id: partition.term for partition in topology.partitions}
    for broker in topology.brokers:
        state = "alive" if broker.is_alive else "not heard of"
        endpoint = broker.endpoint.removeprefix("tcp://")
        brokers.add_row(str(broker.node_id), endpoint, broker.version, state)
        for replica in broker.replicas:
            text = f"{broker.node_id} {_state_of(broker, replica, terms)}"
            replicas.setdefault(replica.partition_id, []).append(text)
    partitions = Table("partition", "term", "replicas", box=None, pad_edge=False)
    for partition in topology.partitions:
        held = ", ".join(sorted(replicas.get(partition.id, [])))
        term = str(partition.term) if partition.term > 0 else ""
        partitions.add_row(str(partition.id), term, held)
    faults = faults_of(topology)
    verdict = [Text(fault, "red") for fault in faults] or [Text("all is well", "green")]
    return Group(brokers, "", partitions, "", *_draw_change(change), *verdict)


def _state_of(broker: BrokerInfo, replica: ReplicaInfo, terms: Mapping[int, int]) -> str:
    """What a replica is, without what it said before it was lost, or before another one led."""
    if not broker.is_alive:
        return "not heard of"
    if replica.role == "leader" and replica.term < terms.get(replica.partition_id, 0):
        return "led before"
    is_told = replica.is_healthy or replica.role in (DOWN, NEW)
    return replica.role + ("" if is_told else " (lacks data)")


def _draw_change(change: Mapping[str, JsonValue] | None) -> list[RenderableType]:
    from rich.text import Text

    if change is None:
        return []
    steps, problems = change["steps"], change["problems"]
    assert isinstance(steps, list)
    assert isinstance(problems, list)
    lines = [Text(str(problem), "red") for problem in problems]
    if steps:
        waits = f" (waits: {change['waiting']})" if change["waiting"] else ""
        lines.append(Text(f"change {change['epoch']}, {len(steps)} left: {steps[0]}{waits}"))
    return [*lines, ""] if lines else []


async def _run_all(commands: Sequence[Sequence[str]], output: Output) -> int:
    """Starts all, says where they are, and stops all when told to. A broker that ends by itself
    leaves the others at work, as it should in a cluster.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    processes = [
        await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        for command in commands
    ]
    endpoints = [await _endpoint(process) for process in processes]
    if all(endpoints):
        output.result({"endpoints": endpoints}, f"grevy is ready at {', '.join(endpoints)}")
        stopped = asyncio.ensure_future(stop.wait())
        ended = asyncio.ensure_future(_tell_ends(processes, commands, output))
        await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        ended.cancel()
    running = [process for process in processes if process.returncode is None]
    for process in running:
        process.terminate()
    codes = [await process.wait() for process in running or processes]
    return next((code for code in codes if code), 0)


async def _tell_ends(
    processes: Sequence[asyncio.subprocess.Process],
    commands: Sequence[Sequence[str]],
    output: Output,
) -> bool:
    """Waits until all brokers have ended, of which each is told."""
    each = enumerate(zip(processes, commands, strict=True), 1)
    await asyncio.gather(*[_tell_end(number, *started, output) for number, started in each])
    return True


async def _tell_end(
    node_id: int, process: asyncio.subprocess.Process, command: Sequence[str], output: Output
) -> None:
    """Waits until a broker ends, and says how it is started again."""
    code = await process.wait()
    how = f"was killed by signal {-code}" if code < 0 else f"has ended with {code}"
    again = shlex.join([each for each in command if each != "--json"])
    output.result(
        {"node_id": node_id, "exit_code": code, "command": command},
        f"broker {node_id} {how}; this starts it again: {again}",
    )


async def _endpoint(process: asyncio.subprocess.Process) -> str:
    """Where a broker is ready; empty if it has ended instead, having said why."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    return str(json.loads(line)["endpoint"]) if line else ""


def _cluster_ports(path: Path, brokers: int, hosts: int) -> list[int]:
    """The first cluster port of each broker, which has one for each of its processes. Those of the
    last start are taken again, unless there are more brokers or processes now.
    """
    from grevy.broker.cli.launching import free_ports

    if path.exists():
        kept, _, kept_hosts = path.read_text(encoding="utf-8").partition("\n")
        ports = [int(each) for each in kept.split()]
        if len(ports) == brokers and hosts <= int(kept_hosts or 1):
            return ports
    ports = free_ports(brokers, hosts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{' '.join(map(str, ports))}\n{hosts}", encoding="utf-8")
    return ports
