"""`grevy` itself, and `grevy broker`, the one command that needs no client."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from grevy.broker.cli.output import Output
from grevy.broker.config import BrokerConfig, ConfigError, load_config
from grevy.protocol.errors import GrevyError

app = typer.Typer(
    help="Grevy: BPMN processes over a replicated log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"grevy {version_of('grevy')}")
        raise typer.Exit


@app.callback()
def grevy(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Grevy: BPMN processes over a replicated log."""


def _run(settings: BrokerConfig, announce: Callable[[str], None]) -> int:
    """The broker, in this process or in several; other commands need no engine, and neither does a
    supervisor.
    """
    if settings.hosts > 1:
        from grevy.broker.supervisor import run_supervisor

        return run_supervisor(settings, announce)
    from grevy.broker.server import run_broker

    return run_broker(settings, lambda ready: announce(ready.endpoint))


def _serve(settings: BrokerConfig, output: Output) -> int:
    """Runs it until it ends; the exit code."""

    def announce(endpoint: str) -> None:
        values = {"endpoint": endpoint, "data": str(settings.data), "pid": os.getpid()}
        output.result(values, f"grevy is ready at {endpoint}, data in {settings.data}")

    try:
        return _run(settings, announce)
    except GrevyError as error:
        raise output.fail(str(error)) from None
    except OSError as error:
        raise output.fail(f"{error.filename or settings.data}: {error.strerror}") from None


@app.command()
def broker(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of logs and checkpoints.")] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen for clients.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    hosts: Annotated[
        int | None, typer.Option(help="Processes that share the partitions, to use more cores.")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(help="Logs that share the work; stays as at the first start.")
    ] = None,
    node_id: Annotated[int | None, typer.Option(help="Which broker this is, from 1.")] = None,
    cluster_size: Annotated[int | None, typer.Option(help="How many brokers there are.")] = None,
    replication_factor: Annotated[
        int | None, typer.Option(help="On how many brokers each partition lies.")
    ] = None,
    cluster_port: Annotated[
        int | None, typer.Option(help="Where the other brokers connect.")
    ] = None,
    contact_points: Annotated[
        str | None, typer.Option(help="Cluster addresses of some brokers: host:port,host:port.")
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Be added to a running cluster by `grevy cluster add`.")
    ] = False,
    advertised_host: Annotated[
        str | None, typer.Option(help="Where others connect, if not where it listens.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="This broker's key pair.")] = None,
    broker_keys: Annotated[Path | None, typer.Option(help="Brokers' public keys.")] = None,
    client_keys: Annotated[Path | None, typer.Option(help="Clients' public keys.")] = None,
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond loopback unencrypted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a broker in the foreground until it is interrupted."""
    output = Output(as_json=as_json)
    overrides: dict[str, object] = {
        "data": data,
        "host": host,
        "port": port,
        "hosts": hosts,
        "partitions": partitions,
        "node_id": node_id,
        "cluster_size": cluster_size,
        "replication_factor": replication_factor,
        "cluster_port": cluster_port,
        "contact_points": contact_points,
        "join": join or None,
        "advertised_host": advertised_host,
        "keys": keys,
        "broker_keys": broker_keys,
        "client_keys": client_keys,
        "insecure": insecure or None,
    }
    try:
        settings = load_config(config, overrides)
    except ConfigError as error:
        raise output.fail(str(error)) from None
    raise typer.Exit(_serve(settings, output))
