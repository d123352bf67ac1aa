"""`grevy cluster add`, `remove`, `replicas`, `cancel`, `rebalance`: what changes a cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from grevy.broker.cli.base import Json
from grevy.broker.cli.cluster import app as cluster
from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, with_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grevy.client import Client, ClusterChange, JsonValue, LeaderMove

LOOK_S: Final = 0.25
"""How often is looked how far a change is."""
PATIENCE_S: Final = 60.0
"""How long the cluster may not answer meanwhile: the broker that was asked may be the one to go."""
REBALANCED_S: Final = 15.0
"""How long leads may take to go where they should be."""

__all__ = ["cluster"]

Address = Annotated[
    str, typer.Option("--address", "-a", envvar="GREVY_ADDRESS", help="A broker: host:port.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Detach = Annotated[
    bool, typer.Option("--detach", help="Do not wait for the end; the change goes on by itself.")
]
Factor = Annotated[
    int | None,
    typer.Option("--replication-factor", min=1, help="Replicas of each partition from then."),
]


@cluster.command()
def add(
    brokers: Annotated[list[str], typer.Argument(help="NODE_ID, or NODE_ID@HOST:CLUSTER_PORT.")],
    replication_factor: Factor = None,
    address: Address = DEFAULT_ADDRESS,
    *,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Take up brokers, which run already with --join, and give them their share of the partitions.

    Replicas are copied one at a time, while everything goes on; ends when all is done.
    """
    output = Output(as_json=as_json)
    added = dict(_parse(broker, output) for broker in brokers)

    def change(client: Client) -> Awaitable[ClusterChange]:
        return client.cluster.change(
            add=added, replication_factor=replication_factor or 0, dry_run=dry_run
        )

    _carry_out(address, output, change, is_watched=not (dry_run or detach))


@cluster.command()
def remove(
    brokers: Annotated[list[int], typer.Argument(help="Node ids; dead ones too.")],
    replication_factor: Factor = None,
    address: Address = DEFAULT_ADDRESS,
    *,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Let brokers go: others take their replicas first. Those that run end by themselves then."""
    output = Output(as_json=as_json)

    def change(client: Client) -> Awaitable[ClusterChange]:
        return client.cluster.change(
            remove=brokers, replication_factor=replication_factor or 0, dry_run=dry_run
        )

    _carry_out(address, output, change, is_watched=not (dry_run or detach))


@cluster.command()
def replicas(
    count: Annotated[int, typer.Argument(min=1, help="On how many brokers each partition lies.")],
    address: Address = DEFAULT_ADDRESS,
    *,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Change the replication factor."""
    output = Output(as_json=as_json)

    def change(client: Client) -> Awaitable[ClusterChange]:
        return client.cluster.change(replication_factor=count, dry_run=dry_run)

    _carry_out(address, output, change, is_watched=not (dry_run or detach))


@cluster.command()
def cancel(
    address: Address = DEFAULT_ADDRESS, *, detach: Detach = False, as_json: Json = False
) -> None:
    """End the change that is under way where it is: what was moved stays where it is now."""
    output = Output(as_json=as_json)
    _carry_out(address, output, lambda client: client.cluster.cancel(), is_watched=not detach)


@cluster.command()
def rebalance(
    address: Address = DEFAULT_ADDRESS, *, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Let each partition be led by the broker that should, at once.

    Ends with 1 when one of them is not led so after 15 seconds.
    """
    output = Output(as_json=as_json)

    async def act(client: Client) -> tuple[LeaderMove, ...]:
        moves = await client.cluster.rebalance(dry_run=dry_run)
        for move in moves:
            text = f"partition {move.partition}: from broker {move.leader} to {move.heir}"
            output.result({"partition": move.partition, "from": move.leader, "to": move.heir}, text)
        if not dry_run:
            await _wait_led(client, moves)
        return moves

    try:
        moves = with_client(address, output, act)
    except TimeoutError:
        raise output.fail("not all leads have changed; `grevy cluster status` says more") from None
    if not moves:
        output.note("each partition is led by the broker that should")


def _parse(text: str, output: Output) -> tuple[int, str]:
    node_id, _, address = text.partition("@")
    if not node_id.isdecimal() or ("@" in text and ":" not in address):
        raise output.fail(f"expected NODE_ID or NODE_ID@HOST:PORT, got {text}")
    return int(node_id), address


def _carry_out(
    address: str,
    output: Output,
    change: Callable[[Client], Awaitable[ClusterChange]],
    *,
    is_watched: bool,
) -> None:
    """Asks for a change, tells its steps, and how far it is until it is done."""

    async def act(client: Client) -> None:
        begun = await change(client)
        steps = "".join(f"\n  {step}" for step in begun.steps)
        values = {"epoch": begun.epoch, "steps": list(begun.steps)}
        output.result(values, f"change {begun.epoch}, {len(begun.steps)} steps:{steps}")
        if is_watched:
            await _watch(client, output, begun.epoch)
            output.result({"epoch": begun.epoch, "is_done": True}, "done")

    with_client(address, output, act)


async def _watch(client: Client, output: Output, epoch: int) -> None:
    """Until nothing of a change is left. Raises `typer.Exit` when another has taken its place."""
    told: object = None
    while True:
        status = await _look(client)
        steps = status["steps"]
        assert isinstance(steps, list), "what is left to do"
        if status["epoch"] != epoch:
            raise output.fail(f"change {status['epoch']} has taken the place of change {epoch}")
        if not steps:
            return
        news = (len(steps), steps[0], status["waiting"])
        if news != told:
            told = news
            values = {"epoch": epoch, "left": len(steps), "next": steps[0], "waiting": news[2]}
            text = f"{len(steps)} left, next: {steps[0]}"
            output.result(values, f"{text} (waits: {news[2]})" if news[2] else text)
        await asyncio.sleep(LOOK_S)


async def _look(client: Client) -> dict[str, JsonValue]:
    """How the cluster is; brokers come and go meanwhile."""
    from grevy.client import Unavailable

    end_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await client.cluster.status()
        except Unavailable:
            if asyncio.get_running_loop().time() >= end_s:
                raise
            await asyncio.sleep(LOOK_S)


async def _wait_led(client: Client, moves: tuple[LeaderMove, ...]) -> None:
    """Until each partition is led by its new leader. Raises `TimeoutError`."""
    wanted = {move.partition: move.heir for move in moves}
    async with asyncio.timeout(REBALANCED_S):
        while wanted:
            partitions = (await _look(client))["partitions"]
            assert isinstance(partitions, list), "all partitions"
            for each in partitions:
                assert isinstance(each, dict), "a partition"
                if wanted.get(int(str(each["partition_id"]))) == each["leader"]:
                    del wanted[int(str(each["partition_id"]))]
            await asyncio.sleep(LOOK_S)
