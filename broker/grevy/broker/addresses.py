"""Where the other brokers are, as this one knew it last: after a restart of all, settings alone may
not lead to brokers that came later.

    cluster/addresses    one `host:port` a line

A file that is lost or damaged costs nothing that the contact points do not make good, so it is
replaced without a sync.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grevy.ports import Disk

DIRECTORY: Final = "cluster"
_FILE: Final = f"{DIRECTORY}/addresses"
_DRAFT: Final = f"{DIRECTORY}/addresses.new"


class AddressBook:
    """The file of one broker."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        disk.mkdir(DIRECTORY)
        self._known = _read(disk)

    @property
    def known(self) -> tuple[str, ...]:
        """The addresses, as they were noted last."""
        return self._known

    def note(self, addresses: Iterable[str]) -> None:
        """These are the addresses now. Raises what the disk does."""
        known = tuple(sorted(addresses))
        if known == self._known:
            return
        if self._disk.exists(_DRAFT):
            self._disk.remove(_DRAFT)
        file = self._disk.create(_DRAFT)
        try:
            file.pwrite("".join(f"{each}\n" for each in known).encode(), 0)
        finally:
            file.close()
        self._disk.rename(_DRAFT, _FILE)
        self._known = known


def _read(disk: Disk) -> tuple[str, ...]:
    if not disk.exists(_FILE):
        return ()
    file = disk.open(_FILE)
    try:
        text = file.pread(file.size(), 0).decode(errors="replace")
    finally:
        file.close()
    return tuple(each for each in text.splitlines() if _is_address(each))


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16
