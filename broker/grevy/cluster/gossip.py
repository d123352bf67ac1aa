"""Gossip: each broker says how it is, passes on what it has heard, and so knows of all.

    set_replicas, adopt, leave ──▶ ┌──────────┐ ──▶ letters to all that are alive, at once
    tick, every round          ──▶ │ Gossiper │ ──▶ questions to some, chance decides which
    receive(a gossip)          ──▶ └──────────┘ ──▶ an answer: what is newer than what the asker has
                                        │
                                        ▼  brokers(), offered_plan, problems()

Every round a broker says something new, if only that it is there. In clusters of up to
`fan_out` + 1 everybody hears everybody each round; in larger ones news goes from one to the other,
the faster the more know of it. A letter that is lost is replaced by the next one; one that is late
is older than what is known, or else it is news. Contact points are asked as long as it is not known
who answers there; one of the dead is asked each round, so that two halves of a cluster find each
other again.

Times are of one monotonic clock, in milliseconds, but for the incarnation, which has the date.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from grevy.cluster.errors import (
    MembershipConflict,
    NodeIdTaken,
    OtherCluster,
    OtherSettings,
    OtherVersion,
)
from grevy.cluster.members import (
    Liveness,
    MemberTable,
    Patience,
    newness_of_state,
)
from grevy.cluster.plan import NO_PLAN, Newness, newness_of
from grevy.ports import Entropy
from grevy.protocol.gossip_messages import ClusterPlan, Gossip, MemberState, ReplicaState
from grevy.protocol.member_ids import host_of, name_of, node_of

T = TypeVar("T")

ROUND_MS_MIN: Final = 10
CONTACTS_PER_ROUND: Final = 3
"""Contact points that are asked in one round, after the first one, which asks all."""
RIVAL_PROOFS: Final = 3
"""How often another instance with this broker's id must have outbid it to be alive: what a dead one
left behind may be newer once, when the clock went back, but it does not answer.
"""
SLEPT_ROUNDS: Final = 4
"""Rounds without a tick after which it was this broker that was stopped, not the others silent."""
SETTINGS_EPOCH: Final = 1
"""The epoch of plans that are made from settings."""


class GossipSettings(Struct, frozen=True, kw_only=True):
    """Who this broker is, and how it gossips. `node_id` is a member id: a broker's host is a member
    of its own. Endpoints and contacts are `host:port`; `contacts` may name this broker too. Times
    are in milliseconds.
    """

    cluster_id: str
    node_id: int
    cluster_endpoint: str
    client_endpoint: str
    software: str
    contacts: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    """Where brokers were before: asked as contacts are, but nobody need be there any more."""
    round_ms: int = 250
    """Zeebe gossips every 250 ms too. A change of leaders does not wait for it."""
    fan_out: int = 3
    """Members asked each round: all in clusters of four; news reaches 30 in 3 rounds mostly."""
    suspect_ms: int = 2_000
    """8 rounds: of 30 brokers, each is heard of every 3 to 4 rounds at the latest."""
    dead_ms: int = 5_000
    """Longer than a full disk or a garbage collection stops a process. Leaders are replaced by
    Raft's own time-outs, long before."""
    forget_ms: int = 60_000

    def validate(self) -> None:
        """Raises ValueError for settings that cannot be."""
        if self.node_id < 1:
            raise ValueError(f"node_id: expected 1 or more, got {self.node_id}")
        if self.fan_out < 1:
            raise ValueError(f"fan_out: expected 1 or more, got {self.fan_out}")
        if not ROUND_MS_MIN <= self.round_ms < self.suspect_ms < self.dead_ms < self.forget_ms:
            raise ValueError(
                f"expected {ROUND_MS_MIN} <= round_ms < suspect_ms < dead_ms < forget_ms, got "
                f"{self.round_ms}, {self.suspect_ms}, {self.dead_ms}, {self.forget_ms}"
            )


class Letter(NamedTuple):
    """A gossip to be sent to an endpoint."""

    endpoint: str
    gossip: Gossip


class Broker(NamedTuple):
    """A broker and what to think of it."""

    state: MemberState
    liveness: Liveness


