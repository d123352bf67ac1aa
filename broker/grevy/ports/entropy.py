"""Randomness, so that a seed can decide it."""

from __future__ import annotations

from typing import Protocol


class Entropy(Protocol):
    """Where identities, jitter and time-outs get their chance from."""

    def random_bytes(self, count: int) -> bytes:
        """`count` bytes, each value as likely as any other."""
        ...

    def random_u64(self) -> int:
        """A number from 0 to 2**64 - 1."""
        ...
