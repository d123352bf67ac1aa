"""A broker's folder, damaged in each of its files: the start is refused with an error that names
the file, or all that was acknowledged is there. It never begins anew.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.broker.processes import BrokerProcess

from grevy.broker.config import BrokerConfig
from grevy.broker.server import Broker
from grevy.client import Client, NotFound
from grevy.protocol.errors import GrevyError

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
EXPORTER: Final = "someone"
CHECKPOINT_PERIOD_S: Final = 0.05
ORDERS: Final = 10


@dataclass
class Acknowledged:
    """What clients were told."""

    waiting: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    exported: int = 0
    """Position that an exporter is done with."""


async def _started(folder: Path, period_s: float = 1_000.0) -> Broker:
    config = BrokerConfig(data=folder, port=0, checkpoint_period_s=period_s)
    broker = Broker(config, asyncio.get_running_loop())
    await broker.start()
    return broker


async def fill(folder: Path) -> Acknowledged:
    """Let a broker work and take two checkpoints, and stop it in the middle of its third period."""
    told = Acknowledged()
    broker = await _started(folder, CHECKPOINT_PERIOD_S)
    async with await Client.connect(broker.endpoint) as client:
        await client.deploy(("p.bpmn", MODEL))
        async with client.subscribe_records(1, 0, exporter_id=EXPORTER) as records:
            told.exported = (await anext(aiter(records))).up_to
            records.acknowledge(told.exported)
            for taken in range(3):
                for _ in range(ORDERS):
                    told.waiting.add((await client.create_instance("p")).key)
                while int(str((await client.status())["checkpoints_taken"])) < taken:
                    told.cancelled.add(await _cancelled(client))
                told.cancelled.add(await _cancelled(client))
    await broker.stop()
    return told


async def _cancelled(client: Client) -> int:
    """An instance that was created and cancelled."""
    key = (await client.create_instance("p")).key
    await client.cancel_instance(key)
    return key


async def check(folder: Path, told: Acknowledged) -> str:
    """Start a broker in a folder: why it refuses; empty when it has all that was acknowledged."""
    try:
        broker = await _started(folder)
    except (GrevyError, OSError) as error:
        return str(error)
    async with await Client.connect(broker.endpoint) as client:
        new = (await client.create_instance("p")).key
        jobs = await client.activate_jobs("work", max_jobs=1_000)
        assert {job.process_instance_key for job in jobs} == told.waiting | {new}
        assert new > max(told.waiting)
        for gone in told.cancelled:
            with pytest.raises(NotFound):
                await client.cancel_instance(gone)
        async with client.subscribe_records(1, -1, exporter_id=EXPORTER) as records:
            assert (await records.wait_opened())[0] == told.exported
    await broker.stop()
    return ""


@dataclass(frozen=True)
class Original:
    """A folder that is copied for each damage."""

    folder: Path
    told: Acknowledged

    def files(self) -> list[Path]:
        """All files in it, relative to it."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.folder) for path in found)

    def refusal(self, copy: Path, damage: Callable[[Path], None]) -> str:
        """What a broker says of a damaged copy."""
        shutil.copytree(self.folder, copy)
        damage(copy)
        try:
            return asyncio.run(check(copy, self.told))
        finally:
            shutil.rmtree(copy)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("original") / "data"
    told = asyncio.run(fill(folder))
    return Original(folder, told)


def _flip(content: bytearray, at: float) -> None:
    content[int(at * (len(content) - 1))] ^= 0x10


def _cut(content: bytearray, share: float) -> None:
    del content[int(share * len(content)) :]


def _blank(content: bytearray) -> None:
    content[:] = bytes(len(content))


def _garble(content: bytearray) -> None:
    content[:] = Random(1).randbytes(len(content))


DAMAGES: Final[dict[str, Callable[[bytearray], None]]] = {
    "first byte": lambda content: _flip(content, 0.0),
    "a byte in the middle": lambda content: _flip(content, 0.5),
    "last byte": lambda content: _flip(content, 1.0),
    "emptied": lambda content: _cut(content, 0.0),
    "cut": lambda content: _cut(content, 0.6),
    "zeros": _blank,
    "garbage": _garble,
}


def test_what_is_whole_is_taken(original: Original, tmp_path: Path) -> None:
    names = {path.name for path in original.files()}
    assert {"flushed.meta", "vote", "image", "manifest", "positions", "data.mdb"} <= names
    assert original.refusal(tmp_path / "copy", lambda folder: None) == ""


@pytest.mark.parametrize("name", ["removed", *DAMAGES])
def test_each_file_damaged(original: Original, tmp_path: Path, name: str) -> None:
    recovered = refused = 0
    for path in original.files():

        def damage(folder: Path, path: Path = path) -> None:
            if name == "removed":
                (folder / path).unlink()
                return
            content = bytearray((folder / path).read_bytes())
            if content:
                DAMAGES[name](content)
            (folder / path).write_bytes(content)

        refusal = original.refusal(tmp_path / "copy", damage)
        recovered += not refusal
        refused += bool(refusal)
        assert not refusal or f"{path.parent.name}/{path.name}" in refusal, (path, refusal)
    assert recovered > 0
    assert refused > 0


@pytest.mark.parametrize("name", ["journal", "raft", "checkpoints", "exporters", "runtime"])
def test_each_directory_removed(original: Original, tmp_path: Path, name: str) -> None:
    def damage(folder: Path) -> None:
        shutil.rmtree(folder / "partitions" / "1" / name)

    refusal = original.refusal(tmp_path / "copy", damage)
    assert (name in refusal) == (name not in ("checkpoints", "runtime")), refusal


def test_a_damaged_folder_as_a_user_sees_it(original: Original, tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path)
    shutil.copytree(original.folder, broker.data)
    (broker.data / "partitions/1/raft/vote").write_bytes(b"")
    ended = broker.grevy("broker", "--config", str(broker.config))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == "grevy: raft/vote: neither copy is readable\n"


def test_verify_looks_at_checkpoints_too(original: Original, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(original.folder, copy)
    broker = BrokerProcess(tmp_path)
    verify = ("log", "verify", "--data", str(copy), "--json")
    images = list(copy.rglob("image"))
    assert json.loads(broker.grevy(*verify).stdout)["checkpoints"] == len(images) >= 2
    image = max(images)
    image.write_bytes(image.read_bytes()[:-1])
    found = broker.grevy(*verify)
    assert found.returncode == 1
    assert f"{image.parent.name}/image has" in json.loads(found.stderr)["error"]
