"""The commands that people type. Each is a few lines over the client; `--json` prints for
programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grevy.broker.cli import log as log_commands
from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, read_variables, with_client
from grevy.broker.cli.top import show_top
from grevy.broker.cli.worker import run_shell_worker
from grevy.broker.config import ConfigError, load_config
from grevy.client import Client

app = typer.Typer(
    help="Grevy: BPMN processes over a replicated log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(log_commands.app, name="log", help="Read a partition's log.")

Address = Annotated[
    str, typer.Option("--address", "-a", envvar="GREVY_ADDRESS", help="A broker: host:port.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Variables = Annotated[
    str, typer.Option("--variables", "-v", help="A JSON object, @file, or @- for standard input.")
]


@app.command()
def broker(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of logs and checkpoints.")] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    *,
    insecure: Annotated[bool, typer.Option(help="Listen beyond loopback unencrypted.")] = False,
    as_json: Json = False,
) -> None:
    """Run a broker in the foreground until it is interrupted."""
    from grevy.broker.server import run_broker

    overrides: dict[str, object] = {
        "data": data,
        "host": host,
        "port": port,
        "insecure": insecure or None,
    }
    output = Output(as_json=as_json)
    try:
        settings = load_config(config, overrides)
    except ConfigError as error:
        raise output.fail(str(error)) from None
    raise typer.Exit(run_broker(settings, as_json=as_json))


@app.command()
def deploy(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Deploy files together: all of them or none."""
    output = Output(as_json=as_json)
    deployment = with_client(address, output, lambda client: client.deploy(*files))
    output.rows(
        ("process", "version", "key", "file"),
        [(p.bpmn_process_id, p.version, p.key, p.resource_name) for p in deployment.processes],
    )


@app.command()
def create(
    process: Annotated[str, typer.Argument(help="BPMN process id.")],
    variables: Variables = "{}",
    version: Annotated[int, typer.Option(help="-1 is the newest.")] = -1,
    count: Annotated[int, typer.Option(min=1, help="How many instances.")] = 1,
    address: Address = DEFAULT_ADDRESS,
    *,
    result: Annotated[bool, typer.Option(help="Wait for it to complete.")] = False,
    as_json: Json = False,
) -> None:
    """Create instances of a process."""
    output = Output(as_json=as_json)
    document = read_variables(variables, output)

    async def act(client: Client) -> None:
        for number in range(count):
            if result:
                done = await client.create_instance_with_result(
                    process, variables=document, version=version
                )
                values = {"key": done.key, "variables": done.variables}
                output.result(values, f"{done.key} completed: {done.variables}")
                continue
            made = await client.create_instance(process, variables=document, version=version)
            if as_json or count == 1:
                output.result({"key": made.key, "version": made.version}, f"{made.key}")
            elif (number + 1) % 1_000 == 0 or number + 1 == count:
                output.console.print(f"{number + 1} of {count} created, the last is {made.key}")

    with_client(address, output, act)


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The message's name.")],
    key: Annotated[str, typer.Option("--key", "-k", help="Correlation key.")] = "",
    variables: Variables = "{}",
    ttl: Annotated[float, typer.Option(help="Seconds that it is kept for who comes later.")] = 0,
    message_id: Annotated[str, typer.Option("--id", help="Publish this id once.")] = "",
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Publish a message."""
    output = Output(as_json=as_json)
    document = read_variables(variables, output)
    found = with_client(
        address,
        output,
        lambda client: client.publish_message(
            name, correlation_key=key, variables=document, time_to_live=ttl, message_id=message_id
        ),
    )
    output.result({"key": found}, f"{found}")


@app.command()
def cancel(key: int, address: Address = DEFAULT_ADDRESS, *, as_json: Json = False) -> None:
    """Cancel a process instance."""
    output = Output(as_json=as_json)
    with_client(address, output, lambda client: client.cancel_instance(key))
    output.result({"key": key}, f"{key} is cancelled")


@app.command()
def resolve(key: int, address: Address = DEFAULT_ADDRESS, *, as_json: Json = False) -> None:
    """Resolve an incident: what was stuck is tried again."""
    output = Output(as_json=as_json)
    with_client(address, output, lambda client: client.resolve_incident(key))
    output.result({"key": key}, f"{key} is resolved")


@app.command(name="set")
def set_variables(
    key: Annotated[int, typer.Argument(help="A process or element instance.")],
    variables: Annotated[str, typer.Argument(help="A JSON object, @file, or @-.")],
    address: Address = DEFAULT_ADDRESS,
    *,
    local: Annotated[bool, typer.Option(help="In this very scope.")] = False,
    as_json: Json = False,
) -> None:
    """Set variables at an element instance."""
    output = Output(as_json=as_json)
    document = read_variables(variables, output)
    with_client(address, output, lambda client: client.set_variables(key, document, local=local))
    output.result({"key": key}, f"{', '.join(document)} set at {key}")


@app.command()
def worker(
    job_type: Annotated[str, typer.Argument(help="The type of the jobs to take.")],
    command: Annotated[list[str], typer.Argument(help="What to run for each job.")],
    max_jobs: Annotated[int, typer.Option(min=1, help="At the same time.")] = 8,
    timeout: Annotated[
        float, typer.Option(help="Seconds before another worker may take a job.")
    ] = 300,
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Run a command for each job: variables on its standard input, a JSON object of results on its
    output.

    Exit code 0 completes the job; any other fails it, with what the command wrote on its error
    output.
    """
    output = Output(as_json=as_json)
    with_client(
        address,
        output,
        lambda client: run_shell_worker(
            client, output, job_type, command, max_jobs=max_jobs, timeout=timeout
        ),
    )


@app.command()
def status(address: Address = DEFAULT_ADDRESS, *, as_json: Json = False) -> None:
    """Show a broker's figures."""
    output = Output(as_json=as_json)
    figures = with_client(address, output, lambda client: client.status())
    if as_json:
        output.result(figures, "")
    else:
        output.rows(("figure", "value"), sorted(figures.items()))


@app.command()
def top(
    address: Address = DEFAULT_ADDRESS,
    interval: Annotated[float, typer.Option(help="Seconds between looks.")] = 1.0,
    count: Annotated[int, typer.Option(help="Stop after so many looks; 0 goes on.")] = 0,
    *,
    as_json: Json = False,
) -> None:
    """Watch a broker at work."""
    output = Output(as_json=as_json)
    with_client(
        address, output, lambda client: show_top(client, output, interval=interval, count=count)
    )
