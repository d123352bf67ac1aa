"""Who leads which partition, as far as the brokers have told."""

from __future__ import annotations

from grevy.protocol.messages import PartitionInfo, TopologyReply


class Leaders:
    """The leaders' endpoints. News of an older term than is known of a partition is no news."""

    def __init__(self) -> None:
        self._known: dict[int, PartitionInfo] = {}
        self._led: list[int] = [1]
        self._next = 0

    @property
    def partitions(self) -> list[int]:
        """The ids of all partitions, ascending; empty as long as no broker answered."""
        return list(self._known)

    def knows(self, partition_id: int) -> bool:
        """Whether there is such a partition, as far as brokers have told."""
        return partition_id in self._known

    def learn(self, reply: TopologyReply) -> set[int]:
        """Take a broker's word for it; gives the partitions that another broker leads now."""
        changed = set()
        for info in sorted(reply.partitions, key=lambda info: info.partition_id):
            known = self._known.get(info.partition_id)
            if known is not None and known.leader and _is_older(info, known):
                continue
            self._known[info.partition_id] = info
            if known is None or known.leader != info.leader:
                changed.add(info.partition_id)
        led = [partition_id for partition_id, info in self._known.items() if info.leader]
        self._led = led or self.partitions or [1]
        return changed

    def forget(self, endpoint: str) -> None:
        """A broker is gone: what was known of its partitions counts no more against newer news.

        Its endpoint stays the one to try, for most brokers that go come back.
        """
        for partition_id, info in self._known.items():
            if info.leader == endpoint:
                self._known[partition_id] = PartitionInfo(partition_id, info.leader, -1)

    def endpoint(self, partition_id: int) -> str:
        """Where the leader of a partition listens; "" while nobody leads it, or nobody has said."""
        info = self._known.get(partition_id)
        return info.leader if info is not None else ""

    def next_partition(self) -> int:
        """A partition for something new: each in its turn, those without a leader left out."""
        self._next += 1
        return self._led[self._next % len(self._led)]


def _is_older(info: PartitionInfo, known: PartitionInfo) -> bool:
    return info.term < known.term or (info.term == known.term and not info.leader)
