"""What this broker does for the cluster's plan: keeps it, carries out its own steps, opens and
deletes replicas, hands leads back, and ends when it was removed.

    gossip ──a newer plan──▶ ┌────────────┐ ──▶ plan file ──▶ gossip: everybody is told
    groups that are led  ──▶ │ next_action│ ──▶ a group's leader: other members, another leader
    requests             ──▶ └────────────┘ ──▶ replicas: opened, or deleted

What is to be done is worked out anew each time (`grevy.cluster.conductor`), from the plan and from
what the groups are. So there is nothing to go on with after a crash but the plan on the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from grevy.broker.replicas import Replicas
from grevy.cluster import (
    Candidate,
    ChangeMembers,
    ClusterError,
    Gossiper,
    HandOver,
    KeepPlan,
    LeadBack,
    LedGroup,
    Letter,
    Liveness,
    View,
    Wait,
    brokers_of,
    heir_of,
    heir_with_room,
    hosts_up,
    is_under_way,
    may_leave,
    next_action,
    steps_of,
)
from grevy.cluster.conductor import Action
from grevy.partition import Partition
from grevy.protocol.errors import GrevyError
from grevy.protocol.gossip_messages import ClusterPlan, PartitionPlacement
from grevy.protocol.member_ids import host_of

_log = logging.getLogger(__name__)

LOOK_MS: Final = 1_000
"""How often is looked whether groups are what the plan says, when nothing is known to be wrong."""
ATTENTIVE_MS: Final = 500
"""For so long after a look its answers are waited for."""
UNWANTED_MS: Final = 5_000
"""How long a replica is kept that the plan does not want: nothing hurries."""
AT_ONCE_MS: Final = 5_000
"""For so long after a request for it leads are handed back without patience."""
STEPS_AT_ONCE: Final = 4
"""Steps that change nothing but the plan, written one after another."""


class Plans(Protocol):
    """Where the plan is kept, as in `grevy.cluster.PlanFile`."""

    @property
    def plan(self) -> ClusterPlan | None:
        """What was written last."""

    def write(self, plan: ClusterPlan) -> None:
        """Replaces the plan, durably."""


class Membership:
    """One broker's part in the cluster's plan. `now_ms` is a stopwatch's, and `send` takes gossip.

    `on_removed` is called once, when this broker was removed and the others know it. `on_failed`
    hears what makes it impossible to go on: a disk, or a cluster that cannot be this one's.
    """

    def __init__(
        self,
        node_id: int,
        plans: Plans,
        gossiper: Gossiper,
        now_ms: Callable[[], int],
        *,
        send: Callable[[Sequence[Letter]], None],
        lead_back: LeadBack,
        on_removed: Callable[[], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._node_id = node_id
        self._plans = plans
        self._gossiper = gossiper
        self._now_ms = now_ms
        self._send = send
        self._lead_back = lead_back
        self._on_removed = on_removed
        self._on_failed = on_failed
        self._replicas: Replicas | None = None
        self._was_member = _is_member(plans.plan, node_id)
        self._has_ended = False
        self._next_look_ms = self._attentive_until_ms = self._at_once_until_ms = 0
        self._unwanted_since_ms: dict[int, int] = {}
        self._dropping: dict[int, asyncio.Task[None]] = {}
        self.waiting = ""
        """Why the next step of the plan, which is this broker's to do, is not done."""

    @property
    def plan(self) -> ClusterPlan | None:
        """The plan that holds here; None before a broker that joins has heard of one."""
        return self._plans.plan

    def start(self, replicas: Replicas) -> None:
        """There are replicas now, as the plan of the start says."""
        self._replicas = replicas
        if self.plan is not None:
            self._guarded(lambda: self._follow(self.plan))

    def keep(self, plan: ClusterPlan) -> None:
        """Writes a plan down, does what it says of this broker's replicas, and tells everybody.

        Raises `OSError`: the plan before still holds then.
        """
        self._plans.write(plan)
        self._was_member = self._was_member or _is_member(plan, self._node_id)
        _log.info("plan %d.%d holds: %s", plan.epoch, plan.step, _next_step(plan))
        self._send(self._gossiper.adopt(plan, self._now_ms()))
        self._follow(plan)

    def tick(self) -> None:
        """Does what is to be done now; often, and after gossip was heard."""
        if not self._has_ended and self._replicas is not None:
            self._guarded(self._work)

    def lead_back_now(self) -> None:
        """Somebody wants leads to be where they should be: no patience for a while."""
        self._at_once_until_ms = self._now_ms() + AT_ONCE_MS

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (GrevyError, OSError) as error:
            _log.critical("this broker cannot follow the cluster's plan: %s", error)
            self._has_ended = True
            self._on_failed(error)

    def _work(self) -> None:
        offered = self._gossiper.offered_plan
        if offered is not None:
            self._check(offered)
            self.keep(offered)
        plan, now_ms = self.plan, self._now_ms()
        if plan is None:
            return
        is_look = now_ms >= self._next_look_ms
        if is_look:
            self._next_look_ms = now_ms + LOOK_MS
            self._attentive_until_ms = now_ms + ATTENTIVE_MS
            self._tidy(plan, now_ms)
        if is_look or is_under_way(plan):
            for partition in self._partitions():
                partition.group.confirm()
        if is_under_way(plan) or now_ms < self._attentive_until_ms:
            self._carry_out()
        if is_look or now_ms < self._at_once_until_ms:
            self._hand_back(now_ms)
        self._hand_over_without_room(plan)
        self._leave_if_removed()

    def _check(self, offered: ClusterPlan) -> None:
        """Messages lie in the partition that their key and the number of partitions say."""
        if self.plan is None:
            return
        mine, theirs = len(self.plan.current.partitions), len(offered.current.partitions)
        if mine != theirs:
            raise ClusterError(
                f"this broker was started for {mine} partitions, and its cluster has {theirs}"
            )

    def _follow(self, plan: ClusterPlan | None) -> None:
        if plan is not None and self._replicas is not None:
            self._replicas.follow(plan)

    def _partitions(self) -> list[Partition]:
        assert self._replicas is not None, "there are replicas"
        return list(self._replicas.partitions.values())

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self) -> None:
        for _ in range(STEPS_AT_ONCE):
            plan = self.plan
            assert plan is not None, "a plan that was there stays"
            action = next_action(plan, self._view())
            self._act(action)
            if not isinstance(action, KeepPlan):
                return

    def _view(self) -> View:
        led = tuple(
            LedGroup(each.partition_id, each.group.members, each.group.caught_up)
            for each in self._partitions()
            if each.group.is_confirmed
        )
        gossiper, now_ms = self._gossiper, self._now_ms()
        return View(
            self._node_id,
            gossiper.alive(now_ms),
            gossiper.holders(),
            led,
            hosts_up(gossiper.brokers(now_ms)),
            keeps=host_of(gossiper.own.node_id) == 0,
        )

    def _act(self, action: Action | None) -> None:
        self.waiting = action.why if isinstance(action, Wait) else ""
        match action:
            case KeepPlan():
                self.keep(action.plan)
            case ChangeMembers():
                if self._partition(action.partition_id).group.change(action.members):
                    voters, learners = action.members.voters, action.members.learners
                    _log.info(
                        "partition %d changes: voters %s, learners %s",
                        *(action.partition_id, voters, learners),
                    )
            case HandOver():
                self._hand_over(action)

    def _hand_over(self, action: HandOver) -> None:
        if self._partition(action.partition_id).group.hand_over(action.to):
            _log.info("partition %d is handed over to broker %d", *action)

    def _partition(self, partition_id: int) -> Partition:
        assert self._replicas is not None, "there are replicas"
        return self._replicas.partitions[partition_id]

    def _leave_if_removed(self) -> None:
        plan = self.plan
        assert plan is not None, "a plan that was there stays"
        if self._was_member and may_leave(plan, self._node_id, self._gossiper.holders()):
            _log.info("this broker was removed from the cluster, and ends")
            self._has_ended = True
            self._on_removed()

    # ── leads ─────────────────────────────────────────────────────────────────────────────────────

    def _hand_back(self, now_ms: int) -> None:
        """Leads go to who should have them, while nothing else is changed."""
        plan = self.plan
        assert plan is not None, "a plan that was there stays"
        if is_under_way(plan):
            return
        candidates = [
            candidate
            for placement in plan.current.partitions
            if (candidate := self._candidate(placement)) is not None
        ]
        at_once = now_ms < self._at_once_until_ms
        action = self._lead_back.due(candidates, now_ms, at_once=at_once)
        if action is not None:
            self._hand_over(action)

    def _candidate(self, placement: PartitionPlacement) -> Candidate | None:
        """Who should lead a partition instead of this broker; None where nobody should."""
        assert self._replicas is not None, "there are replicas"
        partition_id = placement.partition_id
        partition = self._replicas.partitions.get(partition_id)
        if partition is None or not partition.group.is_led:
            return None
        alive = {
            each.state.node_id: each.state
            for each in brokers_of(self._gossiper.brokers(self._now_ms()))
            if each.liveness is Liveness.ALIVE
        }
        heir = heir_of(placement, alive)
        if heir in (0, self._node_id):
            return None
        is_healthy = any(
            each.partition_id == partition_id and each.is_healthy and each.has_room
            for each in alive[heir].replicas
        )
        members = partition.group.members
        is_able = is_healthy and heir in members.voters and heir in partition.group.caught_up
        return Candidate(
            partition_id, partition.term, heir, is_able=is_able and not members.old_voters
        )

    def _hand_over_without_room(self, plan: ClusterPlan) -> None:
        """A leader whose disk is full refuses commands: another one should lead, if it can."""
        assert self._replicas is not None, "there are replicas"
        for placement in plan.current.partitions:
            partition = self._replicas.partitions.get(placement.partition_id)
            if partition is None or partition.has_room or not partition.group.is_led:
                continue
            heir = heir_with_room(placement, self._gossiper.brokers(self._now_ms()))
            if heir and partition.group.hand_over(heir):
                _log.warning(
                    "partition %d is handed over to broker %d, whose disk has room",
                    *(placement.partition_id, heir),
                )

    # ── replicas that nobody wants ────────────────────────────────────────────────────────────────

    def _tidy(self, plan: ClusterPlan, now_ms: int) -> None:
        """Deletes what has been unwanted for a while, by a plan that most brokers have."""
        assert self._replicas is not None, "there are replicas"
        unwanted = self._replicas.unwanted(plan)
        holders = self._gossiper.holders() & set(plan.current.brokers)
        if 2 * len(holders) <= len(plan.current.brokers):
            unwanted = frozenset()
        since_ms = {each: self._unwanted_since_ms.get(each, now_ms) for each in unwanted}
        self._unwanted_since_ms = since_ms
        for partition_id in sorted(unwanted - self._dropping.keys()):
            if now_ms - since_ms[partition_id] >= UNWANTED_MS:
                _log.info("the replica of partition %d is deleted", partition_id)
                task = asyncio.get_running_loop().create_task(self._drop(partition_id))
                self._dropping[partition_id] = task

    async def _drop(self, partition_id: int) -> None:
        assert self._replicas is not None, "there are replicas"
        try:
            await self._replicas.drop(partition_id)
        except (GrevyError, OSError) as error:
            self._on_failed(error)
            return
        del self._dropping[partition_id]
        self._guarded(lambda: self._follow(self.plan))


def _is_member(plan: ClusterPlan | None, node_id: int) -> bool:
    return plan is not None and node_id in plan.current.brokers


def _next_step(plan: ClusterPlan) -> str:
    step = next(steps_of(plan), None)
    return "nothing is left to do" if step is None else f"next: {step}"
