"""This broker's part in a cluster: what its replicas say to others, gossip, and who leads what.

partition ──send──▶ links ──▶ other brokers ──▶ links ──on_items──▶ partition
gossiper ──letters──▶ links            topology ◀── gossiper ──▶ membership: the plan
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from grevy.broker.addresses import AddressBook
from grevy.broker.cluster_requests import ClusterRequests
from grevy.broker.config import NO_FILE, BrokerConfig
from grevy.broker.hosts import WHOLE, Share
from grevy.broker.membership import Membership, Plans
from grevy.broker.replicas import Replicas
from grevy.cluster import (
    Broker,
    Gossiper,
    GossipSettings,
    LeadBack,
    Letter,
    MembershipConflict,
    Whereabouts,
    living_leaders,
    primary_of,
    topology_of,
)
from grevy.engine import Command, SentCommand
from grevy.partition import Partition
from grevy.ports import Clock, Entropy
from grevy.protocol.broker_messages import (
    BrokerItem,
    ClusterAnswer,
    ClusterQuestion,
    GroupMessage,
    RemoteCommand,
)
from grevy.protocol.curve_keys import load_key_pair
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.member_ids import member_id, name_of, node_of
from grevy.protocol.messages import TopologyReply
from grevy.protocol.raft_messages import RaftMessage
from grevy.transport import (
    AllowList,
    ClusterHandler,
    ClusterLinks,
    ClusterOptions,
    PortSecurity,
)

_log = logging.getLogger(__name__)

TICK_S: Final = 0.05
"""How soon a change of leaders is noticed and told; gossip has rounds of its own."""


HURRY_MS: Final = 5_000
"""The hosts of a broker begin at about the same time: so long they gossip with every tick as long
as they have not found each other.
"""


def security_of(config: BrokerConfig, allowed: Path) -> PortSecurity:
    """This broker's identity, and who may come in. Raises `KeyFileError`."""
    return PortSecurity(load_key_pair(config.keys), AllowList.load(allowed))


def links_security_of(config: BrokerConfig, share: Share) -> PortSecurity | None:
    """That of the links. The hosts of a lone broker that has keys know each other by these."""
    if config.has_cluster_keys:
        return security_of(config, config.broker_keys)
    if share.is_alone and config.keys != NO_FILE:
        keys = load_key_pair(config.keys)
        return PortSecurity(keys, AllowList({keys.public: str(config.node_id)}))
    return None


class Links(Protocol):
    """The links to the other brokers, as `ClusterLinks` has them."""

    def start(self) -> None:
        """Begin to read."""

    def close(self) -> None:
        """Send what waits, as far as it goes, and be gone."""

    def connect(self, node_id: int, endpoint: str) -> None:
        """Make a link to a broker; one to another endpoint than before ends that one."""

    def is_up(self, node_id: int) -> bool:
        """Whether there is a connection to a broker, as far as is known."""
        ...

    def send(self, node_id: int, item: BrokerItem) -> bool:
        """Queue an item for a broker; False when it is dropped."""
        ...

    def send_to(self, endpoint: str, item: BrokerItem) -> bool:
        """The same for a broker whose node id is not known yet."""
        ...


