"""Networks and disks of a test's own, tried with echo servers on three hosts.

The outer test runs this file again within namespaces, where the others are not skipped.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from tests.chaos.namespaces import (
    NamespacesRefused,
    Network,
    SmallDisk,
    check_allowed,
    inside,
    is_inside,
)
from tests.chaos.processes import BrokerEnded, ClusterProcesses, Layout
from tests.chaos.test_processes import ROOT, Talk, echo_command

within = pytest.mark.skipif(not is_inside(), reason="runs within namespaces")
HOSTS = ("a", "b", "c")
TIMEOUT_S = 0.5
"""Within one machine an echo comes in less than a millisecond, or never."""

KNOCK = """
import socket, sys
found = []
for address in sys.argv[2:]:
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), float(sys.argv[1])) as talk:
            talk.sendall(b"hello")
            found.append(address) if talk.recv(5) == b"hello" else None
    except OSError:
        pass
print(*found)
"""


@pytest.mark.skipif(is_inside(), reason="runs outside")
def test_within_namespaces() -> None:
    try:
        check_allowed()
    except NamespacesRefused as refused:
        pytest.skip(f"{refused}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        inside(command), cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_refusal_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NamespacesRefused, match="no program unshare"):
        check_allowed()
    for name, script in (("ip", "exit 0"), ("unshare", "echo not permitted >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(NamespacesRefused, match=r"refuses .* not permitted"):
        check_allowed()


def hosts_that_talk(network: Network, cluster: ClusterProcesses) -> set[str]:
    """The ordered pairs of hosts of which the first gets an echo from the second."""
    found: set[str] = set()
    for one in HOSTS:
        others = {
            f"{node.host}:{node.port}": host
            for host, node in zip(HOSTS, cluster.nodes.values(), strict=True)
            if host != one
        }
        command = [*network.prefix(one), sys.executable, "-c", KNOCK, str(TIMEOUT_S), *others]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found |= {one + others[address] for address in said.split()}
    return found


ALL = {"".join(pair) for pair in permutations(HOSTS, 2)}


@within
def test_hosts_and_cuts(tmp_path: Path) -> None:
    async def main(network: Network) -> None:
        addresses = tuple(map(network.address, HOSTS))
        layout = Layout(tmp_path, brokers=3, hosts=addresses)
        prefix = dict(zip(addresses, map(network.prefix, HOSTS), strict=True))
        async with ClusterProcesses(
            layout, command=echo_command, prefix=lambda node: prefix[node.host]
        ) as cluster:
            await cluster.start_all()
            talk = await Talk.to(cluster.endpoints[1])  # this process is on the bridge
            await talk.echo(b"hello")
            assert hosts_that_talk(network, cluster) == ALL

            network.isolate("a")
            assert hosts_that_talk(network, cluster) == {"bc", "cb"}
            network.heal()
            assert hosts_that_talk(network, cluster) == ALL

            network.cut_between("a", "b")
            assert hosts_that_talk(network, cluster) == ALL - {"ab", "ba"}
            network.heal()
            assert hosts_that_talk(network, cluster) == ALL
            await talk.echo(b"the connection lives")
            talk.close()

    with Network(HOSTS) as network:
        asyncio.run(main(network))


DATAGRAMS = """
import socket, sys
own, other, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3])
box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
box.bind((own, 7000))
box.settimeout(timeout)
print("ready", flush=True)
sys.stdin.readline()
box.sendto(b"x", (other, 7000))
try:
    print(box.recv(1).decode(), flush=True)
except TimeoutError:
    print("nothing", flush=True)
"""


@within
def test_a_cut_in_one_direction_is_that() -> None:
    with Network(("a", "b")) as network:
        network.cut_one_way("a", "b")
        heard = {}
        boxes = {}
        for own, other in (("a", "b"), ("b", "a")):
            addresses = (network.address(own), network.address(other))
            command = [*network.prefix(own), sys.executable, "-c", DATAGRAMS, *addresses, "1.0"]
            boxes[own] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        for box in boxes.values():
            assert box.stdout is not None
            assert box.stdout.readline() == "ready\n"
        for box in boxes.values():
            assert box.stdin is not None
            box.stdin.write("go\n")
        for own, box in boxes.items():
            heard[own], _ = box.communicate()
        assert heard == {"a": "x\n", "b": "nothing\n"}


@within
def test_a_disk_gets_full_and_has_room_again(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", 1024 * 1024) as disk:
        file = os.open(disk.folder / "log", os.O_WRONLY | os.O_CREAT)
        os.write(file, bytes(4096))
        disk.fill(free_bytes=8192)
        assert os.write(file, bytes(8192)) == 8192
        with pytest.raises(OSError, match="No space left") as full:
            os.write(file, bytes(8192))
        assert full.value.errno == errno.ENOSPC
        disk.free()
        assert os.write(file, bytes(500_000)) == 500_000
        os.close(file)


@within
def test_a_process_on_a_full_disk(tmp_path: Path) -> None:
    async def main() -> None:
        layout = Layout(tmp_path, brokers=1)
        with SmallDisk(tmp_path / "broker-1", 64 * 1024) as disk:
            async with ClusterProcesses(layout, command=echo_command) as cluster:
                disk.fill()
                with pytest.raises(BrokerEnded, match="No space left"):
                    await cluster.start(1)
                disk.free()
                await cluster.start(1)

    asyncio.run(main())
