"""Who has subscribed to a partition's records: what they are sent, and how far exporters are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from grevy.partition.requests import fault_of_acknowledgement
from grevy.partition.storage import PartitionStorage
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    ErrorCode,
    OpenRecordSubscription,
    RecordPush,
    ServerItem,
    SubscriptionClosed,
    SubscriptionOpened,
)
from grevy.stream import RecordFeed
from grevy.transport import Peer

Send: TypeAlias = Callable[[Peer, ServerItem], None]
"""Queues an item for a client."""


class RecordSubscriptions:
    """The record feed of a partition, with clients at its end."""

    def __init__(self, storage: PartitionStorage, send: Send) -> None:
        self._storage = storage
        self._send = send
        self._feed = RecordFeed(storage.log)
        self._waiting: dict[tuple[Peer, int], OpenRecordSubscription] = {}

    def open(self, peer: Peer, request: OpenRecordSubscription, *, is_alone: bool) -> None:
        """Opens a subscription: from a position, or where its exporter has come to.

        An exporter's waits until the log names it, where others have the log too (`is_alone`: they
        don't). If it began before, and another one led then who does not know of it, that one might
        have dropped what was committed meanwhile.
        """
        if request.exporter_id:
            self._storage.exporters.register(request.exporter_id)
            if not is_alone and not self._storage.exporters.is_named(request.exporter_id):
                self._waiting[peer, request.subscription] = request
                return
        self._begin(peer, request)

    def open_named(self, *, is_alone: bool) -> None:
        """Something was committed: maybe what names exporters that wait."""
        for (peer, number), request in list(self._waiting.items()):
            if is_alone or self._storage.exporters.is_named(request.exporter_id):
                del self._waiting[peer, number]
                self._begin(peer, request)

    def _begin(self, peer: Peer, request: OpenRecordSubscription) -> None:
        exporter = self._storage.exporters.get(request.exporter_id)
        start = request.from_position
        if start < 0:
            start = exporter.position + 1 if exporter is not None else 0
        subscription = self._feed.open(
            peer, request.subscription, start, request.value_types, request.exporter_id
        )
        if self._storage.log.first_position_from(subscription.next_index) is None:
            # A log that came after a snapshot may hold no record: all that there was is gone.
            newest = self._storage.state.applied_position
            subscription.seen = max(subscription.seen, newest)
        subscription.credit = request.credit
        metadata = exporter.metadata if exporter is not None else b""
        opened = SubscriptionOpened(request.subscription, subscription.seen, metadata)
        self._send(peer, opened)

    def add_credit(self, peer: Peer, request: AddCredit) -> bool:
        """Lets a subscriber have more entries; False when there is none to have them."""
        subscription = self._feed.find(peer, request.subscription)
        if subscription is None or request.credit <= 0:
            return False
        subscription.credit += request.credit
        return True

    def acknowledge(self, peer: Peer, request: AcknowledgeRecords) -> str:
        """Notes how far an exporter is; what is wrong with the request, or nothing."""
        subscription = self._feed.find(peer, request.subscription)
        if subscription is None or not subscription.exporter_id:
            return ""
        fault = fault_of_acknowledgement(request, self._storage.state.applied_position)
        if not fault:
            self._storage.exporters.acknowledge(
                subscription.exporter_id, request.position, request.metadata
            )
        return fault

    def close(self, peer: Peer, number: int) -> None:
        """Ends a subscription, if there is one."""
        self._waiting.pop((peer, number), None)
        self._feed.close(peer, number)

    def close_all(self, peer: Peer) -> None:
        """Ends all subscriptions of a client."""
        for key in [key for key in self._waiting if key[0] == peer]:
            del self._waiting[key]
        self._feed.close_all(peer)

    def end_all(self, code: ErrorCode, why: str) -> None:
        """Ends all subscriptions, and tells their clients."""
        for ended in self._feed.end_all():
            assert isinstance(ended.owner, Peer), ended.owner
            self._send(ended.owner, SubscriptionClosed(ended.number, code, why))
        for peer, number in self._waiting:
            self._send(peer, SubscriptionClosed(number, code, why))
        self._waiting.clear()

    def push(self, commit_index: int) -> None:
        """Sends what is committed to whoever has credit for it."""
        if self._feed.is_empty:
            return
        for lost in self._feed.drop_overtaken():
            assert isinstance(lost.owner, Peer), lost.owner
            text = f"the log no longer has what follows position {lost.seen}"
            closed = SubscriptionClosed(lost.number, ErrorCode.UNAVAILABLE, text)
            self._send(lost.owner, closed)
        while fed := self._feed.pump(commit_index):
            for item in fed:
                owner = item.subscription.owner
                assert isinstance(owner, Peer), owner
                push = RecordPush(item.subscription.number, item.entries, item.up_to)
                self._send(owner, push)
