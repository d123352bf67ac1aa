"""`grevy log`: follow a partition's log over the network, or read and check its files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress

from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, with_client
from grevy.broker.system import DataInUse, DataLock, OsDisk
from grevy.client import Client
from grevy.journal import Journal, JournalEntry, JournalError, JournalOptions
from grevy.partition.storage import checkpoint_directories
from grevy.protocol.codec import decode_entry
from grevy.protocol.errors import GrevyError
from grevy.protocol.json_form import record_json
from grevy.protocol.record import Entry
from grevy.state import CheckpointCorrupted, read_manifest, verified_image

app = typer.Typer(no_args_is_help=True)

READ_BYTES: Final = 4 * 1024 * 1024

Data = Annotated[Path, typer.Option("--data", help="The broker's folder; it must not be running.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def lines_of(entry: Entry) -> Iterator[str]:
    """The records of an entry as Zeebe exports them, a JSON object each."""
    for place in range(len(entry.records)):
        yield record_json(entry, place).decode()


@app.command()
def tail(
    from_position: Annotated[int, typer.Option("--from", help="0 is the oldest there is.")] = 0,
    count: Annotated[int, typer.Option(help="Stop after so many records; 0 goes on.")] = 0,
    address: Annotated[str, typer.Option("--address", "-a")] = DEFAULT_ADDRESS,
    *,
    as_json: Json = False,
) -> None:
    """Follow the log of a running broker, a record a line."""
    output = Output(as_json=as_json)

    async def act(client: Client) -> None:
        shown = 0
        async with client.subscribe_records(1, from_position) as subscription:
            async for batch in subscription:
                for entry in batch.entries:
                    for line in _shown(entry, as_json=as_json):
                        sys.stdout.write(line + "\n")
                        shown += 1
                        if shown == count:
                            return
                sys.stdout.flush()

    with_client(address, output, act)


@app.command()
def dump(data: Data = Path("grevy-data")) -> None:
    """Print the log in a broker's folder as JSON lines."""
    output = Output(as_json=True)
    for item in _read(data, output):
        if item.payload:
            for line in lines_of(decode_entry(item.payload)):
                sys.stdout.write(line + "\n")


@app.command()
def verify(data: Data = Path("grevy-data"), *, as_json: Json = False) -> None:
    """Check every checksum, index and position of the log and the checkpoints in a broker's
    folder.
    """
    output = Output(as_json=as_json)
    entries = records = 0
    position = 0
    with Progress(console=output.errors, transient=True, disable=as_json) as progress:
        task = progress.add_task("checking", total=None)
        for item in _read(data, output):
            entries += 1
            progress.update(task, completed=entries)
            if not item.payload:
                continue
            try:
                entry = decode_entry(item.payload)
            except GrevyError as error:
                raise output.fail(f"entry {item.index}: {error}") from None
            if position and entry.first_position != position + 1:
                raise output.fail(
                    f"entry {item.index} begins at position {entry.first_position}, "
                    f"expected {position + 1}"
                )
            position = entry.last_position
            records += len(entry.records)
    checkpoints = _check_checkpoints(data, output)
    values = {
        "entries": entries,
        "records": records,
        "last_position": position,
        "checkpoints": checkpoints,
    }
    text = f"{entries} entries with {records} records are whole, up to position {position}"
    output.result(values, f"{text}, and {checkpoints} checkpoints")


def _shown(entry: Entry, *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield from lines_of(entry)
        return
    for place, record in enumerate(entry.records):
        about = getattr(record.value, "element_id", "") or getattr(record.value, "name", "")
        yield (
            f"{entry.first_position + place:>10} {record.record_type.name:<17} "
            f"{record.value_type.name:<32} {record.intent.name:<24} {record.key} {about}"
        )


def _read(data: Path, output: Output) -> Iterator[JournalEntry]:
    """All entries of the log in a folder; what a crash left unfinished at its end is cut first."""
    folder = data / "partitions" / "1"
    if not (folder / "journal").is_dir():
        raise output.fail(f"{data}: no log of partition 1 is in there")
    try:
        with DataLock(data):
            yield from _entries(OsDisk(folder))
    except (DataInUse, JournalError) as error:
        raise output.fail(str(error)) from None


def _entries(disk: OsDisk) -> Iterator[JournalEntry]:
    journal = Journal.open(disk, 1, JournalOptions())
    try:
        index = journal.first_index
        while index <= journal.last_index:
            entries = journal.read(index, READ_BYTES)
            yield from entries
            index = entries[-1].index + 1
    finally:
        journal.close()


def _check_checkpoints(data: Path, output: Output) -> int:
    """Look at every byte of every checkpoint; how many there are."""
    disk = OsDisk(data / "partitions" / "1")
    directories = checkpoint_directories(disk)
    for _, directory in directories:
        try:
            for _ in verified_image(disk, directory, read_manifest(disk, directory)):
                pass
        except CheckpointCorrupted as error:
            raise output.fail(str(error)) from None
    return len(directories)
