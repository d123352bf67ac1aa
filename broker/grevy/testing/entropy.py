"""Chance that a seed decides."""

from __future__ import annotations

from random import Random


class SeededEntropy:
    """The same numbers for the same seed (port `Entropy`)."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def random_bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._random.randbytes(count)

    def random_u64(self) -> int:
        """The next number of 64 bits."""
        return self._random.getrandbits(64)
