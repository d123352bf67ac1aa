"""Requests of clients, each to the partition that it concerns.

A subscription is opened at a partition and then named by its number alone: who opened what is kept
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from grevy.partition import Outbox, Partition
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    CloseSubscription,
    ClusterRequest,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    Heartbeat,
    OpenJobSubscription,
    OpenRecordSubscription,
    Request,
    ServerItem,
    StatusReply,
    StatusRequest,
    SubscriptionClosed,
    TopologyReply,
    TopologyRequest,
)
from grevy.transport import Peer

Answer: TypeAlias = Callable[[bytes, str], None]
"""Takes the answer to a request about the cluster: a JSON document, or nothing, and why."""

RETRY_AFTER_MS: Final = 100
"""When a client should look again for who leads: others are elected, or this one is back."""


class Router:
    """What the transport asks for (its `Handler`), for all partitions of a broker.

    `partition_count` gives that of the cluster, 0 while it is not known; `topology` answers a
    request of the given number, `tell_status` gives the broker's figures, perhaps later, to what it
    is given, and `ask_cluster` takes what concerns the cluster as a whole.
    """

    def __init__(
        self,
        partition_count: Callable[[], int],
        topology: Callable[[int], TopologyReply],
        tell_status: Callable[[Callable[[Mapping[str, object]], None]], None],
        ask_cluster: Callable[[ClusterRequest, Answer], None] | None = None,
    ) -> None:
        self._partition_count = partition_count
        self._ask_cluster = ask_cluster
        self._topology = topology
        self._tell_status = tell_status
        self._partitions: Mapping[int, Partition] = {}
        self._outbox: Outbox | None = None
        self._touched: dict[int, Partition] = {}
        self._opened: dict[Peer, dict[int, Partition]] = {}
        self._is_closed = False

    def open(self, partitions: Mapping[int, Partition], outbox: Outbox) -> None:
        """From now on requests are taken, and answered through the outbox."""
        self._partitions = partitions
        self._outbox = outbox

    def close(self) -> None:
        """From now on commands are refused, and nothing else is taken."""
        self._is_closed = True

    def on_request(self, peer: Peer, request: Request) -> None:
        """One request of a client."""
        if self._is_closed:
            self._refuse_as_closed(peer, request)
            return
        match request:
            case CommandRequest():
                self._on_command(peer, request)
            case AddCredit() | AcknowledgeRecords() | CloseSubscription():
                self._on_opened(peer, request)
            case OpenJobSubscription() | OpenRecordSubscription():
                self._on_opening(peer, request)
            case TopologyRequest():
                self._send(peer, self._topology(request.number))
            case StatusRequest():
                number = request.number
                self._tell_status(lambda figures: self._send_status(peer, number, figures))
            case ClusterRequest():
                self._on_cluster_request(peer, request)
            case Heartbeat():
                pass

    def on_drained(self) -> None:
        """The requests of this turn are there."""
        touched, self._touched = self._touched, {}
        if not self._is_closed:
            for partition in touched.values():
                partition.on_drained()

    def on_vanished(self, peer: Peer) -> None:
        """A client is gone."""
        self._opened.pop(peer, None)
        if not self._is_closed:
            for partition in self._partitions.values():
                partition.on_vanished(peer)

    def _on_command(self, peer: Peer, request: CommandRequest) -> None:
        partition = self._partitions.get(request.partition_id)
        if partition is None:
            code, text = self._why_not_here(request.partition_id)
            retry_after_ms = RETRY_AFTER_MS if code is ErrorCode.NOT_LEADER else 0
            self._send(peer, ErrorReply(request.number, code, text, retry_after_ms))
            return
        self._touched[request.partition_id] = partition
        partition.on_request(peer, request)

    def _on_opening(
        self, peer: Peer, request: OpenJobSubscription | OpenRecordSubscription
    ) -> None:
        partition = self._partitions.get(request.partition_id)
        if partition is None:
            code, text = self._why_not_here(request.partition_id)
            self._send(peer, SubscriptionClosed(request.subscription, code, text))
            return
        self._opened.setdefault(peer, {})[request.subscription] = partition
        self._touched[request.partition_id] = partition
        partition.on_request(peer, request)

    def _on_opened(
        self, peer: Peer, request: AddCredit | AcknowledgeRecords | CloseSubscription
    ) -> None:
        """A subscription that is unknown has ended; its client will have heard of it by now."""
        opened = self._opened.get(peer, {})
        partition = opened.get(request.subscription)
        if partition is None:
            return
        if isinstance(request, CloseSubscription):
            del opened[request.subscription]
        self._touched[partition.partition_id] = partition
        partition.on_request(peer, request)

    def _on_cluster_request(self, peer: Peer, request: ClusterRequest) -> None:
        def answer(document: bytes, reason: str) -> None:
            if reason:
                self._send(peer, ErrorReply(request.number, ErrorCode.REFUSED, reason))
            else:
                self._send(peer, StatusReply(request.number, document))
            assert self._outbox is not None, "nothing is asked before the start"
            self._outbox.flush()

        if self._ask_cluster is None:
            answer(b"", "this broker is alone: it was started without contact points")
        else:
            self._ask_cluster(request, answer)

    def _why_not_here(self, partition_id: int) -> tuple[ErrorCode, str]:
        count = self._partition_count()
        if count == 0:
            return ErrorCode.NOT_LEADER, "this broker is no member of a cluster yet"
        if 1 <= partition_id <= count:
            return ErrorCode.NOT_LEADER, f"partition {partition_id} is not on this broker"
        there_are = "there is partition 1" if count == 1 else f"there are partitions 1 to {count}"
        return ErrorCode.UNKNOWN_PARTITION, f"there is no partition {partition_id}; {there_are}"

    def _refuse_as_closed(self, peer: Peer, request: Request) -> None:
        """The broker takes nothing more: a command had no effect, and may be tried elsewhere."""
        if isinstance(request, CommandRequest):
            text = "the broker is shutting down"
            code = ErrorCode.SHUTTING_DOWN
            self._send(peer, ErrorReply(request.number, code, text, RETRY_AFTER_MS))

    def _send_status(self, peer: Peer, number: int, figures: Mapping[str, object]) -> None:
        self._send(peer, StatusReply(number, msgspec.json.encode(figures)))

    def _send(self, peer: Peer, item: ServerItem) -> None:
        assert self._outbox is not None, "nothing is asked before the start"
        self._outbox.send(peer, item)
