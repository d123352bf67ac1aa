"""What a broker is told at its start: one documented value, checked as a whole."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import msgspec

from grevy.exporting import ExporterSettings
from grevy.protocol.keys import PARTITIONS_MAX

ENVIRONMENT_PREFIX: Final = "GREVY_"


class ConfigError(ValueError):
    """A setting that cannot be; the text names it, what was given and what was expected."""


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """All settings of a broker.

    `data`: the folder of logs and checkpoints. `host` and `port`: where clients connect; port 0
    takes a free one. `partitions`: into how many logs the work is divided, once and for all.
    `checkpoint_period_s`: how often the state is copied, after which older log goes.
    `exporter_log_max_mb`: how much log an exporter that does not acknowledge may hold back.
    `insecure`: listening beyond loopback needs it to be said, since nothing is encrypted yet.
    """

    data: Path = Path("grevy-data")
    host: str = "127.0.0.1"
    port: int = 26600
    cluster_id: str = "grevy"
    partitions: int = 1
    checkpoint_period_s: float = 300.0
    exporter_log_max_mb: int = 4096
    insecure: bool = False
    exporters: tuple[ExporterSettings, ...] = ()

    def validate(self) -> None:
        """Raises ConfigError for a setting that cannot be."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: expected 0 to 65535, got {self.port}")
        if not 1 <= self.partitions <= PARTITIONS_MAX:
            raise ConfigError(f"partitions: expected 1 to {PARTITIONS_MAX}, got {self.partitions}")
        for name in ("checkpoint_period_s", "exporter_log_max_mb"):
            value = getattr(self, name)
            if value <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {value}")
        if self.host not in ("127.0.0.1", "localhost", "::1") and not self.insecure:
            raise ConfigError(
                f"host: {self.host} is not loopback, and connections are not encrypted: "
                "set insecure to allow it"
            )
        ids = [exporter.id for exporter in self.exporters]
        if len(set(ids)) != len(ids) or not all(ids):
            raise ConfigError(f"exporters: each needs an id of its own, got {ids}")


def load_config(path: Path | None, overrides: dict[str, object]) -> BrokerConfig:
    """Settings from a TOML file, then GREVY_* of the environment, then what was given on the
    command line.
    """
    config = BrokerConfig()
    if path is not None:
        config = _updated(config, _read_toml(path), f"{path}: ")
    names = {f.name for f in fields(BrokerConfig)} - {"exporters"}
    given: dict[str, object] = {
        name: os.environ[ENVIRONMENT_PREFIX + name.upper()]
        for name in names
        if ENVIRONMENT_PREFIX + name.upper() in os.environ
    }
    config = _updated(config, given, "environment: ")
    config = _updated(config, {k: v for k, v in overrides.items() if v is not None}, "")
    config.validate()
    return config


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: expected TOML: {error}") from None


def _updated(config: BrokerConfig, given: dict[str, object], where: str) -> BrokerConfig:
    known = {f.name: f for f in fields(BrokerConfig)}
    values: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigError(
                f"{where}unknown setting '{name}'; known are {', '.join(sorted(known))}"
            )
        values[name] = _converted(name, value, getattr(config, name), where)
    return replace(config, **values)  # type: ignore[arg-type]  # each value was converted to its field's type


def _converted(name: str, value: object, default: object, where: str) -> object:
    if name == "exporters":
        return _exporters(value, where)
    try:
        if isinstance(default, bool):
            return value if isinstance(value, bool) else str(value).lower() in ("1", "true", "yes")
        if isinstance(default, Path):
            return Path(str(value))
        if isinstance(default, int):
            return int(str(value))
        return float(str(value)) if isinstance(default, float) else str(value)
    except ValueError:
        kind = type(default).__name__
        raise ConfigError(f"{where}{name}: expected {kind}, got {value!r}") from None


def _exporters(value: object, where: str) -> tuple[ExporterSettings, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}exporters: expected a list of tables, got {value!r}")
    found = []
    for item in value:
        if isinstance(item, ExporterSettings):
            found.append(item)
            continue
        try:
            found.append(msgspec.convert(item, ExporterSettings))
        except msgspec.ValidationError as error:
            # Not the table itself: its arguments may hold passwords.
            raise ConfigError(f"{where}exporters, number {len(found) + 1}: {error}") from None
    return tuple(found)
