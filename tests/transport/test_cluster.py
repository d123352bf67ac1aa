"""Brokers that speak to each other: what arrives, what is joined, what is dropped."""

from __future__ import annotations

from typing import Any

import pytest
import zmq
from tests.transport.cluster import (
    Broker,
    bare_dealer,
    bare_router,
    brokers,
    endpoint_of,
    until,
    until_up,
)

from grevy.protocol.broker_codec import decode_broker_message, encode_broker_message
from grevy.protocol.broker_messages import BrokerItem, GroupMessage
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import AppendRequest
from grevy.transport import ClusterOptions, InsecurePort


async def test_what_one_turn_says_is_one_message() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        await until_up(one, two)
        items = tuple(one.heartbeat(7, partition_id) for partition_id in (1, 2, 3))
        assert all(one.links.send(2, item) for item in items)
        await until(lambda: two.heard)
        assert two.heard == [(1, items)]
        assert two.drains == [1]
        assert (two.sent_at_ms, two.late_ms) == ([one.clock.ms], [0])
        figures = one.links.statistics()
        assert (figures.messages_sent, figures.items_sent, figures.dropped) == (1, 3, 0)
        assert figures.links_up == 1
        assert two.links.statistics().messages_received == 1


async def test_answers_go_their_own_way() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        await until_up(one, two)
        await until_up(two, one)
        two.answer = lambda: two.heartbeat(8)
        one.links.send(2, one.heartbeat(7))
        await until(lambda: one.heard)
        assert one.heard == [(2, (two.heartbeat(8),))]


async def test_brokers_hear_only_what_is_for_them() -> None:
    one, two, three = Broker(1), Broker(2), Broker(3)
    with brokers(one, two, three):
        await until_up(one, two, three)
        for number in range(100):
            one.links.send(2 + number % 2, one.heartbeat(number))
        await until(lambda: len(two.rounds()) + len(three.rounds()) == 100)
        assert two.rounds() == list(range(0, 100, 2))
        assert three.rounds() == list(range(1, 100, 2))


async def test_without_a_link_or_a_connection_items_are_dropped() -> None:
    one = Broker(1)
    with brokers(one):
        assert not one.links.send(9, one.heartbeat(1))
        one.links.connect(9, "tcp://127.0.0.1:1")
        assert not one.links.send(9, one.heartbeat(2))
        assert not one.links.is_up(9)
        assert one.links.statistics().dropped == 2


async def test_a_contact_point_becomes_a_broker() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        gossip = Gossip(1, (), is_question=True)
        assert not one.links.send_to(two.endpoint, gossip)
        await until(lambda: one.links.statistics().links_up)
        assert one.links.send_to(two.endpoint, gossip)
        one.links.connect(2, two.endpoint)
        assert one.links.is_up(2)
        assert one.links.send(2, one.heartbeat(1))
        await until(lambda: two.heard)
        assert two.heard == [(1, (one.heartbeat(1), gossip))]
        assert two.links.statistics().connections == 1


async def test_a_broker_moves() -> None:
    one, old, new = Broker(1), Broker(2), Broker(2)
    with brokers(one, old, new):
        await until_up(one, old)
        await until_up(one, new)
        one.links.send(2, one.heartbeat(1))
        await until(lambda: new.heard)
        await until(lambda: not old.links.statistics().connections)
        assert old.heard == []


async def test_a_link_that_is_ended_has_sent_nothing_more() -> None:
    one, two, three = Broker(1), Broker(2), Broker(3)
    with brokers(one, two, three):
        await until_up(one, two, three)
        assert one.links.send(2, one.heartbeat(1))
        one.links.disconnect(2)
        one.links.disconnect(2)
        assert not one.links.send(2, one.heartbeat(2))
        one.links.send(3, one.heartbeat(3))
        await until(lambda: three.heard and not two.links.statistics().connections)
        assert two.heard == []
        one.links.disconnect_from(three.endpoint)
        assert not one.links.is_up(3)


