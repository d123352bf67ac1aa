"""`grevy log`: follow a partition's log over the network, or read and check its files."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grevy.broker.cli.base import Json
from grevy.broker.cli.output import DEFAULT_ADDRESS, Output, with_client

if TYPE_CHECKING:
    from grevy.client import Client
    from grevy.journal import JournalInspection
    from grevy.protocol.record import Entry

app = typer.Typer(no_args_is_help=True, help="Read a partition's log.")

PartitionId = Annotated[int, typer.Option("--partition", "-p", min=1, help="Which partition.")]
Data = Annotated[Path, typer.Option("--data", help="The broker's folder; it may be running.")]


@app.command()
def tail(
    from_position: Annotated[
        int | None, typer.Option("--from", min=0, help="A position; 0 is the oldest there is.")
    ] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="Begin so many back.")] = 10,
    count: Annotated[int, typer.Option(min=0, help="End after so many records; 0 goes on.")] = 0,
    address: Annotated[
        str, typer.Option("--address", "-a", envvar="GREVY_ADDRESS", help="A broker: host:port.")
    ] = DEFAULT_ADDRESS,
    partition: PartitionId = 1,
    *,
    as_json: Json = False,
) -> None:
    """Follow the log of a running broker, a record a line, until Ctrl-C."""
    output = Output(as_json=as_json)

    async def act(client: Client) -> None:
        start = from_position
        if start is None:
            start = max(await _newest(client, partition, output) - last + 1, 1)
        left = count or -1
        async for entry in _committed(client, partition, start, output):
            for line in _lines(entry, start, as_json=as_json):
                sys.stdout.write(line + "\n")
                left -= 1
                if left == 0:
                    return
            sys.stdout.flush()

    with_client(address, output, act, is_endless=True)


@app.command()
def dump(
    data: Data = Path("grevy-data"),
    from_position: Annotated[int, typer.Option("--from", min=0, help="A position.")] = 0,
    partition: PartitionId = 1,
    *,
    as_json: Json = False,
) -> None:
    """Print the log in a broker's folder as JSON lines, as Zeebe exports its records."""
    output = Output(as_json=as_json)
    is_bar_wanted = not sys.stdout.isatty()  # between lines it would help nobody
    folder = _folder(data, partition, output)
    inspection = _open(folder, partition, output)
    for entry in _entries(inspection, folder, output, is_bar_wanted=is_bar_wanted):
        for line in _lines(entry, from_position, as_json=True):
            sys.stdout.write(line + "\n")


@app.command()
def verify(
    data: Data = Path("grevy-data"), partition: PartitionId = 1, *, as_json: Json = False
) -> None:
    """Check every checksum, index and position of a partition's log and checkpoints in a broker's
    folder.

    Ends with 1 and says in which file, and from which byte on, if something that the broker has
    acknowledged cannot be read. What a crash left half-written is no damage: a start cuts it off.
    """
    output = Output(as_json=as_json)
    records = first_position = last_position = restarts = 0
    folder = _folder(data, partition, output)
    inspection = _open(folder, partition, output)
    for entry in _entries(inspection, folder, output):
        if inspection.restarts > restarts:
            restarts, last_position = inspection.restarts, 0
        if last_position and entry.first_position != last_position + 1:
            raise output.fail(
                f"{folder}: an entry begins at position {entry.first_position}, "
                f"expected {last_position + 1}"
            )
        first_position = first_position or entry.first_position
        last_position = entry.last_position
        records += len(entry.records)
    unfinished = inspection.tail
    checkpoints = _check_checkpoints(folder, output)
    values = {
        "records": records,
        "first_position": first_position,
        "last_position": last_position,
        "bytes": inspection.bytes,
        "segments": inspection.segments,
        "checkpoints": checkpoints,
        "unfinished": unfinished._asdict() if unfinished else None,
    }
    output.result(
        values,
        f"{records:,} records are whole, positions {first_position} to {last_position}: "
        f"{inspection.bytes:,} bytes of log (files: {inspection.segments}), "
        f"checkpoints: {checkpoints}",
    )
    if unfinished:
        path, offset, length = unfinished
        output.note(f"{path}, byte {offset}: {length} bytes more are of an unfinished write")


