"""`grevy log`: following, dumping and checking, with the broker running, stopped, and damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.conftest import straight_model
from tests.broker.processes import GREVY, BrokerProcess, running

from grevy.client import SyncClient

SEGMENT = "partitions/1/journal/segment-0000000001.log"
HEADER_BYTES = 52


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker with something in its log."""
    with running(tmp_path_factory.mktemp("log")) as process:
        with SyncClient.connect(process.address) as client:
            client.deploy(("p.bpmn", straight_model("p").encode()))
            for number in range(20):
                client.create_instance_with_result("p", variables={"n": number})
        yield process


@pytest.fixture
def copy(broker: BrokerProcess, tmp_path: Path) -> Path:
    """What lies on the disk, for a test to damage, but for the room that was taken ahead."""
    shutil.copytree(broker.data, tmp_path / "copy")
    (found,) = broker.rows("log", "verify", "--data", str(broker.data))
    os.truncate(tmp_path / "copy" / SEGMENT, HEADER_BYTES + int(str(found["bytes"])))
    return tmp_path / "copy"


def positions(rows: list[dict[str, object]]) -> list[int]:
    """The positions of records."""
    return [int(str(row["position"])) for row in rows]


def test_tail_begins_a_few_back_or_where_it_is_told(broker: BrokerProcess) -> None:
    last = int(str(broker.status()["records"]))
    assert positions(broker.rows("log", "tail", "-n", "3", "--count", "3")) == [
        last - 2, last - 1, last
    ]  # fmt: skip
    assert positions(broker.rows("log", "tail", "--from", "7", "--count", "2")) == [7, 8]
    (line,) = broker.grevy("log", "tail", "--count", "1", "-n", "1").stdout.splitlines()
    assert str(last) in line
    assert "ELEMENT_COMPLETED" in line


def test_dump_prints_every_record_of_a_running_broker(broker: BrokerProcess) -> None:
    last = int(str(broker.status()["records"]))
    rows = broker.rows("log", "dump", "--data", str(broker.data))
    assert positions(rows) == list(range(1, last + 1))
    assert rows[0]["valueType"] == "DEPLOYMENT"
    later = broker.rows("log", "dump", "--data", str(broker.data), "--from", str(last - 1))
    assert positions(later) == [last - 1, last]


def test_verify_of_a_running_broker_changes_nothing(broker: BrokerProcess) -> None:
    last = broker.status()["records"]
    before = {file: file.read_bytes() for file in (broker.data / SEGMENT).parent.iterdir()}
    (found,) = broker.rows("log", "verify", "--data", str(broker.data))
    assert (found["records"], found["first_position"], found["last_position"]) == (last, 1, last)
    assert found["unfinished"] is None
    assert before == {file: file.read_bytes() for file in before}
    assert "are whole" in broker.grevy("log", "verify", "--data", str(broker.data)).stdout


def test_verify_names_the_file_and_the_byte_of_damage(broker: BrokerProcess, copy: Path) -> None:
    segment = copy / SEGMENT
    data = bytearray(segment.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 1
    segment.write_bytes(data)

    error = broker.error("log", "verify", "--data", str(copy))

    assert error["file"] == str(segment)
    assert int(str(error["byte"])) <= middle, "where the frame with the damage begins"
    assert f"{segment}, byte {error['byte']}: checksum is wrong" == error["error"]
    assert broker.error("log", "dump", "--data", str(copy), "--from", "999999") == error
    assert segment.read_bytes() == data


def test_verify_notices_what_is_missing(broker: BrokerProcess, copy: Path) -> None:
    segment = copy / SEGMENT
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-10])
    assert "ends inside a frame" in str(broker.error("log", "verify", "--data", str(copy))["error"])
    segment.write_bytes(bytes(52) + whole[52:])
    error = broker.error("log", "verify", "--data", str(copy))
    assert error["byte"] == 0
    assert "segment header is missing" in str(error["error"])
    segment.unlink()
    assert "the file is missing" in str(broker.error("log", "verify", "--data", str(copy))["error"])


@pytest.mark.parametrize("room_bytes", [0, 5, 70_000])
def test_an_unfinished_write_is_no_damage(
    broker: BrokerProcess, copy: Path, room_bytes: int
) -> None:
    segment = copy / SEGMENT
    size = segment.stat().st_size
    with segment.open("ab") as file:
        file.write(b"half a frame" + bytes(room_bytes))
    (found,) = broker.rows("log", "verify", "--data", str(copy))
    unfinished = {"path": "journal/segment-0000000001.log", "offset": size, "length": 12}
    assert found["unfinished"] == unfinished
    said = broker.grevy("log", "verify", "--data", str(copy))
    assert said.returncode == 0
    assert f"byte {size}: 12 bytes more are of an unfinished write" in said.stderr


def test_a_folder_without_a_log_is_told(broker: BrokerProcess, tmp_path: Path) -> None:
    for command in ("verify", "dump"):
        error = str(broker.error("log", command, "--data", str(tmp_path / "nothing"))["error"])
        assert "nothing" in error
        assert "journal is missing" in error
    assert not (tmp_path / "nothing").exists()


def test_what_a_reader_closed_is_no_traceback(broker: BrokerProcess) -> None:
    command = [*GREVY, "log", "dump", "--data", str(broker.data)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == ""