async def test_a_message_to_oneself_is_not_heard() -> None:
    one = Broker(1)
    with brokers(one):
        await until_up(one, one)
        one.links.send(1, one.heartbeat(1))
        await until(lambda: one.drains)
        assert one.heard == []


async def test_flush_does_not_wait_for_the_end_of_the_turn() -> None:
    one = Broker(1)
    with brokers(one), bare_router() as router:
        one.links.connect(2, endpoint_of(router))
        await until(lambda: one.links.is_up(2))
        one.links.send(2, one.heartbeat(1))
        one.links.flush()
        assert router.poll(10_000)


async def test_large_appends_are_cut_into_messages() -> None:
    options = ClusterOptions(message_bytes_aim=10_000)
    one, two = Broker(1, options=options), Broker(2)
    with brokers(one, two):
        await until_up(one, two)
        entries = (JournalEntry(1, 1, bytes(6_000)),)
        item = GroupMessage(1, AppendRequest(1, 1, 0, 0, 0, 1, entries))
        for _ in range(5):
            assert one.links.send(2, item)
        await until(lambda: len(two.heard) == 5)
        assert {items for _, items in two.heard} == {(item,)}


async def test_a_turn_for_one_broker_is_bounded() -> None:
    options = ClusterOptions(outbox_bytes_max=20_000)
    one, two = Broker(1, options=options), Broker(2)
    with brokers(one, two):
        await until_up(one, two)
        entries = (JournalEntry(1, 1, bytes(30_000)),)
        large = GroupMessage(1, AppendRequest(1, 1, 0, 0, 0, 1, entries))
        assert one.links.send(2, large), "alone, it may be larger"
        assert not one.links.send(2, one.heartbeat(1))
        await until(lambda: two.heard)
        assert one.links.send(2, one.heartbeat(2))
        await until(lambda: two.rounds() == [2])


async def test_an_item_that_cannot_be_written_harms_no_other() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        await until_up(one, two)
        one.links.send(2, one.heartbeat(1))
        one.links.send(2, one.heartbeat(2**64))
        one.links.send(2, one.heartbeat(3))
        await until(lambda: len(two.rounds()) == 2)
        assert two.rounds() == [1, 3]
        assert one.links.statistics().dropped == 1


async def test_nothing_is_left_lying_when_turns_are_short() -> None:
    options = ClusterOptions(turn_messages_max=3)
    one, two = Broker(1), Broker(2, options=options)
    with brokers(one, two):
        await until_up(one, two)
        for number in range(60):
            one.links.send(2, one.heartbeat(number))
            one.links.flush()
        await until(lambda: len(two.rounds()) == 60)
        assert two.rounds() == list(range(60))
        assert max(b - a for a, b in zip([0, *two.drains], two.drains, strict=False)) <= 3


async def test_a_broker_that_does_not_read_costs_bounded_memory() -> None:
    options = ClusterOptions(high_water_mark=4)
    one, two = Broker(1, options=options), Broker(3)
    with brokers(one, two), bare_router() as router:
        one.links.connect(2, endpoint_of(router))
        await until(lambda: one.links.is_up(2))
        payload = JournalEntry(1, 1, bytes(1024 * 1024))
        item = GroupMessage(1, AppendRequest(1, 1, 0, 0, 0, 1, (payload,)))
        sent = 0
        while one.links.send(2, item):
            one.links.flush()
            sent += 1
            assert sent < 100
        assert one.links.statistics().dropped >= 1
        # Others do not suffer, and when it reads again it is spoken to again.
        await until_up(one, two)
        assert one.links.send(3, one.heartbeat(1))
        await until(lambda: two.heard)

        def is_taken() -> bool:
            while router.poll(0):
                router.recv_multipart()
            return one.links.send(2, one.heartbeat(2))

        await until(is_taken)


