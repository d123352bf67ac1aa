"""Bad input of every kind to a real broker: a clear error for who sent it; the broker stays up, and
nothing that it has acknowledged is lost.

One broker serves all tests here. After each of them it takes an order of an honest client. In the
end it is killed, and must have all of these orders when it starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec
import pytest
import zmq
from tests.broker.processes import BrokerProcess

from grevy.client import BadRequest, InvalidArgument, NotFound, SyncClient, TooLarge
from grevy.engine import CLIENT_COMMANDS
from grevy.protocol.codec import (
    decode_server_message,
    encode_client_message,
    encode_entry,
    encode_server_message,
)
from grevy.protocol.intents import (
    Intent,
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.limits import (
    DOCUMENT_BYTES_MAX,
    EXPORTER_METADATA_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    NAME_CHARS_MAX,
)
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    ClientMessage,
    CloseSubscription,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    Heartbeat,
    OpenJobSubscription,
    OpenRecordSubscription,
    Request,
    ServerItem,
    ServerMessage,
    StatusReply,
    SubscriptionClosed,
    TopologyRequest,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import VALUES, JobValue, ProcessInstanceCreationValue, Value

MODEL: Final = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
</bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
</bpmn:serviceTask><bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""
CLIENT_ID: Final = b"a stranger......"
CREATE: Final = ProcessInstanceCreationIntent.CREATE
CREATION: Final = ProcessInstanceCreationValue("p", variables=b'{"a":1}', fetch_variables=("a",))
PATIENCE_MS: Final = 20_000
I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1


class Stranger:
    """A bare connection that sends what it likes."""

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.LINGER = 0
        self.socket.RCVTIMEO = PATIENCE_MS
        self.socket.connect(f"tcp://{address}")

    def send(self, *requests: Request) -> None:
        """Well-formed requests."""
        self.socket.send(encode_client_message(ClientMessage(CLIENT_ID, requests)))

    def receive(self) -> list[ServerItem]:
        """The items of the next message."""
        return list(decode_server_message(self.socket.recv()).items)

    def receive_many(self, count: int) -> list[ServerItem]:
        """So many items."""
        items: list[ServerItem] = []
        while len(items) < count:
            items += self.receive()
        return items

    def close(self) -> None:
        """Hang up."""
        self._context.destroy(linger=0)


class Victim:
    """The broker, and its honest client with what was acknowledged to it."""

    def __init__(self, folder: Path) -> None:
        self.broker = BrokerProcess(folder)
        self.broker.start()
        self.client = SyncClient.connect(self.broker.address)
        self.client.deploy(("p.bpmn", MODEL))
        self.acknowledged: set[int] = set()

    @contextmanager
    def stranger(self) -> Iterator[Stranger]:
        """A new connection."""
        stranger = Stranger(self.broker.address)
        try:
            yield stranger
        finally:
            stranger.close()

    def order(self) -> None:
        """The honest client is served."""
        self.acknowledged.add(self.client.create_instance("p", variables={"n": 1}).key)

    def check_nothing_is_lost(self) -> None:
        """Kill the broker, start it again, and count."""
        self.client.close()
        self.broker.kill()
        self.broker.start()
        with SyncClient.connect(self.broker.address) as client:
            jobs = client.activate_jobs("work", max_jobs=10 * len(self.acknowledged) + 1_000)
        assert self.acknowledged <= {job.process_instance_key for job in jobs}
        self.broker.stop()


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("broker"))
    yield victim
    victim.check_nothing_is_lost()


@pytest.fixture
def victim(_shared: Victim) -> Iterator[Victim]:
    yield _shared
    _shared.order()


# ── frames ────────────────────────────────────────────────────────────────────────────────────────

GOOD: Final = encode_client_message(
    ClientMessage(CLIENT_ID, (CommandRequest(1, 1, CREATE, -1, CREATION), TopologyRequest(2)))
)
WORDS: Final = range(0, len(GOOD), 8)


def _overwritten(at: int, word: bytes) -> bytes:
    return GOOD[:at] + word + GOOD[at + 8 :]


BREAKS: Final[dict[str, Callable[[int], bytes]]] = {
    "zeros": lambda at: _overwritten(at, bytes(8)),
    "ones": lambda at: _overwritten(at, b"\xff" * 8),
    "one bit": lambda at: _overwritten(at, bytes([GOOD[at] ^ 1]) + GOOD[at + 1 : at + 8]),
    "high bit": lambda at: _overwritten(at, GOOD[at : at + 7] + bytes([GOOD[at + 7] ^ 0x80])),
    "the word before": lambda at: _overwritten(at, GOOD[at - 8 : at] or bytes(8)),
    "cut": lambda at: GOOD[:at],
    "cut inside": lambda at: GOOD[: at + 5],
    "a word more": lambda at: GOOD[:at] + bytes(8) + GOOD[at:],
    "a word less": lambda at: GOOD[:at] + GOOD[at + 8 :],
}


@pytest.mark.parametrize("name", BREAKS)
def test_frames_that_are_broken_at_each_place(victim: Victim, name: str) -> None:
    refused = 0
    for at in WORDS:
        with victim.stranger() as stranger:
            stranger.socket.send(BREAKS[name](at))
            stranger.send(TopologyRequest(77))
            replies = stranger.receive_many(1)
            refused += any(
                isinstance(item, ErrorReply) and item.code is ErrorCode.MALFORMED and item.message
                for item in replies
            )
    assert refused > len(WORDS) // 5, "most places count"


ENTRY: Final = encode_entry(Entry(1, 1, 1, 1, (Record(RecordType.COMMAND, CREATE, -1, CREATION),)))


@pytest.mark.parametrize(
    "frames",
    [
        (b"",),
        (b"GET / HTTP/1.1\r\n\r\n",),
        (bytes(1_000_000),),
        (b"\xff" * 1_000_000,),
        (GOOD, GOOD),
        (GOOD + GOOD,),
        (encode_server_message(ServerMessage((StatusReply(1, b"{}"),))),),
        (ENTRY,),
        (encode_client_message(ClientMessage(b"short", (Heartbeat(1),))),),
        (encode_client_message(ClientMessage(CLIENT_ID, ())) + b"\1",),
    ],
    ids=[
        *("empty", "another protocol", "zeros", "ones", "two frames", "doubled", "a broker's"),
        *("an entry", "a short client id", "a byte too many"),
    ],
)
def test_messages_of_nobody(victim: Victim, frames: tuple[bytes, ...]) -> None:
    with victim.stranger() as stranger:
        stranger.socket.send_multipart(frames)
        (error, *_) = stranger.receive()
        # Some of these are frames of another kind, in which a message without requests can be read.
        if isinstance(error, ErrorReply):
            assert (error.code, bool(error.message)) == (ErrorCode.MALFORMED, True)


def test_a_message_beyond_all_limits_ends_its_connection_only(victim: Victim) -> None:
    with victim.stranger() as stranger:
        monitor = stranger.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        stranger.send(Heartbeat(1))
        stranger.socket.send(bytes(MESSAGE_BYTES_MAX + 1))
        assert monitor.poll(PATIENCE_MS) == zmq.POLLIN, "the broker hangs up"
        stranger.socket.disable_monitor()


# ── requests ──────────────────────────────────────────────────────────────────────────────────────


def ask(victim: Victim, *requests: Request) -> ServerItem:
    """What a broker says to some requests of a stranger."""
    with victim.stranger() as stranger:
        stranger.send(*requests)
        return stranger.receive()[0]


def command(intent: Intent, key: int, value: Value, partition_id: int = 1) -> CommandRequest:
    """A command."""
    return CommandRequest(1, partition_id, intent, key, value)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (command(JobIntent.COMPLETE, 5, CREATION), ErrorCode.MALFORMED, "not of its value type"),
        (command(CREATE, -1, JobValue()), ErrorCode.MALFORMED, "not of its value type"),
        (command(JobIntent.CREATED, 5, JobValue()), ErrorCode.UNSUPPORTED, "JOB CREATED is not a"),
        (
            command(
                ProcessInstanceIntent.COMPLETE_ELEMENT,
                5,
                VALUES[ProcessInstanceIntent.COMPLETE_ELEMENT.value_type](),
            ),
            ErrorCode.UNSUPPORTED,
            "COMPLETE_ELEMENT is not a command of clients",
        ),
        (command(CREATE, -1, CREATION, 0), ErrorCode.UNKNOWN_PARTITION, "no partition 0"),
        (command(CREATE, -1, CREATION, 2), ErrorCode.UNKNOWN_PARTITION, "no partition 2"),
    ],
)
def test_requests_that_are_none(
    victim: Victim, request_: CommandRequest, code: ErrorCode, text: str
) -> None:
    reply = ask(victim, request_)
    assert isinstance(reply, ErrorReply)
    assert reply.code is code
    assert text in reply.message


JOBS: Final = OpenJobSubscription(1, 1, "nothing", "w", 1_000, (), 1)
RECORDS: Final = OpenRecordSubscription(1, 1, 0, (), 0, "someone")


@pytest.mark.parametrize(
    ("requests", "code", "text"),
    [
        ([(JOBS, {"timeout": 0})], ErrorCode.MALFORMED, "at least 1 ms, and is 0"),
        ([(JOBS, {"timeout": I64_MIN})], ErrorCode.MALFORMED, "at least 1 ms"),
        ([(JOBS, {"type": " "})], ErrorCode.MALFORMED, "no type"),
        ([(JOBS, {"partition_id": 3})], ErrorCode.UNKNOWN_PARTITION, "no partition 3"),
        ([(RECORDS, {"partition_id": 3})], ErrorCode.UNKNOWN_PARTITION, "no partition 3"),
        (
            [(RECORDS, {"exporter_id": "x" * (NAME_CHARS_MAX + 1)})],
            ErrorCode.MALFORMED,
            f"at most {NAME_CHARS_MAX}",
        ),
        (
            [(RECORDS, {}), (AcknowledgeRecords(1, I64_MAX), {})],
            ErrorCode.MALFORMED,
            "no further than position",
        ),
        (
            [
                (RECORDS, {}),
                (AcknowledgeRecords(1, 1, bytes(EXPORTER_METADATA_BYTES_MAX + 1)), {}),
            ],
            ErrorCode.MALFORMED,
            "bytes of metadata",
        ),
    ],
)
def test_subscriptions_to_nothing(
    victim: Victim,
    requests: list[tuple[Request, dict[str, object]]],
    code: ErrorCode,
    text: str,
) -> None:
    with victim.stranger() as stranger:
        stranger.send(*(msgspec.structs.replace(each, **changes) for each, changes in requests))
        closed = [
            i for i in stranger.receive_many(len(requests)) if isinstance(i, SubscriptionClosed)
        ]
    assert [item.code for item in closed] == [code]
    assert text in closed[0].message


def test_what_is_about_nothing_is_passed_over(victim: Victim) -> None:
    numbers = (I64_MIN, -1, 0, 1, I64_MAX)
    with victim.stranger() as stranger:
        for number in numbers:
            stranger.send(
                Heartbeat(number),
                AddCredit(99, number),
                AddCredit(number, number),
                CloseSubscription(number),
                AcknowledgeRecords(number, number),
                msgspec.structs.replace(JOBS, subscription=number, credit=number),
                AddCredit(number, number),
                AddCredit(number, I64_MAX),
                msgspec.structs.replace(JOBS, subscription=5, timeout=I64_MAX, credit=I64_MAX),
                AddCredit(5, I64_MAX),
            )
        stranger.send(TopologyRequest(7))
        assert stranger.receive()


def edges(value: Value) -> Iterator[Value]:
    """A value, and the same with each field at the ends of what it can hold."""
    yield value
    for name in value.__struct_fields__:
        now = getattr(value, name)
        others: tuple[object, ...] = ()
        if isinstance(now, bool | IntEnum):
            others = tuple(type(now)) if isinstance(now, IntEnum) else (not now,)
        elif isinstance(now, int):
            others = (I64_MIN, -(1 << 31), 0, (1 << 31) - 1, I64_MAX)
        elif isinstance(now, str):
            others = ("\0", "=1/0", "ü" * 5_000)
        elif isinstance(now, bytes):
            others = (b"", b"null", b"[]", b"\xff", b'{"a":' * 300 + b"1" + b"}" * 300)
        for other in others:
            yield msgspec.structs.replace(value, **{name: other})


AWAITING: Final = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
"""Answered when the instance ends; its value is that of CREATE."""


@pytest.mark.parametrize(
    "intent", sorted(CLIENT_COMMANDS.keys() - {AWAITING}), ids=lambda intent: intent.name
)
def test_commands_at_the_edges(victim: Victim, intent: Intent) -> None:
    requests: list[CommandRequest] = []
    for value in edges(VALUES[intent.value_type]()):
        for key in (I64_MIN, -1, 0, I64_MAX):
            request = CommandRequest(len(requests) + 1, 1, intent, key, value)
            try:
                encode_client_message(ClientMessage(CLIENT_ID, (request,)))
            except ValueError:
                continue  # the field is smaller than 64 bits
            requests.append(request)
    with victim.stranger() as stranger:
        client_id = intent.to_bytes(16, "little")
        stranger.socket.send(encode_client_message(ClientMessage(client_id, tuple(requests))))
        replies = stranger.receive_many(len(requests))
    assert {reply.number for reply in replies if isinstance(reply, CommandReply)} == {
        request.number for request in requests
    }
    for reply in replies:
        assert isinstance(reply, CommandReply)
        if reply.answer.rejection_type is not None:
            assert reply.answer.rejection_reason
            assert reply.answer.rejection_type is not RejectionType.PROCESSING_ERROR, reply


@pytest.mark.parametrize("key", [I64_MIN, -1, 0, 5, 1 << 51 | 999_999_999, I64_MAX])
def test_unknown_keys(victim: Victim, key: int) -> None:
    client = victim.client
    for about in (
        lambda: client.cancel_instance(key),
        lambda: client.complete_job(key),
        lambda: client.fail_job(key, retries=1),
        lambda: client.throw_error(key, "code"),
        lambda: client.update_job_retries(key, 3),
        lambda: client.update_job_timeout(key, 1_000),
        lambda: client.resolve_incident(key),
        lambda: client.set_variables(key, {"a": 1}),
    ):
        with pytest.raises(NotFound, match=str(key)):
            about()


# ── documents and files ───────────────────────────────────────────────────────────────────────────


def document_of(size: int) -> bytes:
    """A document of so many bytes."""
    return b'{"x":"%s"}' % (b"y" * (size - len(b'{"x":""}')))


def test_a_document_of_the_greatest_size_is_taken(victim: Victim) -> None:
    creation = ProcessInstanceCreationValue("p", variables=document_of(DOCUMENT_BYTES_MAX))
    reply = ask(victim, command(CREATE, -1, creation))
    assert isinstance(reply, CommandReply)
    assert reply.answer.rejection_type is None
    victim.client.cancel_instance(created_key(reply))


def created_key(reply: CommandReply) -> int:
    """The instance that was created."""
    assert isinstance(reply.answer.value, ProcessInstanceCreationValue)
    return reply.answer.value.process_instance_key


def test_a_document_of_a_byte_more_is_refused(victim: Victim) -> None:
    document = document_of(DOCUMENT_BYTES_MAX + 1)
    with pytest.raises(TooLarge, match=str(DOCUMENT_BYTES_MAX)):
        victim.client.create_instance("p", variables=document)
    reply = ask(victim, command(CREATE, -1, ProcessInstanceCreationValue("p", variables=document)))
    assert isinstance(reply, ErrorReply)
    assert f"{DOCUMENT_BYTES_MAX + 1} bytes; at most {DOCUMENT_BYTES_MAX}" in reply.message


@pytest.mark.parametrize(
    "document",
    [
        *(b"1", b"[1]", b'"x"', b'{"x":', b"{'x':1}", b'{"x":1}}', b'{"x":NaN}'),
        *(
            b"\xff",
            b'{"\xff":1}',
            b'{"x":["\xc3"]}',
            b'{"x":"\\ud800"}',
            b'{"x":"\xff"}',
            b'{"x":' + b"[" * 300 + b"]" * 300 + b"}",
        ),
        b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda document: repr(document[:20]),
)
def test_documents_that_are_none(victim: Victim, document: bytes) -> None:
    for creating in (
        lambda: victim.client.create_instance("p", variables=document),
        lambda: victim.client.publish_message("m", "k", variables=document),
    ):
        with pytest.raises((InvalidArgument, BadRequest)) as caught:
            creating()
        assert "variables" in str(caught.value) or "JSON" in str(caught.value)


LAUGHS: Final = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(10)
)


@pytest.mark.parametrize(
    "resource",
    [
        *(b"", b"no xml", b"\xff\xfe\xfa", b"<x>", b"<x/>", MODEL[:-10], MODEL + b"<more/>"),
        f"<!DOCTYPE x [{LAUGHS}]><x>&l9;</x>".encode(),
        f'<!DOCTYPE x [<!ENTITY a "{"b" * 100_000}">]><x>{"&a;" * 10_000}</x>'.encode(),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>',
        b"<x>" * 200_000 + b"</x>" * 200_000,
        b"<x>" * 200_000,
        b"<x" + b"".join(b' a%d="1"' % number for number in range(200_000)) + b"/>",
        MODEL.replace(b'id="p"', b'id="%s"' % (b"p" * 1_000_000)),
        MODEL.replace(b"serviceTask", b"spaceTask"),
        MODEL.replace(b'targetRef="e"', b'targetRef="nowhere"'),
        bytes(4 * 1024 * 1024),
    ],
    ids=[
        *("empty", "no xml", "no text", "cut at once", "no model", "cut", "two roots", "laughs"),
        *("quadratic", "a file of the host", "a dtd", "200,000 nested", "200,000 open"),
        *("200,000 attributes", "a long id", "an unknown task", "a flow to nowhere", "zeros"),
    ],
)
def test_files_that_are_no_models(victim: Victim, resource: bytes) -> None:
    with pytest.raises(InvalidArgument, match=r"bad\.bpmn") as caught:
        victim.client.deploy(("bad.bpmn", resource), ("p.bpmn", MODEL))
    assert "root:" not in str(caught.value)