class Cluster:
    """Everything between this broker and the others. `plans` say who holds which partition;
    `on_removed` hears that this broker is no member any more. `addresses` are where the others were
    before. Where the broker has several hosts, this is one of them, and a member of its own.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        entropy: Entropy,
        config: BrokerConfig,
        plans: Plans,
        *,
        client_endpoint: str,
        software: str,
        on_removed: Callable[[], None],
        on_failed: Callable[[BaseException], None],
        make_links: Callable[[ClusterHandler], Links] | None = None,
        addresses: AddressBook | None = None,
        share: Share = WHOLE,
    ) -> None:
        self._member = member_id(config.node_id, share.host)
        self._share = share
        self._began_ms = clock.monotonic_ns() // 1_000_000
        self._whereabouts: Whereabouts | None = None
        self._news = asyncio.Event()
        self._loop = loop
        self._clock = clock
        self._config = config
        self._software = software
        self._on_failed = on_failed
        self._replicas: Replicas | None = None
        self._partitions: Mapping[int, Partition] = {}
        self._touched: dict[int, Partition] = {}
        self._endpoints: dict[int, str] = {}
        self._connected: frozenset[int] = frozenset()
        self._problems: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        endpoint = f"{config.cluster_host}:{config.cluster_port}"
        self._links = make_links(self) if make_links is not None else self._listen(endpoint)
        settings = GossipSettings(
            cluster_id=config.cluster_id,
            node_id=self._member,
            cluster_endpoint=config.cluster_address,
            client_endpoint=client_endpoint,
            software=software,
            contacts=config.contacts,
            known=() if addresses is None else addresses.known,
        )
        self._addresses = addresses
        self._gossiper = Gossiper(settings, entropy, clock.now_ms(), plans.plan)
        self._membership = Membership(
            *(config.node_id, plans, self._gossiper, self._now_ms),
            send=self._send_letters,
            lead_back=LeadBack(round(config.lead_back_s * 1000)),
            on_removed=on_removed,
            on_failed=on_failed,
        )
        self.requests: Final = ClusterRequests(
            *(settings, self._membership, self._gossiper, self._now_ms),
            send=self._links.send,
            send_letters=self._send_letters,
        )
        """What those who run the cluster ask for."""

    def _listen(self, endpoint: str) -> Links:
        config = self._config
        return ClusterLinks(
            *(self._loop, f"tcp://{endpoint}", self),
            node_id=self._member,
            cluster_id=config.cluster_id,
            clock=self._clock,
            options=ClusterOptions(is_insecure=config.insecure),
            security=links_security_of(config, self._share),
        )

    def start(self, replicas: Replicas) -> None:
        """Begins to speak and to listen."""
        self._replicas = replicas
        self._partitions = replicas.partitions
        self._membership.start(replicas)
        self._links.start()
        self._tick()

    def close(self) -> None:
        """Says farewell, and is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._send_letters(self._gossiper.leave(self._now_ms()))
        self._links.close()

    async def wait_led(self) -> None:
        """Until each partition has a leader, as far as this member has heard."""
        plan = self._membership.plan
        placements = () if plan is None else plan.current.partitions
        while not all(self._where().leader_of(each.partition_id) for each in placements):
            self._news.clear()
            await self._news.wait()

    def send(self, partition_id: int, receiver: int, message: RaftMessage) -> None:
        """A replica speaks to another; what cannot be sent is lost, as raft expects."""
        member = self._where().member_of(partition_id, receiver)
        self._links.send(member, GroupMessage(partition_id, message))

    def post(self, source_partition_id: int, sent: SentCommand) -> None:
        """A partition's command for another one, to whoever leads that; lost if nobody does."""
        command = sent.command
        item = RemoteCommand(
            sent.partition_id, source_partition_id, command.intent, command.key, command.value
        )
        self._links.send(self._where().leader_of(sent.partition_id), item)

    def topology(self, number: int) -> TopologyReply:
        """The answer to a client's request: who leads what, and how the brokers are, as far as
        this one knows.
        """
        return topology_of(
            self._membership.plan,
            self._brokers(),
            number=number,
            cluster_id=self._config.cluster_id,
            version=self._software,
        )

    def tell_replicas(self) -> None:
        """What this broker's replicas are: where one leads now, or no longer, all are told at
        once.
        """
        if self._replicas is not None:
            states = self._replicas.states()
            self._forget_where()
            self._send_letters(self._gossiper.set_replicas(states, self._now_ms()))

    # ── what the links ask for ────────────────────────────────────────────────────────────────────

    def on_items(
        self, sender: int, items: tuple[BrokerItem, ...], sent_at_ms: int, late_ms: int
    ) -> None:
        """What another broker says."""
        del sent_at_ms, late_ms  # terms and versions say what is news, not clocks
        for item in items:
            match item:
                case GroupMessage():
                    partition = self._partitions.get(item.partition_id)
                    if partition is not None and item.message.sender == node_of(sender):
                        self._touched[item.partition_id] = partition
                        partition.on_message(item.message)
                case RemoteCommand():
                    partition = self._partitions.get(item.partition_id)
                    if partition is not None:
                        self._touched[item.partition_id] = partition
                        command = Command(item.intent, item.key, item.value)
                        partition.on_remote_command(command, item.source_partition_id)
                case Gossip():
                    self._hear(item)
                case ClusterQuestion():
                    self.requests.on_question(sender, item)
                case ClusterAnswer():
                    self.requests.on_answer(item)

    def on_foreign(self, cluster_id: str, gossip: Gossip) -> None:
        """A broker of another cluster has this one's address, or this one has its: both say so."""
        self._send_letters(self._letters_for(cluster_id, gossip))

    def on_drained(self) -> None:
        """The messages of this turn are there."""
        touched, self._touched = self._touched, {}
        for partition in touched.values():
            partition.on_drained()

    # ── gossip ────────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._doubt_lost_leaders()
        self.tell_replicas()
        now_ms = self._now_ms()
        is_young = now_ms < self._began_ms + HURRY_MS
        if self._share.hosts > 1 and is_young and self._gossiper.unanswered(now_ms):
            self._gossiper.hurry(now_ms)
        self._send_letters(self._gossiper.tick(now_ms))
        self._membership.tick()
        self.requests.tick()
        self._tell_problems()

    def _doubt_lost_leaders(self) -> None:
        """A process that is killed ends its connections at once: those that it led need not wait
        for all of the time-out that says that nobody leads them.
        """
        connected = frozenset(filter(self._links.is_up, self._endpoints))
        lost, self._connected = self._connected - connected, connected
        for partition_id, partition in self._partitions.items() if lost else ():
            if self._where().member_of(partition_id, partition.leader) in lost:
                partition.group.doubt_leader()

    def _letters_for(self, cluster_id: str, gossip: Gossip) -> list[Letter]:
        """What there is to say to a gossip; where this broker cannot be, it ends."""
        try:
            return self._gossiper.receive(cluster_id, gossip, self._now_ms())
        except MembershipConflict as error:
            _log.critical("this broker cannot be where it is: %s", error)
            self._on_failed(error)
            return []

    def _hear(self, gossip: Gossip) -> None:
        letters = self._letters_for(self._config.cluster_id, gossip)
        self._forget_where()
        self._send_letters(letters)
        for broker in self._brokers():
            member, endpoint = broker.state.node_id, broker.state.cluster_endpoint
            if member != self._member and self._endpoints.get(member) != endpoint:
                self._endpoints[member] = endpoint
                self._links.connect(member, f"tcp://{endpoint}")
                _log.info("%s is at %s", name_of(member), endpoint)
                self._stand_where_first()
                self._note_addresses()
        if self._replicas is not None:
            others = [each.state for each in self._brokers() if each.state.node_id != self._member]
            self._replicas.hear(others)
        self._membership.tick()

    def _note_addresses(self) -> None:
        if self._addresses is not None:
            try:
                self._addresses.note(self._endpoints.values())
            except OSError as error:
                _log.warning("cannot write down where the other brokers are: %s", error)

    def _stand_where_first(self) -> None:
        """Somebody new is there: partitions that this broker should lead need not wait for the
        time-out that says that nobody leads them.
        """
        plan = self._membership.plan
        for placement in () if plan is None else plan.current.partitions:
            partition = self._partitions.get(placement.partition_id)
            if partition is not None and primary_of(placement) == self._config.node_id:
                partition.stand()

    def _tell_problems(self) -> None:
        """What is wrong with other brokers, once each."""
        problems = set(map(str, self._gossiper.problems(self._now_ms())))
        for problem in problems - self._problems:
            _log.error("%s", problem)
        self._problems = problems

    def _brokers(self) -> tuple[Broker, ...]:
        return self._gossiper.brokers(self._now_ms())

    def _forget_where(self) -> None:
        self._whereabouts = None
        self._news.set()

    def _where(self) -> Whereabouts:
        """As of the last tick, or what was heard since."""
        if self._whereabouts is None:
            brokers = self._brokers()
            self._whereabouts = Whereabouts(brokers, living_leaders(brokers))
        return self._whereabouts

    def _send_letters(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            self._links.send_to(f"tcp://{letter.endpoint}", letter.gossip)

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000
