"""Brokers and clients that have keys: they find each other, and nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import zmq
from tests.security.ports import Listening
from tests.transport.cluster import Broker, brokers, until, until_up

from grevy.client import ClientKeys, ClientOptions
from grevy.client.connection import Connection
from grevy.protocol.curve_keys import KeyPair
from grevy.protocol.messages import Heartbeat
from grevy.transport import (
    AllowList,
    InsecurePort,
    PortSecurity,
    Server,
    ServerOptions,
    new_key_pair,
)


class Cluster:
    """Brokers 1 to `count`, each with the list of all."""

    def __init__(self, folder: Path, count: int) -> None:
        self.pairs = {node_id: new_key_pair() for node_id in range(1, count + 1)}
        self.file = folder / "brokers"
        self.allow(self.pairs)
        self.brokers = {
            node_id: Broker(node_id, security=self.security(pair))
            for node_id, pair in self.pairs.items()
        }

    def security(self, pair: KeyPair) -> PortSecurity:
        return PortSecurity(pair, AllowList.load(self.file))

    def allow(self, pairs: dict[int, KeyPair]) -> None:
        draft = self.file.with_suffix(".new")
        draft.write_text("".join(f"{node_id} {pair.public}\n" for node_id, pair in pairs.items()))
        draft.replace(self.file)


async def test_brokers_with_keys_speak_to_each_other(tmp_path: Path) -> None:
    one, two, three = Cluster(tmp_path, 3).brokers.values()
    with brokers(one, two, three):
        await until_up(one, two, three)
        await until_up(two, one)
        two.answer = lambda: two.heartbeat(8)
        one.links.send(2, one.heartbeat(7))
        await until(lambda: one.heard)
        await until(lambda: one.links.send(3, one.chunk(1)))
        await until(lambda: three.heard)


async def test_a_contact_point_is_found_by_one_of_the_keys(tmp_path: Path) -> None:
    one, *others = Cluster(tmp_path, 4).brokers.values()
    with brokers(one, *others):
        for other in others:
            one.links.send_to(other.endpoint, one.heartbeat(1))
        await until(lambda: one.links.statistics().links_up == len(others))
        for other in others:
            one.links.send_to(other.endpoint, one.heartbeat(1))
        await until(lambda: all(other.heard for other in others))
        for other in others:
            one.links.connect(other.node_id, other.endpoint)
            assert one.links.is_up(other.node_id), "it had the right key already"


async def test_a_broker_at_another_s_endpoint_is_not_spoken_to(tmp_path: Path) -> None:
    one, two, three = Cluster(tmp_path, 3).brokers.values()
    with brokers(one, two, three):
        await until(lambda: one.links.send_to(three.endpoint, one.heartbeat(1)))
        one.links.connect(2, three.endpoint)
        assert not one.links.send(2, one.heartbeat(2))
        await until_up(two, one)
        two.links.send(1, two.heartbeat(3))
        await until(lambda: one.heard)
        assert not one.links.is_up(2)


async def test_a_key_speaks_for_its_own_broker_only(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 3)
    one, two, _ = cluster.brokers.values()
    thief = Broker(1, security=cluster.security(cluster.pairs[3]))
    with brokers(*cluster.brokers.values(), thief):
        await until_up(thief, two)
        for number in range(3):
            thief.links.send(2, thief.heartbeat(number))
            thief.links.flush()
        await until(lambda: two.links.statistics().cut_off)
        await until_up(one, two)
        one.links.send(2, one.heartbeat(99))
        await until(lambda: two.heard)
        assert two.rounds() == [99]
        assert two.links.statistics().malformed == 3


async def test_a_broker_that_is_taken_out_is_not_spoken_to(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 3)
    one, two, three = cluster.brokers.values()
    with brokers(one, two, three):
        await until_up(one, two, three)
        await until_up(two, one)
        cluster.allow({node_id: cluster.pairs[node_id] for node_id in (1, 3)})
        await until(lambda: not one.links.is_up(2))
        assert not one.links.send(2, one.heartbeat(1))
        await until(lambda: one.links.send(3, one.heartbeat(2)) and three.heard)
        await until(lambda: not two.links.is_up(1))
        cluster.allow(cluster.pairs)
        await until(lambda: one.links.is_up(2) and two.links.is_up(1))


async def test_a_broker_that_is_not_let_in_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(tmp_path, 2)
    one, two = cluster.brokers.values()
    stranger = new_key_pair()
    newcomer = Broker(3, security=cluster.security(stranger))
    with brokers(one, two, newcomer):
        newcomer.links.connect(1, one.endpoint)
        await until(lambda: newcomer.links.statistics().turned_away > 2)
        where = one.endpoint.removeprefix("tcp://")
        said = [text for text in caplog.messages if text.startswith(where)]
        assert said == [
            f"{where} does not let this broker in: its broker_keys do not have the public key "
            f"{stranger.public}"
        ], "once, and not for each try"
        assert stranger.secret not in caplog.text
        cluster.allow({**cluster.pairs, 3: stranger})
        await until(lambda: newcomer.links.is_up(1))
        newcomer.links.disconnect(1)
        assert newcomer.links.statistics().turned_away > 2


async def test_a_broker_with_another_key_than_listed_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(tmp_path, 2)
    one, two = cluster.brokers.values()
    with brokers(one, two):
        two.links.connect(1, one.endpoint)
        await until(lambda: two.links.is_up(1))
        cluster.allow({1: new_key_pair(), 2: cluster.pairs[2]})
        where = one.endpoint.removeprefix("tcp://")
        await until(lambda: f"{where} does not answer to the keys" in caplog.text)


async def test_brokers_with_and_without_keys_say_so_and_try_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """libzmq itself gives up where the mechanisms differ."""
    cluster = Cluster(tmp_path, 2)
    one, _ = cluster.brokers.values()
    open_one = Broker(3)
    with brokers(*cluster.brokers.values(), open_one):
        open_one.links.connect(1, one.endpoint)
        one.links.connect(2, open_one.endpoint)
        for sender, receiver, own in ((open_one, one, "no keys"), (one, open_one, "keys")):
            await until(lambda: sender.links.statistics().turned_away > 2)  # noqa: B023
            where = receiver.endpoint.removeprefix("tcp://")
            text = f"{where} cannot be spoken to, since this broker has {own}:"
            assert sum(message.startswith(text) for message in caplog.messages) == 1
        one.links.close()
        again = Broker(1, endpoint=one.endpoint)
        with brokers(again):
            await until(lambda: open_one.links.is_up(1))


async def test_a_key_is_replaced_while_both_are_allowed(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 2)
    one, two = cluster.brokers.values()
    new = new_key_pair()
    with brokers(one):
        with brokers(two):
            await until_up(one, two)
            with cluster.file.open("a") as file:
                file.write(f"2 {new.public}\n")
        again = Broker(2, endpoint=two.endpoint, security=cluster.security(new))
        with brokers(again):
            await until(lambda: one.links.send(2, one.heartbeat(1)) and again.heard)


class Caller:
    """Whoever a client's connection belongs to."""

    def __init__(self) -> None:
        self.is_up = asyncio.Event()

    def on_up(self, _connection: Connection) -> None:
        self.is_up.set()

    def on_down(self, _connection: Connection) -> None:
        self.is_up.clear()

    def on_items(self, _connection: object, _items: object) -> None:
        pass

    def on_unsendable(self, _request: object, _error: object) -> None:
        raise AssertionError


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "second", "third"])
async def test_a_client_finds_the_key_of_its_broker(place: int) -> None:
    own, client = new_key_pair(), new_key_pair()
    security = PortSecurity(own, AllowList({client.public: "shop"}))
    listening = Listening()
    loop = asyncio.get_running_loop()
    server = Server(loop, "tcp://127.0.0.1:0", listening, security=security)
    server.start()
    keys = [new_key_pair().public, new_key_pair().public]
    keys.insert(place, own.public)
    caller = Caller()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    connection = Connection(
        context,
        server.endpoint,
        caller,
        client_id=bytes(16),
        message_bytes_aim=1024,
        keys=ClientKeys(own=client, brokers=tuple(keys)),
    )
    try:
        await caller.is_up.wait()
        connection.send(Heartbeat(1))
        await until(lambda: listening.heard == [1])
    finally:
        connection.close()
        context.term()
        server.close()


async def test_a_client_whose_broker_has_another_key_can_be_closed() -> None:
    listening = Listening()
    security = PortSecurity(new_key_pair(), AllowList({}))
    loop = asyncio.get_running_loop()
    server = Server(loop, "tcp://127.0.0.1:0", listening, security=security)
    server.start()
    keys = ClientKeys(own=new_key_pair(), brokers=(new_key_pair().public, new_key_pair().public))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    connection = Connection(
        context, server.endpoint, Caller(), client_id=bytes(16), message_bytes_aim=1024, keys=keys
    )
    await until(lambda: "open" in connection._handles)
    connection.close()
    context.term()
    server.close()


async def test_an_open_port_for_clients_has_to_be_meant() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(InsecurePort, match="not loopback"):
        Server(loop, "tcp://0.0.0.0:0", Listening())
    Server(loop, "tcp://0.0.0.0:0", Listening(), ServerOptions(is_insecure=True)).close()
    security = PortSecurity(new_key_pair(), AllowList({}))
    Server(loop, "tcp://0.0.0.0:0", Listening(), security=security).close()


def test_options_hold_no_keys_by_default() -> None:
    assert ClientOptions().keys is None
