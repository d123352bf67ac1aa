"""The cluster as a whole, for those who run it: what it is, and how that is changed.

change = await client.cluster.change(add={4: "10.0.0.4:26602"}, remove=[1])
while (await client.cluster.status())["steps"]:
    …
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

import msgspec

from grevy.client.link import Link
from grevy.client.options import JsonValue, variables_of
from grevy.protocol.messages import ClusterRequest, ClusterRequestKind

ANSWER_S: Final = 30.0
"""Longer than a cluster looks for a broker that it is to take up."""


class ClusterChange(msgspec.Struct, frozen=True):
    """A change that is under way, or would be: its number, and its steps as sentences."""

    epoch: int
    steps: tuple[str, ...]


class LeaderMove(msgspec.Struct, frozen=True, rename={"leader": "from", "heir": "to"}):
    """A partition that goes from its leader to the broker that should lead it (node ids)."""

    partition: int
    leader: int
    heir: int


class _Moves(msgspec.Struct, frozen=True):
    moves: tuple[LeaderMove, ...]


class ClusterAdmin:
    """Requests about the cluster; any broker takes them. All raise `ClientError`s, and `Refused`
    when nothing was changed.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def status(self) -> dict[str, JsonValue]:
        """Brokers, partitions and what is left of a change, as the broker that is asked knows it;
        `grevy.cluster.ClusterStatus` says what is in it.
        """
        return variables_of(await self._ask(ClusterRequestKind.STATUS))

    async def change(
        self,
        *,
        add: Mapping[int, str] | None = None,
        remove: Collection[int] = (),
        replication_factor: int = 0,
        dry_run: bool = False,
    ) -> ClusterChange:
        """Take up and let go brokers, by their node ids; `add` has their cluster addresses too
        (host:port), "" for those that have the cluster's contact points. `replication_factor`: on
        how many brokers each partition is to lie, 0 for as it is.

        Returns when the change is decided, and goes on by itself then. With `dry_run` nothing is
        done.
        """
        added = {} if add is None else add
        answer = await self._ask(
            ClusterRequestKind.CHANGE,
            add=tuple(added),
            addresses=tuple(added.values()),
            remove=tuple(remove),
            replication_factor=replication_factor,
            is_trial=dry_run,
        )
        return msgspec.json.decode(answer, type=ClusterChange)

    async def cancel(self) -> ClusterChange:
        """End the change that is under way where it is; the answer says what is left to settle."""
        return msgspec.json.decode(await self._ask(ClusterRequestKind.CANCEL), type=ClusterChange)

    async def rebalance(self, *, dry_run: bool = False) -> tuple[LeaderMove, ...]:
        """Let each partition be led by the broker that should, of those that are there. The answer
        says which are not; they follow within seconds, each when its new leader has all of its log.
        """
        answer = await self._ask(ClusterRequestKind.REBALANCE, is_trial=dry_run)
        return msgspec.json.decode(answer, type=_Moves).moves

    async def _ask(
        self,
        kind: ClusterRequestKind,
        *,
        add: tuple[int, ...] = (),
        addresses: tuple[str, ...] = (),
        remove: tuple[int, ...] = (),
        replication_factor: int = 0,
        is_trial: bool = False,
    ) -> bytes:
        make_request = partial(
            ClusterRequest,
            kind=kind,
            add=add,
            addresses=addresses,
            remove=remove,
            replication_factor=replication_factor,
            is_trial=is_trial,
        )
        return await self._link.ask_cluster(make_request, ANSWER_S)
