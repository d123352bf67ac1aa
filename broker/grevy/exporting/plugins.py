"""Finding the exporter that a configuration names, and checking that it can work like this."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from msgspec import Struct

from grevy.exporting.api import NO_PARTITION, Context, Exporter
from grevy.exporting.errors import UnknownExporter
from grevy.ports import Clock

ENTRY_POINT_GROUP: Final = "grevy.exporters"


class ExporterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One exporter of a configuration.

    `id` names it for ever: its positions are kept under it. `exporter` is the name of an entry
    point, or `module:Class`.
    """

    id: str
    exporter: str
    args: dict[str, object] = {}

    def __repr__(self) -> str:
        # Arguments hold passwords.
        return f"ExporterSettings(id={self.id!r}, exporter={self.exporter!r}, args=…)"


def load_exporter(name: str) -> type[Exporter]:
    """The exporter behind an entry point's name or `module:Class`; raises `UnknownExporter`."""
    if ":" in name:
        found = EntryPoint(name=name, value=name, group=ENTRY_POINT_GROUP)
    else:
        installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if name not in installed:
            names = ", ".join(sorted(installed)) or "none"
            raise UnknownExporter(f"no exporter is called {name!r}; installed: {names}")
        found = installed[name]
    try:
        exporter: object = found.load()
    except (ImportError, AttributeError) as error:
        raise UnknownExporter(f"exporter {name!r} cannot be loaded: {error}") from error
    if not (isinstance(exporter, type) and issubclass(exporter, Exporter)):
        raise UnknownExporter(f"{name!r} is not a class derived from grevy.exporting.Exporter")
    return exporter


def check_exporter(settings: ExporterSettings, clock: Clock) -> None:
    """Raises `UnknownExporter` or `InvalidArguments` where these settings cannot work."""
    exporter = load_exporter(settings.exporter)()
    exporter.configure(Context(settings.id, NO_PARTITION, settings.args, clock))
