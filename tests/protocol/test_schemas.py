"""The schemas are found in a checkout and in a wheel, and match the structs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from msgspec import defstruct

from grevy.protocol.schemas import schema_folder
from grevy.protocol.struct_codec import StructCodec

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_checkout_reads_the_schemas_of_the_repository() -> None:
    assert schema_folder() == REPOSITORY / "schemas"


def test_a_wheel_brings_its_schemas(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "from grevy.protocol.codec import decode_client_message, encode_client_message\n"
        "from grevy.protocol.messages import ClientMessage\n"
        "message = ClientMessage(bytes(16), ())\n"
        "from grevy.protocol.schemas import schema_folder\n"
        "assert decode_client_message(encode_client_message(message)) == message\n"
        "print(schema_folder())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert Path(run.stdout.strip()) == installed / "grevy" / "protocol" / "schemas"


def test_a_struct_with_another_field_has_no_codec() -> None:
    kind = defstruct("SignalValue", [("signal_name", str, ""), ("volume", int, 0)])
    with pytest.raises(AssertionError, match="volume"):
        StructCodec(kind)


def test_a_struct_with_another_default_has_no_codec() -> None:
    """An older frame lacks a new field; it has to read as the struct's default, not as 0."""
    fields = [("signal_name", str, "stop"), ("variables", bytes, b"{}")]
    with pytest.raises(AssertionError, match="signal_name"):
        StructCodec(defstruct("SignalValue", fields))


def test_file_ids_are_unique() -> None:
    ids = [
        line
        for path in schema_folder().glob("*.capnp")
        for line in path.read_text().splitlines()
        if line.startswith("@0x")
    ]
    assert len(ids) == len(set(ids)) == 4
