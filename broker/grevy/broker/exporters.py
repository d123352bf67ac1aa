"""The exporters of a broker: each a process of its own, started with it."""

from __future__ import annotations

from collections.abc import Sequence

from grevy.broker.config import ExporterConfig


class Exporters:
    """Starts and stops the configured exporters, and knows how they are."""

    def __init__(self, configs: Sequence[ExporterConfig], endpoint: str) -> None:
        self._configs = configs
        self._endpoint = endpoint

    async def start(self) -> None:
        """Starts them all."""

    async def stop(self) -> None:
        """Stops them all."""

    def statistics(self) -> dict[str, object]:
        """How each is."""
        return {}
