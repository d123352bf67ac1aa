"""The commands that people type. Each is a few lines over the client; `--json` prints for
programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grevy.broker.cli import cluster_changes
from grevy.broker.cli import log as log_commands
from grevy.broker.cli.base import Json, app
from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, read_variables, with_client

if TYPE_CHECKING:
    from grevy.client import Client

__all__ = ["app"]

app.add_typer(cluster_changes.cluster, name="cluster")
app.add_typer(log_commands.app, name="log")

Address = Annotated[
    str, typer.Option("--address", "-a", envvar="GREVY_ADDRESS", help="A broker: host:port.")
]
Variables = Annotated[
    str, typer.Option("--variables", "-v", help="A JSON object, @file, or @- for standard input.")
]


@app.command()
def deploy(
    files: Annotated[
        list[Path], typer.Argument(help="BPMN and DMN files.", exists=True, dir_okay=False)
    ],
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Deploy files together: all of them or none."""
    output = Output(as_json=as_json)
    deployment = with_client(address, output, lambda client: client.deploy(*files))
    from grevy.broker.cli.deployed import show_deployment

    show_deployment(deployment, output)


@app.command()
def delete(
    key: Annotated[int, typer.Argument(help="A process definition or a requirement graph.")],
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Delete a process definition without instances, or a requirement graph and its decisions."""
    output = Output(as_json=as_json)
    with_client(address, output, lambda client: client.delete_resource(key))
    output.result({"key": key}, f"{key} is deleted")


@app.command()
def decide(
    decision: Annotated[str, typer.Argument(help="Decision id.")],
    variables: Variables = "{}",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A DMN file: no broker is asked.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Evaluate a decision: the newest version that is deployed, or that of a file."""
    from grevy.broker.cli.decide import decide_from_file, show_evaluation

    output = Output(as_json=as_json)
    document = read_variables(variables, output)
    if file is not None:
        decide_from_file(file, decision, document, output)
        return
    evaluation = with_client(
        address, output, lambda client: client.evaluate_decision(decision, variables=document)
    )
    show_evaluation(evaluation, output)


@app.command()
def create(
    process: Annotated[str, typer.Argument(help="BPMN process id.")],
    variables: Variables = "{}",
    version: Annotated[int, typer.Option(help="-1 is the newest.")] = -1,
    count: Annotated[int, typer.Option(min=1, help="How many instances.")] = 1,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for a result.")] = 10,
    address: Address = DEFAULT_ADDRESS,
    *,
    result: Annotated[bool, typer.Option("--result", help="Wait until it has completed.")] = False,
    as_json: Json = False,
) -> None:
    """Create instances of a process."""
    from grevy.broker.cli.create import Creation, create_instances

    output = Output(as_json=as_json)
    document = read_variables(variables, output)
    wanted = Creation(process, version, document, timeout if result else None)
    with_client(address, output, lambda client: create_instances(client, output, wanted, count))


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="The message's name.")],
    key: Annotated[str, typer.Option("--key", "-k", help="Correlation key.")] = "",
    variables: Variables = "{}",
    ttl: Annotated[
        float, typer.Option(min=0, help="Seconds that it is kept for who comes later.")
    ] = 0,
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
def cancel(
    key: Annotated[int, typer.Argument(help="A process instance.")],
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Cancel a process instance."""
    output = Output(as_json=as_json)
    with_client(address, output, lambda client: client.cancel_instance(key))
    output.result({"key": key}, f"{key} is cancelled")


@app.command()
def resolve(
    key: Annotated[int, typer.Argument(help="An incident.")],
    job: Annotated[
        int | None, typer.Option(help="The incident's job, if it has no retries left.")
    ] = None,
    retries: Annotated[int, typer.Option(min=1, help="How often that job may be tried again.")] = 1,
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Resolve an incident: what was stuck is tried again."""
    output = Output(as_json=as_json)

    async def act(client: Client) -> None:
        if job is not None:
            await client.update_job_retries(job, retries)
        await client.resolve_incident(key)

    with_client(address, output, act)
    output.result({"key": key}, f"{key} is resolved")


@app.command(name="set")
def set_variables(
    key: Annotated[int, typer.Argument(help="A process or element instance.")],
    variables: Annotated[str, typer.Argument(help="A JSON object, @file, or @-.")],
    address: Address = DEFAULT_ADDRESS,
    *,
    local: Annotated[
        bool, typer.Option("--local", help="In this very scope, not where they are found upwards.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set variables at an element instance."""
    output = Output(as_json=as_json)
    document = read_variables(variables, output)
    with_client(address, output, lambda client: client.set_variables(key, document, local=local))
    values = {"key": key, "variables": document}
    output.result(values, f"{', '.join(document) or 'nothing'} set at {key}")


@app.command()
def worker(
    job_type: Annotated[str, typer.Argument(help="The type of the jobs to take.")],
    command: Annotated[list[str], typer.Argument(help="What to run for each job.")],
    max_jobs: Annotated[int, typer.Option(min=1, help="At the same time.")] = 8,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds before another worker may take a job.")
    ] = 300,
    backoff: Annotated[
        float, typer.Option(min=0, help="Seconds before a failed job is tried again.")
    ] = 0,
    throw: Annotated[
        list[str] | None,
        typer.Option(help="EXITCODE=CODE: throws the BPMN error CODE. May be repeated."),
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="End after so many jobs; 0 goes on.")] = 0,
    address: Address = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Run a command for each job, e.g. `grevy worker charge-card -- ./charge.sh --fast`.

    It reads the job's variables from its standard input, a JSON object, and finds GREVY_JOB_KEY,
    GREVY_JOB_TYPE, GREVY_JOB_RETRIES, GREVY_JOB_HEADERS, GREVY_ELEMENT_ID, GREVY_PROCESS_ID and
    GREVY_PROCESS_INSTANCE_KEY in its environment.

    Exit code 0 completes the job, with the JSON object on the command's standard output, if there
    is one. Any other exit code fails the job, with what is on the error output, unless --throw says
    otherwise.

    Ctrl-C takes no more jobs and waits for those that run; a second one gives them back.
    """
    from grevy.broker.cli.worker import ShellWorker, parse_throws

    output = Output(as_json=as_json)
    shell = ShellWorker(output, command, throws=parse_throws(throw or [], output), count=count)
    with_client(
        address,
        output,
        lambda client: shell.run(
            client, job_type, max_jobs=max_jobs, timeout=timeout, backoff=backoff
        ),
    )


@app.command()
def feel(
    expression: Annotated[str, typer.Argument(help="With or without the = that models write.")],
    context: Annotated[
        Path | None, typer.Option("--context", "-c", help="A JSON file of variables, or -.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Evaluate a FEEL expression, without a broker."""
    from grevy.broker.cli.feel import show_value

    show_value(expression, context, Output(as_json=as_json))


@app.command()
def status(address: Address = DEFAULT_ADDRESS, *, as_json: Json = False) -> None:
    """Show how a broker is: its partition, its log, its workers and exporters."""
    from grevy.broker.cli.figures import draw_status

    output = Output(as_json=as_json)
    figures = with_client(address, output, lambda client: client.status())
    if as_json:
        output.result(figures, "")
    else:
        output.draw(draw_status(figures))


@app.command()
def top(
    address: Address = DEFAULT_ADDRESS,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between looks.")] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="End after so many looks; 0 goes on.")] = 0,
    *,
    as_json: Json = False,
) -> None:
    """Watch a broker at work, until Ctrl-C."""
    from grevy.broker.cli.top import show_top

    output = Output(as_json=as_json)
    with_client(
        address,
        output,
        lambda client: show_top(client, output, interval=interval, count=count),
        is_endless=True,
    )


@app.command()
def keys(
    file: Annotated[Path, typer.Argument(help="A new file for the pair; only you can read it.")],
    *,
    as_json: Json = False,
) -> None:
    """Make a key pair for a broker or a client, and print the public key for others' lists."""
    from grevy.transport import new_key_pair

    output = Output(as_json=as_json)
    pair = new_key_pair()
    try:
        pair.save(file)
    except OSError as error:
        raise output.fail(f"{file}: {error.strerror}") from None
    output.result({"file": str(file), "public": pair.public}, pair.public)
