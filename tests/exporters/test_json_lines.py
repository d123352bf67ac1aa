"""The JSON-lines exporter: whole lines, each record once, whatever a crash leaves behind."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grevy.exporters.json_lines import ForeignFile, JsonLinesExporter
from grevy.exporting import InvalidArguments, Turn
from grevy.protocol.intents import JobIntent, RecordType
from grevy.protocol.record import Entry
from grevy.protocol.values import JobValue
from grevy.testing.clock import START_MS
from grevy.testing.exporters import ExporterRun, one_record


class Run(ExporterRun):
    """A run of the exporter; records are named by their positions."""

    def __init__(self, directory: Path, position: int = 0, metadata: bytes = b"") -> None:
        super().__init__(
            JsonLinesExporter(),
            {"path": str(directory)},
            position=position,
            metadata=metadata,
        )

    def write(self, *positions: int, timestamp: int = START_MS) -> Turn:
        """Export a batch of records with these positions."""
        return self.export(*(make_entry(position, timestamp) for position in positions))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the lines go; nothing is there yet."""
    return tmp_path / "lines"


def make_entry(position: int, timestamp: int) -> Entry:
    """An entry of one job record."""
    job = JobValue(type="work", variables=b'{"text":"line\\nbreak"}')
    return one_record(position, RecordType.EVENT, JobIntent.CREATED, job, timestamp=timestamp)


def files_in(directory: Path) -> list[Path]:
    """The files in the order of their names."""
    return sorted(directory.iterdir())


def positions_in(directory: Path) -> list[int]:
    """The positions of all records, read as a user would read them."""
    text = b"".join(path.read_bytes() for path in files_in(directory))
    assert not text or text.endswith(b"\n")
    return [json.loads(line)["position"] for line in text.splitlines()]


def test_writes_a_line_for_each_record_and_acknowledges(directory: Path) -> None:
    run = Run(directory)

    run.write(1, 2)
    turn = run.write(3)

    assert positions_in(directory) == [1, 2, 3]
    assert turn.acknowledgement is not None
    assert turn.acknowledgement.position == 3
    first = json.loads(files_in(directory)[0].read_text().splitlines()[0])
    assert (first["valueType"], first["intent"]) == ("JOB", "CREATED")
    assert first["value"]["variables"] == {"text": "line\nbreak"}


def test_goes_on_behind_what_was_acknowledged(directory: Path) -> None:
    first = Run(directory)
    first.write(1, 2)
    first.close()

    Run(directory, first.position, first.metadata).write(3)

    assert positions_in(directory) == [1, 2, 3]


def test_lines_whose_acknowledgement_was_lost_are_not_written_again(directory: Path) -> None:
    first = Run(directory)
    first.write(1, 2)
    known = first.position, first.metadata
    first.write(3, 4)

    second = Run(directory, *known)
    turn = second.write(3)
    assert turn.acknowledgement is None, "whose line it is shows with the last one only"
    second.write(4, 5)

    assert positions_in(directory) == [1, 2, 3, 4, 5]
    assert second.position == 5


def test_begins_anew_without_an_acknowledgement_at_all(directory: Path) -> None:
    Run(directory).write(1, 2)

    second = Run(directory)
    turn = second.write(1, 2)

    assert positions_in(directory) == [1, 2]
    assert turn.acknowledgement is not None


@pytest.mark.parametrize("torn_bytes", [1, 40, 200])
def test_a_torn_line_is_cut_off_and_written_again(directory: Path, torn_bytes: int) -> None:
    first = Run(directory)
    first.write(1)
    known = first.position, first.metadata
    first.write(2, 3)
    file = files_in(directory)[0]
    file.write_bytes(file.read_bytes()[:-torn_bytes])

    Run(directory, *known).write(2, 3)

    assert positions_in(directory) == [1, 2, 3]


def test_an_empty_new_file_does_not_hide_the_one_before(directory: Path) -> None:
    first = Run(directory)
    first.write(1)
    known = first.position, first.metadata
    first.write(2)
    (directory / f"partition-1-{3:020}.jsonl").write_bytes(b'{"posi')

    Run(directory, *known).write(2, 3)

    assert positions_in(directory) == [1, 2, 3]


def test_lines_behind_a_hole_are_cut_off_too(directory: Path) -> None:
    first = Run(directory)
    first.write(1)
    known = first.position, first.metadata
    first.write(2, 3, 4)
    file = files_in(directory)[0]
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = bytes(len(lines[2]) - 1) + b"\n"
    file.write_bytes(b"".join(lines))

    Run(directory, *known).write(2, 3, 4, 5)

    assert positions_in(directory) == [1, 2, 3, 4, 5]


def test_a_write_that_fails_half_way_leaves_nothing_torn(directory: Path) -> None:
    run = Run(directory)
    run.write(1)
    with file_size_limit(files_in(directory)[0].stat().st_size + 100):
        failure = run.write(2, 3).failure
    assert failure is not None
    assert isinstance(failure.error, OSError)

    turn = run.turn()

    assert positions_in(directory) == [1, 2, 3]
    assert turn.acknowledgement is not None
    assert turn.acknowledgement.position == 3


def test_begins_a_new_file_when_one_is_large(directory: Path) -> None:
    run = ExporterRun(JsonLinesExporter(), {"path": str(directory), "rotateBytes": 1})

    for position in (1, 2, 3):
        run.export(make_entry(position, START_MS))
    Run(directory, run.position, run.metadata).write(4)

    assert [path.name for path in files_in(directory)] == [
        f"partition-1-{position:020}.jsonl" for position in (1, 2, 3)
    ]
    assert positions_in(directory) == [1, 2, 3, 4]


def test_another_logs_file_is_left_alone(directory: Path) -> None:
    Run(directory).write(1, 2)

    failure = Run(directory).write(1, 2, 3, timestamp=START_MS + 1).failure

    assert failure is not None
    assert isinstance(failure.error, ForeignFile)
    assert positions_in(directory) == [1, 2]


@pytest.mark.parametrize("arguments", [{}, {"path": ""}, {"path": "x", "rotateBytes": -1}])
def test_wrong_arguments_are_told(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidArguments, match=r"path|rotateBytes"):
        ExporterRun(JsonLinesExporter(), arguments)