class Gossiper:
    """One broker's part in the gossip. `now_ms` of the date makes its incarnation."""

    def __init__(
        self, settings: GossipSettings, entropy: Entropy, date_ms: int, plan: ClusterPlan | None
    ) -> None:
        settings.validate()
        self._settings = settings
        self._entropy = entropy
        self._plan = plan
        self._offered: ClusterPlan | None = None
        self._own = self._with_plan(
            MemberState(
                settings.node_id,
                date_ms,
                1,
                settings.cluster_endpoint,
                settings.client_endpoint,
                settings.software,
                instance=1 + entropy.random_u64() % ((1 << 63) - 1),
            )
        )
        self._table = MemberTable(
            Patience(settings.suspect_ms, settings.dead_ms, settings.forget_ms)
        )
        self._answered_by: dict[str, int] = {}
        self._rivals: dict[int, int] = {}
        self._problems: dict[str, tuple[MembershipConflict, int]] = {}
        self._began_ms: int | None = None
        self._next_ms = 0

    @property
    def own(self) -> MemberState:
        """What this broker says of itself."""
        return self._own

    @property
    def plan(self) -> ClusterPlan | None:
        """The plan that was adopted last; None before a broker that joins has heard of one."""
        return self._plan

    @property
    def offered_plan(self) -> ClusterPlan | None:
        """A newer plan that was heard of: write it to the disk, then `adopt` it."""
        return self._offered

    def brokers(self, now_ms: int) -> tuple[Broker, ...]:
        """All brokers that are known, this one among them, in the order of their ids."""
        own = Broker(self._own, Liveness.LEFT if self._own.is_leaving else Liveness.ALIVE)
        others = [Broker(each.state, self._table.liveness(each, now_ms)) for each in self._table]
        return tuple(sorted([own, *others], key=lambda each: each.state.node_id))

    def alive(self, now_ms: int) -> frozenset[int]:
        """The brokers whose first host is there, by their node ids; the suspected count as such.
        They keep the plan and decide; which replicas can be reached, `hosts_up` says.
        """
        members = (self._own, *self._table.alive(now_ms))
        return frozenset({each.node_id for each in members if not host_of(each.node_id)})

    def holders(self) -> frozenset[int]:
        """The brokers that have said that they have this broker's plan, by their node ids, itself
        among them. It is kept by a broker's first host; what the others know does not count.
        """
        mine = _plan_of(self._own)
        members = [self._own, *(each.state for each in self._table)]
        firsts = (each for each in members if not host_of(each.node_id))
        return frozenset({each.node_id for each in firsts if _plan_of(each) == mine})

    def problems(self, now_ms: int) -> tuple[MembershipConflict, ...]:
        """What was wrong with other brokers lately, for those who run the cluster."""
        oldest_ms = now_ms - self._settings.forget_ms
        return tuple(error for error, at_ms in self._problems.values() if at_ms >= oldest_ms)

    def unanswered(self, now_ms: int) -> tuple[str, ...]:
        """Contact points of which it is not known who is there, without those of brokers that were
        removed.
        """
        unanswered = self._unanswered_of(self._settings.contacts, now_ms)
        if self._plan is None:
            return unanswered
        members = self._plan.current.brokers
        removed = {c for c, by in self._answered_by.items() if node_of(by) not in members}
        return tuple(contact for contact in unanswered if contact not in removed)

    def _unanswered_of(self, contacts: Sequence[str], now_ms: int) -> tuple[str, ...]:
        alive = {each.node_id: each.cluster_endpoint for each in self._table.alive(now_ms)}
        alive[self._own.node_id] = self._own.cluster_endpoint
        return tuple(
            contact
            for contact in contacts
            if self._answered_by.get(contact) not in alive and contact not in alive.values()
        )

    def hurry(self, now_ms: int) -> None:
        """A tick from now on is the next round, however little of this one has passed."""
        self._next_ms = min(self._next_ms, now_ms)

    def invite(self, endpoint: str) -> Letter:
        """A word to a broker that is to join, and may know nobody. It may be lost."""
        return self._ask_contact(endpoint)

    def who_is_at(self, endpoint: str) -> int:
        """The node id of the broker that has answered at an endpoint; 0 when nobody has."""
        return self._answered_by.get(endpoint, 0)

    def tick(self, now_ms: int) -> list[Letter]:
        """What to ask, when a round has passed; before that nothing, however often it is called."""
        settings = self._settings
        is_first = self._began_ms is None
        if is_first:
            self._began_ms = self._next_ms = now_ms
        if now_ms < self._next_ms:
            return []
        late_ms = now_ms - self._next_ms
        if late_ms > SLEPT_ROUNDS * settings.round_ms:
            self._table.excuse(late_ms)
        self._next_ms = now_ms + settings.round_ms
        self._say(self._own)
        self._table.forget(now_ms, self._placed())
        asked = self._sample(self._table.alive(now_ms), settings.fan_out)
        asked += self._sample(self._table.dead(now_ms), 1)
        contacts = self._unanswered_of((*settings.contacts, *settings.known), now_ms)
        count = len(contacts) if is_first else CONTACTS_PER_ROUND
        return [
            *(self._letter(each, is_question=True) for each in asked),
            *(self._ask_contact(each) for each in self._sample(contacts, count)),
        ]

    def receive(self, cluster_id: str, gossip: Gossip, now_ms: int) -> list[Letter]:
        """Take what another broker of a cluster said; the answer, if it asked.

        Raises `MembershipConflict` where this broker is about to join and cannot: it has to end.
        Once it has joined, such a thing is one of `problems`.
        """
        speaker = next((s for s in gossip.members if s.node_id == gossip.sender), None)
        if speaker is None:
            return []
        if (speaker.node_id, speaker.instance) == (self._own.node_id, self._own.instance):
            # A contact point that is this broker.
            self._answered_by[gossip.contact] = self._own.node_id
            return []
        conflict = self._conflict_with(cluster_id, speaker, gossip.plans)
        if conflict is not None:
            is_fatal = self._is_alone(gossip) and not self._was_elsewhere(conflict)
            self._report(speaker, conflict, now_ms, is_fatal=is_fatal)
            # So that the other one sees it too.
            own = Gossip(
                self._own.node_id, (self._own,), contact=gossip.contact, plans=self._plans()
            )
            return [Letter(speaker.cluster_endpoint, own)] if gossip.is_question else []
        for state in gossip.members:
            if state.node_id == self._own.node_id:
                self._defend(state, now_ms)
            else:
                self._table.hear(state, now_ms)
        for plan in gossip.plans:
            self._consider(plan)
        is_rival = speaker.node_id == self._own.node_id
        if gossip.contact and not gossip.is_question and not is_rival:
            # A rival is asked again and again, until one of the two has ended.
            self._answered_by[gossip.contact] = speaker.node_id
        return [self._answer(gossip, speaker)] if gossip.is_question else []

    def set_replicas(self, replicas: Sequence[ReplicaState], now_ms: int) -> list[Letter]:
        """What this broker's replicas are now. When more has changed than positions, all that are
        alive are told at once.
        """
        before = {each.partition_id: each for each in self._own.replicas}
        is_news = len(before) != len(replicas) or any(
            each.partition_id not in before
            or replace(each, position=0) != replace(before[each.partition_id], position=0)
            for each in replicas
        )
        self._say(replace(self._own, replicas=tuple(replicas)))
        return self._announce(now_ms) if is_news else []

    def adopt(self, plan: ClusterPlan, now_ms: int) -> list[Letter]:
        """This plan holds, and is on the disk: everybody alive is told, and given it."""
        assert newness_of(plan) >= newness_of(self._plan), "a plan is never older than one before"
        self._plan = plan
        if newness_of(self._offered) <= newness_of(plan):
            self._offered = None
        self._say(self._with_plan(self._own))
        return self._announce(now_ms)

    def leave(self, now_ms: int) -> list[Letter]:
        """This broker is about to end: nobody need wait for it."""
        self._say(replace(self._own, is_leaving=True))
        return self._announce(now_ms)

    def _say(self, state: MemberState) -> None:
        self._own = replace(state, version=self._own.version + 1)

    def _with_plan(self, state: MemberState) -> MemberState:
        epoch, step, digest = newness_of(self._plan)
        return replace(state, plan_epoch=epoch, plan_step=step, plan_digest=digest)

    def _plans(self) -> tuple[ClusterPlan, ...]:
        return () if self._plan is None else (self._plan,)

    def _placed(self) -> Collection[int]:
        if self._plan is None:
            return ()
        return {*self._plan.current.brokers, *self._plan.target.brokers}

    def _announce(self, now_ms: int) -> list[Letter]:
        return [
            Letter(
                each.cluster_endpoint,
                Gossip(self._own.node_id, (self._own,), plans=self._plans_for(each)),
            )
            for each in self._table.alive(now_ms)
        ]

    def _letter(self, to: MemberState, *, is_question: bool) -> Letter:
        gossip = Gossip(self._own.node_id, self._all(), is_question, plans=self._plans_for(to))
        return Letter(to.cluster_endpoint, gossip)

    def _ask_contact(self, contact: str) -> Letter:
        """A plan from settings goes with it, so that a stranger can see whether it has the same."""
        is_from_settings = self._own.plan_epoch == SETTINGS_EPOCH
        plans = self._plans() if is_from_settings else ()
        return Letter(contact, Gossip(self._own.node_id, self._all(), True, contact, plans))

    def _answer(self, question: Gossip, asker: MemberState) -> Letter:
        """What is newer here than what the asker has said; also of the asker itself, whose clock
        may have gone back.
        """
        heard = {each.node_id: newness_of_state(each) for each in question.members}
        known = {each.state.node_id: each.state for each in self._table}
        before = self._table.get(asker.node_id)
        if before is not None:
            known[asker.node_id] = before
        newer = [
            state
            for node_id, state in known.items()
            if node_id not in heard or heard[node_id] < newness_of_state(state)
        ]
        gossip = Gossip(
            self._own.node_id,
            (self._own, *newer),
            contact=question.contact,
            plans=self._plans_for(asker),
        )
        return Letter(asker.cluster_endpoint, gossip)

    def _all(self) -> tuple[MemberState, ...]:
        return (self._own, *(each.state for each in self._table))

    def _plans_for(self, member: MemberState) -> tuple[ClusterPlan, ...]:
        """The plan, for who has an older one; or another one from settings, to see that they
        differ.
        """
        mine, theirs = _plan_of(self._own), _plan_of(member)
        is_other = mine != theirs and mine.epoch == theirs.epoch == SETTINGS_EPOCH
        return self._plans() if mine > theirs or is_other else ()

    def _consider(self, plan: ClusterPlan) -> None:
        if newness_of(plan) > max(newness_of(self._plan), newness_of(self._offered)):
            self._offered = plan

    def _defend(self, state: MemberState, now_ms: int) -> None:
        """Somebody says something of this broker: it has the last word, but for its successor."""
        if newness_of_state(state) <= newness_of_state(self._own):
            return
        if state.instance != self._own.instance:
            outbid = self._rivals[state.instance] = self._rivals.get(state.instance, 0) + 1
            if outbid >= RIVAL_PROOFS:
                error = NodeIdTaken(
                    f"node id {node_of(state.node_id)} is taken: the broker at "
                    f"{state.cluster_endpoint} "
                    f"runs under it, and so does this one at {self._own.cluster_endpoint}"
                )
                self._report(state, error, now_ms, is_fatal=self._is_joining(now_ms))
        self._say(replace(self._own, incarnation=state.incarnation + 1))

    def _is_joining(self, now_ms: int) -> bool:
        began_ms = now_ms if self._began_ms is None else self._began_ms
        return now_ms - began_ms < self._settings.dead_ms

    def _is_alone(self, gossip: Gossip) -> bool:
        """Whether this answers a question of a broker that knows nobody: it is where it should not
        be. That a stranger asks is the stranger's fault.
        """
        return not gossip.is_question and next(iter(self._table), None) is None

    def _was_elsewhere(self, conflict: MembershipConflict) -> bool:
        """Whether another cluster's broker has only got the address of one of this cluster's, as
        addresses are given out again: then the others are still to be found.
        """
        return isinstance(conflict, OtherCluster) and bool(self._settings.known)

    def _report(
        self, other: MemberState, error: MembershipConflict, now_ms: int, *, is_fatal: bool
    ) -> None:
        if is_fatal:
            raise error
        self._problems[other.cluster_endpoint] = (error, now_ms)

    def _conflict_with(
        self, cluster_id: str, speaker: MemberState, plans: Sequence[ClusterPlan]
    ) -> MembershipConflict | None:
        who = f"{name_of(speaker.node_id)} at {speaker.cluster_endpoint}"
        mine = self._settings.cluster_id
        if cluster_id != mine:
            return OtherCluster(f"{who} is of cluster '{cluster_id}', this one of '{mine}'")
        if not _can_work_together(speaker.software, self._own.software):
            return OtherVersion(
                f"{who} is of release {speaker.software}, this one of {self._own.software}: "
                "brokers of one cluster are at most one minor release apart"
            )
        if self._plan is None or self._plan.epoch != SETTINGS_EPOCH:
            return None
        for plan in plans:
            if plan.epoch == SETTINGS_EPOCH and plan.target != self._plan.target:
                return OtherSettings(
                    f"{who} was started for {describe(plan)}, this one for {describe(self._plan)}"
                )
        return None

    def _sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of the items, or all, in an order that chance decides."""
        left = list(items)
        chosen: list[T] = []
        while left and len(chosen) < count:
            chosen.append(left.pop(self._entropy.random_u64() % len(left)))
        return chosen


def describe(plan: ClusterPlan) -> str:
    """A plan's numbers: what people set."""
    partitions = plan.target.partitions
    factors = sorted({len(each.replicas) for each in partitions})
    return (
        f"brokers {', '.join(map(str, plan.target.brokers))} with {len(partitions)} partitions "
        f"of {' or '.join(map(str, factors))} replicas"
    )


def _plan_of(state: MemberState) -> Newness:
    if state.plan_epoch == 0:
        return NO_PLAN
    return Newness(state.plan_epoch, state.plan_step, state.plan_digest)


def _can_work_together(one: str, other: str) -> bool:
    """Whether two releases (`major.minor…`) are of one major and at most one minor apart."""
    try:
        first, second = _release(one), _release(other)
    except ValueError:
        return one == other
    return first[0] == second[0] and abs(first[1] - second[1]) <= 1


def _release(software: str) -> tuple[int, int]:
    major, minor, *_ = software.split(".")
    return int(major), int(minor)
