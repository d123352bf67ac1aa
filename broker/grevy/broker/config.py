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
from grevy.protocol.limits import HOSTS_MAX

ENVIRONMENT_PREFIX: Final = "GREVY_"
NO_FILE: Final = Path()
SHARED_NAMES: Final = frozenset({"keys", "broker_keys"})
"""In the environment these tell the command line too which keys it has, and where the brokers' are:
a broker that is started in a shell that is set up for that must not take a client's identity.
"""
EVERYWHERE: Final = ("0.0.0.0", "::", "*", "")  # noqa: S104 - what is not told to others
"""Hosts to listen at that are none to connect to."""


class ConfigError(ValueError):
    """A setting that cannot be; the text names it, what was given and what was expected."""


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """All settings of a broker.

    `data`: the folder of logs and checkpoints. `host` and `port`: where clients connect; port 0
    takes a free one. `hosts`: into how many processes the broker is divided, to use more cores;
    each has its share of the partitions, and ports of its own that follow these. `partitions`: into
    how many logs the work is divided, once and for all.
    `node_id`: which of the cluster's brokers this is, from 1 to `cluster_size`.
    `replication_factor`: on how many brokers each partition lies. `cluster_host` and
    `cluster_port`: where the other brokers connect. `contact_points`: such addresses of some
    brokers, with commas between them; a broker without is a cluster of its own.
    `join`: this broker is added to a cluster that is there, and learns from it what it has to know:
    its number of brokers, partitions and replicas.
    `advertised_host`: what this broker tells clients and brokers to connect to, where that is not
    where it listens; it has to be said where it listens everywhere. `advertised_port` and
    `advertised_cluster_port`: the same for the ports, 0 for the real ones;
    `advertised_cluster_host`, where brokers have to go another way than clients.
    `lead_back_s`: how long a broker that should lead a partition has to be well before it is handed
    the lead.
    `checkpoint_period_s`: how often the state is copied at least, after which older log goes.
    `exporter_log_max_mb`: how much log an exporter that does not acknowledge may hold back.
    `disk_free_min_mb`: with less room on the disk, commands are refused; with half of it, a broker
    takes no entries of others either; 0 for no limit.
    `keys`: a file with this broker's key pair. With `broker_keys`, a list of all brokers' public
    keys by their node ids, brokers speak CURVE to each other; with `client_keys`, a list of those
    of clients, to clients. Exporters come in with the broker's own, which that list needs to have.
    `insecure`: listening beyond loopback without keys needs it to be said.
    """

    data: Path = Path("grevy-data")
    host: str = "127.0.0.1"
    port: int = 26600
    hosts: int = 1
    cluster_id: str = "grevy"
    partitions: int = 1
    node_id: int = 1
    cluster_size: int = 1
    replication_factor: int = 1
    cluster_host: str = "127.0.0.1"
    cluster_port: int = 26602
    contact_points: str = ""
    join: bool = False
    advertised_host: str = ""
    advertised_port: int = 0
    advertised_cluster_host: str = ""
    advertised_cluster_port: int = 0
    lead_back_s: float = 10.0
    checkpoint_period_s: float = 300.0
    exporter_log_max_mb: int = 4096
    disk_free_min_mb: int = 256
    keys: Path = NO_FILE
    broker_keys: Path = NO_FILE
    client_keys: Path = NO_FILE
    insecure: bool = False
    exporters: tuple[ExporterSettings, ...] = ()

    def validate(self) -> None:
        """Raises ConfigError for a setting that cannot be."""
        for name in ("port", "cluster_port", "advertised_port", "advertised_cluster_port"):
            value = getattr(self, name)
            if not 0 <= value <= 65535:
                raise ConfigError(f"{name}: expected 0 to 65535, got {value}")
        self._check_cluster()
        self._check_advertised()
        if not 1 <= self.partitions <= PARTITIONS_MAX:
            raise ConfigError(f"partitions: expected 1 to {PARTITIONS_MAX}, got {self.partitions}")
        for name in ("lead_back_s", "checkpoint_period_s", "exporter_log_max_mb"):
            value = getattr(self, name)
            if value <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {value}")
        self._check_hosts()
        if self.disk_free_min_mb < 0:
            raise ConfigError(f"disk_free_min_mb: expected 0 or more, got {self.disk_free_min_mb}")
        self._check_keys()
        ids = [exporter.id for exporter in self.exporters]
        if len(set(ids)) != len(ids) or not all(ids):
            raise ConfigError(f"exporters: each needs an id of its own, got {ids}")

    @property
    def contacts(self) -> tuple[str, ...]:
        """The contact points, one by one."""
        return tuple(point.strip() for point in self.contact_points.split(",") if point.strip())

    @property
    def is_of_cluster(self) -> bool:
        """Whether there are other brokers, or may be."""
        return bool(self.contacts) or self.join

    @property
    def cluster_address(self) -> str:
        """Where this broker tells others to connect, as host:port."""
        host = self.advertised_cluster_host or self.advertised_host or self.cluster_host
        return address_of(host, self.advertised_cluster_port or self.cluster_port)

    def client_address(self, port: int) -> str:
        """Where this broker, which listens at `port`, tells clients to connect, as host:port."""
        return address_of(self.advertised_host or self.host, self.advertised_port or port)

    def own_address(self, port: int) -> str:
        """Where this broker's own exporters connect, as host:port."""
        return address_of("127.0.0.1" if self.host in EVERYWHERE else self.host, port)

    @property
    def has_cluster_keys(self) -> bool:
        """Whether brokers speak CURVE to each other."""
        return self.keys != NO_FILE and self.broker_keys != NO_FILE

    @property
    def has_client_keys(self) -> bool:
        """Whether clients have to."""
        return self.keys != NO_FILE and self.client_keys != NO_FILE

    @property
    def key_environment(self) -> dict[str, str]:
        """What the broker's own clients, its exporters, need to come in."""
        if not self.has_client_keys:
            return {}
        brokers = self.broker_keys if self.broker_keys != NO_FILE else self.client_keys
        return {
            "GREVY_KEYS": str(self.keys.resolve()),
            "GREVY_BROKER_KEYS": str(brokers.resolve()),
        }

    def _check_keys(self) -> None:
        if self.keys == NO_FILE and (self.broker_keys != NO_FILE or self.client_keys != NO_FILE):
            raise ConfigError("keys: expected this broker's key pair beside the keys of others")
        if self.keys != NO_FILE and self.broker_keys == self.client_keys == NO_FILE:
            raise ConfigError(
                "broker_keys, client_keys: expected a list of those who may come in, for alone "
                "this broker's key pair would encrypt nothing"
            )
        for name, has_keys in (
            ("host", self.has_client_keys),
            ("cluster_host", self.has_cluster_keys),
        ):
            host = getattr(self, name)
            if host not in ("127.0.0.1", "localhost", "::1") and not (has_keys or self.insecure):
                raise ConfigError(
                    f"{name}: {host} is not loopback, and connections are not encrypted: "
                    "give keys, or set insecure to allow it"
                )

    def _check_hosts(self) -> None:
        """One process for each of them, each with something to do, and ports of its own."""
        hosts_max = HOSTS_MAX if self.join else min(HOSTS_MAX, self.partitions)
        if not 1 <= self.hosts <= hosts_max:
            why = f", with partitions = {self.partitions}" if hosts_max < HOSTS_MAX else ""
            raise ConfigError(f"hosts: expected 1 to {hosts_max}, got {self.hosts}{why}")
        if self.hosts == 1:
            return
        of_clients = range(self.port, self.port + self.hosts if self.port else 1)
        of_brokers = range(self.cluster_port, self.cluster_port + self.hosts)
        for name, ports in (("port", of_clients), ("cluster_port", of_brokers)):
            if ports[-1] > 65535:
                raise ConfigError(f"{name}: expected {self.hosts} ports from {ports[0]}")
        if self.is_of_cluster and not set(of_clients).isdisjoint(of_brokers):
            raise ConfigError(
                f"cluster_port: expected other ports than those of clients, which are "
                f"{of_clients[0]} to {of_clients[-1]} with {self.hosts} hosts, got "
                f"{of_brokers[0]} to {of_brokers[-1]}"
            )

    def _check_cluster(self) -> None:
        size, factor = self.cluster_size, self.replication_factor
        if self.join and self.node_id < 1:
            raise ConfigError(f"node_id: expected 1 or more, got {self.node_id}")
        if not self.join and not 1 <= self.node_id <= size:
            raise ConfigError(
                f"node_id: expected 1 to {size}, got {self.node_id}; "
                "a broker that is added to a cluster is started with join"
            )
        if not 1 <= factor <= size:
            raise ConfigError(f"replication_factor: expected 1 to {size}, got {factor}")
        if size > 1 and not self.contacts:
            raise ConfigError(f"contact_points: expected some, for there are {size} brokers")
        for point in self.contacts:
            host, _, port = point.rpartition(":")
            if not host or not (port.isdecimal() and 1 <= int(port) <= 65535):
                raise ConfigError(f"contact_points: expected host:port, got {point!r}")
        if self.is_of_cluster and self.cluster_port == 0:
            raise ConfigError("cluster_port: expected the one that contact points name, got 0")

    def _check_advertised(self) -> None:
        """Nobody else can connect to everywhere."""
        for name, host, advertised in (
            ("advertised_host", self.host, self.advertised_host),
            (
                "advertised_cluster_host",
                self.cluster_host,
                self.advertised_cluster_host or self.advertised_host,
            ),
        ):
            if (advertised or host) in EVERYWHERE:
                raise ConfigError(
                    f"{name}: expected the name or address that others are to connect to, "
                    f"for this broker listens at {host}"
                )


def address_of(host: str, port: int) -> str:
    """host:port; the numbers of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def load_config(path: Path | None, overrides: dict[str, object]) -> BrokerConfig:
    """Settings from a TOML file, then GREVY_* of the environment, then what was given on the
    command line. Of `SHARED_NAMES`, the environment counts only where the file says nothing.
    """
    config = BrokerConfig()
    names = {f.name for f in fields(BrokerConfig)} - {"exporters"}
    if path is not None:
        written = _read_toml(path)
        config = _updated(config, written, f"{path}: ")
        names -= SHARED_NAMES & written.keys()
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
