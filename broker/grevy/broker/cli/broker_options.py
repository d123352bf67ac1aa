"""The options of `grevy broker`; `grevy.broker.config` says what they mean in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option(help="A TOML file of settings.")]
Data = Annotated[Path | None, typer.Option(help="Folder of logs and checkpoints.")]
Host = Annotated[str | None, typer.Option(help="Where to listen for clients.")]
Port = Annotated[int | None, typer.Option(help="0 takes a free one.")]
Hosts = Annotated[
    int | None, typer.Option(help="Processes that share the partitions, to use more cores.")
]
Partitions = Annotated[
    int | None, typer.Option(help="Logs that share the work; stays as at the first start.")
]
NodeId = Annotated[int | None, typer.Option(help="Which broker this is, from 1.")]
ClusterSize = Annotated[int | None, typer.Option(help="How many brokers there are.")]
ReplicationFactor = Annotated[
    int | None, typer.Option(help="On how many brokers each partition lies.")
]
ClusterHost = Annotated[str | None, typer.Option(help="Where to listen for the other brokers.")]
ClusterPort = Annotated[int | None, typer.Option(help="Where the other brokers connect.")]
ContactPoints = Annotated[
    str | None, typer.Option(help="Cluster addresses of some brokers: host:port,host:port.")
]
Join = Annotated[
    bool, typer.Option("--join", help="Be added to a running cluster by `grevy cluster add`.")
]
AdvertisedHost = Annotated[
    str | None, typer.Option(help="Where others connect, if not where it listens.")
]
DiskFreeMinMb = Annotated[
    int | None, typer.Option(help="With less free on the disk, commands are refused.")
]
Keys = Annotated[Path | None, typer.Option(help="This broker's key pair.")]
BrokerKeys = Annotated[Path | None, typer.Option(help="Brokers' public keys.")]
ClientKeys = Annotated[Path | None, typer.Option(help="Clients' public keys.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Listen beyond loopback unencrypted.")]