async def test_snapshots_have_their_own_way() -> None:
    options = ClusterOptions(bulk_high_water_mark=2)
    one = Broker(1, options=options)
    with brokers(one), bare_router() as router:
        one.links.connect(2, endpoint_of(router))
        await until(lambda: one.links.is_up(2))
        await until(lambda: one.links.send(2, one.chunk(1)))  # the first makes the lane
        sent = 0
        while one.links.send(2, one.chunk(2)):
            one.links.flush()
            sent += 1
            assert sent < 100
        # Megabytes wait, and the heartbeat is among the first that are read.
        assert one.links.send(2, one.heartbeat(1))
        one.links.flush()
        read = [_next(router)]
        while read[-1] != one.heartbeat(1):
            read.append(_next(router))
        assert len(read) <= 3


def _next(router: zmq.Socket[bytes]) -> BrokerItem:
    assert router.poll(10_000)
    (item,) = decode_broker_message(router.recv_multipart()[1]).items
    return item


async def test_what_was_queued_for_a_broker_that_ended_is_not_delivered_to_the_next() -> None:
    one = Broker(1, options=ClusterOptions(high_water_mark=8))
    with brokers(one):
        with bare_router() as router:
            endpoint = endpoint_of(router)
            one.links.connect(2, endpoint)
            await until(lambda: one.links.is_up(2))
            number = 0
            payload = (JournalEntry(1, 1, bytes(1024 * 1024)),)
            while one.links.send(2, GroupMessage(1, AppendRequest(1, 1, 0, 0, 0, 1, payload))):
                one.links.send(2, one.heartbeat(number))
                one.links.flush()
                number += 1
        await until(lambda: not one.links.is_up(2))
        two = Broker(2, endpoint=endpoint)
        with brokers(two):
            await until(lambda: one.links.send(2, one.heartbeat(1_000)) and two.heard)
            assert set(two.rounds()) == {1_000}


async def test_messages_that_took_long_are_told_and_counted() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        one.clock.ms -= 3_600_000  # clocks may differ, as long as they go alike
        await until_up(one, two)
        took: list[int] = []
        for late_ms in (0, 900, 5_000, 0):
            one.clock.ms -= late_ms
            one.links.send(2, one.heartbeat(1))
            one.links.flush()
            one.clock.ms += late_ms
            await until(lambda: len(two.heard) > len(took))
            took.append(late_ms)
        assert two.late_ms == [0, 900, 5_000, 0]
        figures = two.links.statistics()
        assert (figures.late, figures.late_ms_max) == (1, 5_000)


async def test_a_port_in_use_is_an_error_of_the_system() -> None:
    one = Broker(1)
    with brokers(one), pytest.raises(OSError, match="in use"):
        Broker(2, endpoint=one.endpoint)


async def test_an_open_port_has_to_be_meant() -> None:
    with pytest.raises(InsecurePort, match="not loopback"):
        Broker(1, endpoint="tcp://0.0.0.0:0")
    one = Broker(1, endpoint="tcp://0.0.0.0:0", options=ClusterOptions(is_insecure=True))
    one.links.close()
    one.links.close()


