"""The Cap'n Proto schemas, loaded, and the little of pycapnp that the codec uses.

pycapnp has no types of its own. The protocols below are its methods that look a field up once, at
import, and not by name in every call: measured, a read costs 0.13 µs instead of 1.2 µs. Their names
begin with an underscore, yet pycapnp means them for users. Nothing is written by pycapnp
(`frame_writer.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import capnp

__all__ = [
    "SCHEMAS",
    "Builder",
    "Field",
    "KjException",
    "Reader",
    "StructSchema",
    "schema_folder",
]

KjException: Final[type[Exception]] = capnp.KjException
"""What Cap'n Proto raises; its text carries addresses and is never shown."""


class Field(Protocol):
    """A field of a struct, looked up."""

    @property
    def proto(self) -> Any:
        """The field's node in the schema."""


class Reader(Protocol):
    """A struct to read; what it gives is a copy, except structs and lists."""

    def _get_by_field(self, field: Field) -> Any: ...

    def _which_str(self) -> str:
        """The name of the member that a union holds."""


class Builder(Protocol):
    """A struct that nothing was written to: its defaults can be read."""

    def as_reader(self) -> Reader: ...


class StructSchema(Protocol):
    """A struct of a schema."""

    @property
    def schema(self) -> Any:
        """Its fields, looked up by name."""

    def new_message(self) -> Builder: ...

    def from_bytes(
        self, frame: bytes | memoryview, *, traversal_limit_in_words: int, nesting_limit: int
    ) -> AbstractContextManager[Reader]: ...


def schema_folder(package: str = "grevy.protocol") -> Path:
    """Where the schemas lie: inside the package of a wheel, or in the repository's own folder."""
    packaged = Path(str(files(package).joinpath("schemas")))
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parents[3] / "schemas"


def _load() -> dict[str, StructSchema]:
    """All structs of all files, by name; names are unique over the files."""
    structs: dict[str, StructSchema] = {}
    for name in ("values.capnp", "record.capnp", "client.capnp", "broker.capnp"):
        module = vars(capnp.load(str(schema_folder() / name)))
        structs |= {key: struct for key, struct in module.items() if hasattr(struct, "schema")}
    return structs


SCHEMAS: Final = _load()
"""The structs of `schemas/*.capnp`, by name."""
