"""Exporters are found by name, and wrong configurations are told before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from grevy.exporting import (
    NO_PARTITION,
    Context,
    ExporterSettings,
    InvalidArguments,
    RecordFilter,
    UnknownExporter,
    check_exporter,
    load_exporter,
)
from grevy.protocol.intents import JobIntent, RecordType, ValueType
from grevy.protocol.record import Record
from grevy.protocol.values import JobValue


class StoppedClock:
    """A clock that nobody needs."""

    def now_ms(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0


class Bulk(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the arguments."""

    size: Annotated[int, Meta(ge=1)] = 1000


class Arguments(Struct, frozen=True, forbid_unknown_fields=True):
    """What some exporter takes."""

    path: str
    bulk: Bulk = Bulk()


def read(arguments: Mapping[str, object]) -> Arguments:
    """The arguments as an exporter called "files" reads them."""
    return Context("files", NO_PARTITION, arguments, StoppedClock()).read_arguments(Arguments)


def test_arguments_are_read_with_their_defaults() -> None:
    assert read({"path": "/tmp"}) == Arguments("/tmp", Bulk(1000))


def test_numbers_may_come_as_text() -> None:
    assert read({"path": "/tmp", "bulk": {"size": "7"}}).bulk.size == 7


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "`path`"),
        ({"path": 7}, "`args.path`"),
        ({"path": "", "bulk": {"size": 0}}, "`args.bulk.size`"),
        ({"path": "", "bulk": {"sise": 1}}, "`sise` - at `args.bulk`"),
    ],
)
def test_a_wrong_argument_is_named(arguments: Mapping[str, object], named: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        read(arguments)

    assert str(caught.value).startswith("exporter 'files': ")
    assert named in str(caught.value)


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UnknownExporter, match=r"'kafka'; installed: .*json-lines"):
        load_exporter("kafka")


@pytest.mark.parametrize("name", ["no.such.module:It", "pathlib:NoSuchName"])
def test_what_cannot_be_loaded_is_told(name: str) -> None:
    with pytest.raises(UnknownExporter, match="cannot be loaded"):
        load_exporter(name)


def test_what_is_no_exporter_is_refused() -> None:
    with pytest.raises(UnknownExporter, match="not a class derived from"):
        load_exporter("pathlib:Path")


def test_a_configuration_is_checked_without_starting_anything() -> None:
    settings = ExporterSettings(id="files", exporter="json-lines", args={"pfad": "/tmp"})

    with pytest.raises(InvalidArguments, match=r"exporter 'files'.*"):
        check_exporter(settings, StoppedClock())


def test_settings_keep_secrets_out_of_logs() -> None:
    settings = ExporterSettings(id="es", exporter="elasticsearch", args={"password": "secret"})

    assert "secret" not in repr(settings)


def test_a_filter_asks_the_broker_for_the_value_types_that_it_wants() -> None:
    wanted = RecordFilter(value_types=frozenset({ValueType.VARIABLE, ValueType.JOB}))

    assert wanted.subscribed_value_types == (ValueType.JOB, ValueType.VARIABLE)
    assert RecordFilter().subscribed_value_types == ()


def test_a_filter_goes_by_record_type_and_value_type() -> None:
    record = Record(RecordType.EVENT, JobIntent.CREATED, 1, JobValue())

    assert RecordFilter().accepts(record)
    assert not RecordFilter(record_types=frozenset({RecordType.COMMAND})).accepts(record)
    assert not RecordFilter(value_types=frozenset({ValueType.TIMER})).accepts(record)