@pytest.mark.parametrize("name", ["high_water_mark", "malformed_max", "link_timeout_ms"])
def test_options_are_checked(name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be greater than 0"):
        ClusterOptions(**options)


# ── what no broker of the cluster would send ──────────────────────────────────────────────────────


async def assert_hears(receiver: Broker, sender: Broker) -> None:
    await until_up(sender, receiver)
    before = len(receiver.heard)
    assert sender.links.send(receiver.node_id, sender.heartbeat(99))
    await until(lambda: len(receiver.heard) > before)


async def test_another_cluster_is_not_heard() -> None:
    one, two, stranger = Broker(1), Broker(2), Broker(3, cluster_id="other")
    with brokers(one, two, stranger):
        await until_up(stranger, two)
        for number in range(5):
            stranger.links.send(2, stranger.heartbeat(number))
            stranger.links.flush()
        await until(lambda: two.links.statistics().foreign == 5)
        await assert_hears(two, one)
        assert {sender for sender, _ in two.heard} == {1}
        assert two.links.statistics().cut_off == 0
        assert two.foreign == []


async def test_of_another_cluster_only_gossip_is_told() -> None:
    two, stranger = Broker(2), Broker(3, cluster_id="other")
    gossip = Gossip(3, (), is_question=True)
    with brokers(two, stranger):
        await until_up(stranger, two)
        stranger.links.send(2, stranger.heartbeat(1))
        stranger.links.send(2, gossip)
        await until(lambda: two.foreign)
        assert two.foreign == [("other", gossip)]
        assert two.heard == []


@pytest.mark.parametrize(
    "frames",
    [[b""], [b"not a message"], [bytes(64)], "cut", "two"],
    ids=["empty", "text", "zeros", "cut short", "two frames"],
)
async def test_malformed_messages_are_counted_and_end_the_connection(
    frames: list[bytes] | str,
) -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two), bare_dealer(two.endpoint) as dealer:
        good = encode_broker_message(one.message(one.heartbeat(1)))
        if isinstance(frames, str):
            frames = [good[:-8]] if frames == "cut" else [good, good]
        for _ in range(3):
            dealer.send_multipart(frames)
        dealer.send(good)
        await until(lambda: two.links.statistics().cut_off)
        assert two.links.statistics().malformed == 3
        await assert_hears(two, one)
        assert two.rounds().count(1) <= 1  # it connects again, and is heard when it makes sense


async def test_a_connection_belongs_to_one_broker() -> None:
    one, two, three = Broker(1), Broker(2), Broker(3)
    with brokers(one, two, three), bare_dealer(two.endpoint) as dealer:
        dealer.send(encode_broker_message(one.message(one.heartbeat(1))))
        dealer.send(encode_broker_message(three.message(three.heartbeat(2))))
        dealer.send(encode_broker_message(one.message(one.heartbeat(3))))
        await until(lambda: len(two.heard) == 2)
        assert two.rounds() == [1, 3]
        assert two.links.statistics().malformed == 1


async def test_of_a_broker_with_the_same_id_only_gossip_is_heard() -> None:
    one, rival = Broker(1), Broker(1)
    with brokers(one, rival), bare_dealer(one.endpoint) as dealer:
        gossip = Gossip(1, ())
        dealer.send(encode_broker_message(rival.message(rival.heartbeat(1), gossip)))
        await until(lambda: one.heard)
        assert one.heard == [(1, (gossip,))]


async def test_who_names_itself_is_cut_off() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two):
        tries: list[int] = []
        while len(tries) < 2:  # the same name again is nobody's
            with bare_dealer(two.endpoint, routing_id=b"broker-1") as dealer:
                dealer.send(encode_broker_message(one.message(one.heartbeat(1))))
                await until(lambda: two.links.statistics().unheard > len(tries))
                tries.append(two.links.statistics().unheard)
        await assert_hears(two, one)
        assert two.rounds() == [99]


async def test_a_broker_that_comes_back_is_heard_on_its_new_connection() -> None:
    two = Broker(2)
    with brokers(two):
        for _ in range(3):
            one = Broker(1)
            with brokers(one):
                await assert_hears(two, one)
        await until(lambda: not two.links.statistics().connections)
        assert two.rounds() == [99] * 3


async def test_links_end_while_others_speak_to_them() -> None:
    one, two = Broker(1), Broker(2)
    with brokers(one, two), bare_dealer(two.endpoint) as dealer:
        frame = encode_broker_message(one.message(one.heartbeat(1)))
        dealer.send(frame)
        await until(lambda: two.heard)
        for _ in range(100):
            dealer.send(frame, zmq.NOBLOCK)
        two.links.close()
