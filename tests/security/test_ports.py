"""Who is heard at which port: each port with each case."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import zmq
from tests.security.ports import Guarded, Stranger, assert_honest_is_heard, stranger
from tests.transport.cluster import until

from grevy.protocol.curve_keys import KeyPair
from grevy.transport import curve, new_key_pair

Ports = Callable[[], AbstractContextManager[dict[str, Guarded]]]

each_port = pytest.mark.parametrize("name", ["client", "cluster"])
OTHER = {"client": "cluster", "cluster": "client"}
STRANGERS_NUMBER = 666


@each_port
async def test_who_is_allowed_is_heard(ports: Ports, name: str) -> None:
    with ports() as both:
        await assert_honest_is_heard(both[name])
        assert both[name].denied() == 0
        assert both[name].guard.is_running


@each_port
@pytest.mark.parametrize(
    "case",
    ["no CURVE", "wrong server key", "unknown key", "key of the other port", "revoked before"],
)
async def test_who_is_not_allowed_is_not_heard(ports: Ports, name: str, case: str) -> None:
    with ports() as both:
        port = both[name]
        keys: KeyPair | None = port.honest
        server_key = port.server_key
        match case:
            case "no CURVE":
                keys = None
            case "wrong server key":
                server_key = both[OTHER[name]].server_key
            case "unknown key":
                keys = new_key_pair()
            case "key of the other port":
                keys = both[OTHER[name]].honest
            case "revoked before":
                other = new_key_pair()
                port.allow(other)
                await until(lambda: port.guard.allowed.name_of(other.public) is not None)
                port.honest = other
        with stranger(port, keys, server_key) as them:
            them.socket.send(port.frame(STRANGERS_NUMBER))
            await until(them.is_out)
            assert not them.is_in()
            # Every denial is counted; who has no or the wrong server's key doesn't get so far.
            await until(lambda: port.denied() or case in ("no CURVE", "wrong server key"))
            await assert_honest_is_heard(port)
        assert STRANGERS_NUMBER not in port.heard


@each_port
async def test_a_key_that_is_revoked_loses_its_connection(ports: Ports, name: str) -> None:
    with ports() as both:
        port, other = both[name], new_key_pair()
        with stranger(port, port.honest) as them:
            them.socket.send(port.frame(1))
            await until(lambda: port.heard == [1])
            port.allow(other)
            await until(them.is_out)
            for _ in range(5):
                them.socket.send(port.frame(STRANGERS_NUMBER), zmq.NOBLOCK)
            port.honest = other
            await assert_honest_is_heard(port, 2)
        assert port.heard == [1, 2]


@each_port
async def test_a_key_that_is_revoked_before_its_first_word_is_not_heard(
    ports: Ports, name: str
) -> None:
    """Its connection stands, but nothing has come through it: nobody knows whose it is."""
    with ports() as both:
        port, other = both[name], new_key_pair()
        with stranger(port, port.honest) as them:
            await until(them.is_in)
            port.allow(other)
            await until(lambda: port.guard.allowed.name_of(other.public) is not None)
            them.socket.send(port.frame(STRANGERS_NUMBER))
            await until(them.is_out)
            port.honest = other
            await assert_honest_is_heard(port)
        assert port.heard == [1]


def test_a_list_is_looked_at_often_enough() -> None:
    """A key that was taken out has no effect after a second at the latest."""
    assert curve._LOOK_AGAIN_S <= 0.5


@each_port
async def test_without_a_handler_nobody_new_comes_in(ports: Ports, name: str) -> None:
    with ports() as both:
        port = both[name]
        with stranger(port, port.honest) as before:
            before.socket.send(port.frame(1))
            await until(lambda: port.heard == [1])
            port.guard.close()
            assert not port.guard.is_running
            for keys in (port.honest, new_key_pair(), None):
                with stranger(port, keys) as them:
                    them.socket.send(port.frame(STRANGERS_NUMBER))
                    await until(them.is_out)
                    assert not them.is_in()
            before.socket.send(port.frame(2))
            await until(lambda: port.heard == [1, 2])


@each_port
async def test_a_handler_that_does_not_answer_lets_nobody_in(ports: Ports, name: str) -> None:
    with ports() as both:
        port = both[name]
        port.guard._watch.stop()
        with stranger(port, port.honest) as them:
            them.socket.send(port.frame(STRANGERS_NUMBER))
            await until(them.is_connected)
            await assert_honest_is_heard(both[OTHER[name]])
            assert not them.is_in()
            assert port.heard == []
            port.guard._watch.start()
            await until(lambda: port.heard == [STRANGERS_NUMBER])


@each_port
async def test_garbage_and_half_handshakes_keep_nobody_out(ports: Ports, name: str) -> None:
    with ports() as both:
        port = both[name]
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x00" + bytes(31)
        host, _, number = port.endpoint.removeprefix("tcp://").rpartition(":")
        with zmq.Context() as context:
            raw = [context.socket(zmq.STREAM) for _ in range(20)]
            for count, socket in enumerate(raw):
                socket.LINGER = 0
                socket.connect(f"tcp://{host}:{number}")
                identity = socket.getsockopt(zmq.ROUTING_ID)
                assert isinstance(identity, bytes)
                socket.send_multipart([identity, greeting[: 3 * count] + os.urandom(count)])
            await assert_honest_is_heard(port)
            for socket in raw:
                socket.close()
        assert port.heard == [1]


@each_port
async def test_denials_are_logged_with_the_public_key_and_not_one_by_one(
    ports: Ports, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ports() as both:
        port = both[name]
        keys = new_key_pair()
        refused: list[Stranger] = []
        while len(refused) < 5:
            with stranger(port, keys) as them:
                await until(them.is_out)
            refused.append(them)
            await until(lambda: port.denied() >= len(refused))
        await assert_honest_is_heard(port)
    denials = [text for text in caplog.messages if "is not allowed" in text]
    assert denials
    assert keys.public in denials[0]
    assert "127.0.0.1" in denials[0]
    assert len(denials) < port.denied()
    for secret in (keys.secret, port.honest.secret, port.guard._keys.secret):
        assert secret not in caplog.text


@each_port
async def test_a_list_that_cannot_be_read_changes_nothing(
    ports: Ports, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ports() as both:
        port = both[name]
        with stranger(port, port.honest) as them:
            them.socket.send(port.frame(1))
            await until(lambda: port.heard == [1])
            port.allow_file.write_text("half a li")
            await until(lambda: "stays as it was" in caplog.text)
            them.socket.send(port.frame(2))
            await until(lambda: port.heard == [1, 2])
            await assert_honest_is_heard(port, 3)
            port.allow()
            await until(them.is_out)
