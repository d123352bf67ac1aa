"""Networks and small disks that belong to a test alone, without root: user, network and mount
namespaces.

    python tests/chaos/namespaces.py                      says whether this kernel allows it
    python tests/chaos/namespaces.py -- COMMAND …         runs a command in namespaces of its own

Within, a `Network` is a bridge with a host for each broker; links are cut without a word to
anybody, in one direction too. There is no delay and no loss by chance: `tc netem` is a module that
kernels often lack, as are packet filters; the proxy does that.

    host ── eth0 ══ veth ── bridge ── veth ══ eth0 ── host
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

INSIDE: Final = "GREVY_IN_NAMESPACES"
"""Set in the environment of what runs within."""
BRIDGE: Final = "br0"
SUBNET: Final = "10.77.0"
OWN_ADDRESS: Final = f"{SUBNET}.254"
NOWHERE: Final = "02:00:00:00:00:ff"
"""A hardware address that nobody has: what is sent there leaves, and does not arrive."""
_UNSHARE: Final = ("unshare", "-rnm", "--fork", "--kill-child")
_CHECK: Final = (
    "mount -t tmpfs none /run && ip netns add x && ip link add br0 type bridge && "
    "ip link add v0 type veth peer name v1 netns x"
)


class NamespacesRefused(Exception):
    """This machine does not let us have namespaces; says what it refuses."""


def check_allowed() -> None:
    """Raises `NamespacesRefused` if a network cannot be made here."""
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            raise NamespacesRefused(f"there is no program {program} (util-linux, iproute2)")
    done = subprocess.run(
        [*_UNSHARE, "sh", "-c", _CHECK], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise NamespacesRefused(
            "this kernel refuses namespaces without root, or bridges in them "
            "(kernel.unprivileged_userns_clone, user.max_user_namespaces, AppArmor, a container's "
            f"profile): {done.stderr.strip()}"
        )


def inside(command: Sequence[str]) -> list[str]:
    """A command that runs another one in namespaces of its own; all in them ends with it."""
    script = 'mount -t tmpfs none /run && ip link set lo up && exec "$@"'
    return [*_UNSHARE, "env", f"{INSIDE}=1", "sh", "-c", script, "sh", *command]


def is_inside() -> bool:
    """Whether this process runs in such namespaces."""
    return INSIDE in os.environ


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Network:
    """Hosts on one bridge, and this process beside them. Only `inside`.

    with Network(["a", "b", "c"]) as network:
        network.isolate("a")
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        assert is_inside(), "a network is made within namespaces: see `inside`"
        self._numbers = {host: number for number, host in enumerate(hosts, 1)}
        assert len(self._numbers) < 250, "one subnet"

    def __enter__(self) -> Self:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{OWN_ADDRESS}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for host in self._numbers:
            _ip("netns", "add", host)
            port = self._port(host)
            _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host)
            _ip("link", "set", port, "master", BRIDGE, "up")
            _ip("-n", host, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", host, "link", "set", device, "up")
        return self

    def __exit__(self, *error: object) -> None:
        for host in self._numbers:
            # By itself it goes some time after its namespace, and the name is wanted again.
            _ip("link", "delete", self._port(host))
            _ip("netns", "delete", host)
        _ip("link", "delete", BRIDGE)

    def address(self, host: str) -> str:
        """A host's IP address."""
        return f"{SUBNET}.{self._numbers[host]}"

    def prefix(self, host: str) -> list[str]:
        """What comes before a command that is to run on a host."""
        return ["ip", "netns", "exec", host]

    def isolate(self, host: str) -> None:
        """Pulls a host's cable, at the bridge: the host itself sees no change of its own device
        but its carrier.
        """
        _ip("link", "set", self._port(host), "down")

    def cut_one_way(self, source: str, target: str) -> None:
        """What a host sends to another is lost; what comes from there arrives."""
        self._send_to(source, target, NOWHERE)

    def cut_between(self, one: str, other: str) -> None:
        """Two hosts do not reach each other; both reach all others."""
        self.cut_one_way(one, other)
        self.cut_one_way(other, one)

    def heal(self) -> None:
        """All cables are in, all ways are open."""
        for host in self._numbers:
            _ip("link", "set", self._port(host), "up")
        for source, target in itertools.permutations(self._numbers, 2):
            subprocess.run(
                ["ip", "-n", source, "neighbour", "delete", self.address(target), "dev", "eth0"],
                check=False,  # most have no entry
                capture_output=True,
            )

    def _send_to(self, source: str, target: str, hardware: str) -> None:
        address = self.address(target)
        _ip("-n", source, "neighbour", "replace", address, "lladdr", hardware,
            "nud", "permanent", "dev", "eth0")  # fmt: skip

    @staticmethod
    def _port(host: str) -> str:
        return f"port-{host}"


class SmallDisk:
    """A disk of so many bytes at a folder, which is made; only `inside`.

    It is memory: what is on it is gone after `with`, and an fsync costs nothing.
    """

    def __init__(self, folder: Path, size_bytes: int) -> None:
        assert is_inside(), "a disk is mounted within namespaces: see `inside`"
        self.folder: Final = folder
        self._size_bytes = size_bytes
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        size = f"size={self._size_bytes}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", self.folder], check=True)
        return self

    def __exit__(self, *error: object) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self, free_bytes: int = 0) -> None:
        """Takes all room but so many bytes, also while others write."""
        with self._ballast.open("ab") as ballast:
            while (room := shutil.disk_usage(self.folder).free - free_bytes) > 0:
                try:
                    os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, room)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Gives back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Runs a command within, or says whether that is possible; the exit code."""
    try:
        check_allowed()
    except NamespacesRefused as refused:
        sys.stderr.write(f"no namespaces: {refused}\n")
        return 2
    if "--" not in arguments:
        sys.stdout.write("namespaces, bridges and small disks can be had here\n")
        return 0
    return subprocess.run(inside(arguments[arguments.index("--") + 1 :]), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