def _check_checkpoints(folder: Path, output: Output) -> int:
    """Look at every byte of every checkpoint; how many there are."""
    from grevy.broker.system import OsDisk
    from grevy.partition.checkpoint_folder import checkpoint_directories
    from grevy.state import CheckpointCorrupted, read_manifest, verified_image

    disk = OsDisk(folder, is_read_only=True)
    count = 0
    for item in checkpoint_directories(disk):
        try:
            for _ in verified_image(disk, item[1], read_manifest(disk, item[1])):
                pass
        except (CheckpointCorrupted, OSError) as error:
            if item not in checkpoint_directories(disk):
                continue  # the broker has just replaced it by a newer one
            raise output.fail(f"{folder}: {error}") from None
        count += 1
    return count


async def _newest(client: Client, partition_id: int, output: Output) -> int:
    """The position of a partition's newest record."""
    figures = (await client.status())["partitions"]
    assert isinstance(figures, list), figures
    for one in figures:
        if isinstance(one, dict) and one["id"] == partition_id:
            return int(str(one["records"]))
    raise output.fail(f"partition {partition_id} is not on this broker: say --from")


async def _committed(
    client: Client, partition_id: int, start: int, output: Output
) -> AsyncIterator[Entry]:
    """Entries of the log as they are committed; what it no longer has is noted and passed over."""
    from grevy.client import RecordsMissing

    async with client.subscribe_records(partition_id, start) as subscription:
        while True:
            try:
                batch = await anext(subscription)
            except RecordsMissing as missing:
                output.note(str(missing))
                continue
            for entry in batch.entries:
                yield entry


def _folder(data: Path, partition_id: int, output: Output) -> Path:
    """Where a partition lies in a broker's folder."""
    folder = data / "partitions" / str(partition_id)
    if not (folder / "journal").is_dir():
        raise output.fail(f"{data}: expected a broker's folder, but {folder}/journal is missing")
    return folder


def _open(folder: Path, partition_id: int, output: Output) -> JournalInspection:
    """The log in a partition's folder, to be looked at."""
    from grevy.broker.system import OsDisk
    from grevy.journal import JournalError, JournalInspection, JournalOptions

    try:
        disk = OsDisk(folder, is_read_only=True)
        return JournalInspection.open(disk, partition_id, JournalOptions())
    except JournalError as error:
        raise output.fail(f"{folder}: {error}") from None
    except OSError as error:
        raise output.fail(f"{error.filename or folder}: {error.strerror}") from None


def _entries(
    inspection: JournalInspection, folder: Path, output: Output, *, is_bar_wanted: bool = True
) -> Iterator[Entry]:
    """All entries of the log in a folder; ends with an error where it is damaged."""
    from grevy.journal import JournalDamaged, JournalError
    from grevy.protocol.codec import decode_entry
    from grevy.protocol.errors import GrevyError
    from grevy.raft import is_of_engine

    index = 0
    with output.progress("reading", inspection.bytes_total(), is_wanted=is_bar_wanted) as bar:
        try:
            for item in inspection.entries():
                index = item.index
                if is_of_engine(item.payload):
                    yield decode_entry(item.payload)
                bar.update(bar.task_ids[0], completed=inspection.bytes)
        except JournalDamaged as damage:
            path = folder / damage.path
            details = {"file": str(path), "byte": damage.offset, "index": damage.index}
            raise output.fail(f"{folder}/{damage.why}", **details) from None
        except JournalError as error:
            raise output.fail(f"{folder}: {error}") from None
        except GrevyError as error:
            raise output.fail(f"{folder}: entry {index}: {error}") from None


def _lines(entry: Entry, from_position: int, *, as_json: bool) -> Iterator[str]:
    """The records of an entry from a position on, as Zeebe exports them or as people read them."""
    first = max(from_position - entry.first_position, 0)
    if as_json:
        from grevy.protocol.json_form import record_json

        for place in range(first, len(entry.records)):
            yield record_json(entry, place).decode()
        return
    from grevy.protocol.text_form import entry_lines

    yield from entry_lines(entry, first)
