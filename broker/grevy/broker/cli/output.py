"""What commands print: JSON for programs, tables and sentences for people, and errors as one
line.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from grevy.client import Client, ClientError, run

T = TypeVar("T")

DEFAULT_ADDRESS = "127.0.0.1:26600"


class Output:
    """Prints results, as JSON lines if it is told to."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False)
        self.errors = Console(stderr=True, highlight=False)

    def result(self, values: Mapping[str, object], sentence: str) -> None:
        """One result: an object, or a sentence."""
        if self.as_json:
            sys.stdout.write(orjson.dumps(dict(values)).decode() + "\n")
        else:
            self.console.print(sentence)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Many results: an object a line, or a table."""
        if self.as_json:
            for row in rows:
                line = orjson.dumps(dict(zip(columns, row, strict=True))).decode()
                sys.stdout.write(line + "\n")
            return
        table = Table(*columns, box=None, header_style="bold")
        for row in rows:
            table.add_row(*(str(value) for value in row))
        self.console.print(table)

    def fail(self, message: str) -> typer.Exit:
        """An error, for `raise`."""
        if self.as_json:
            sys.stderr.write(orjson.dumps({"error": message}).decode() + "\n")
        else:
            self.errors.print(f"[red]grevy:[/red] {message}", soft_wrap=True)
        return typer.Exit(1)


def with_client(address: str, output: Output, action: Callable[[Client], Awaitable[T]]) -> T:
    """Connects, acts, disconnects; what goes wrong is one line and exit code 1."""

    async def act() -> T:
        client = await Client.connect(address)
        try:
            return await action(client)
        finally:
            client.close()

    try:
        return run(act())
    except ClientError as error:
        raise output.fail(str(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def read_variables(text: str, output: Output) -> dict[str, object]:
    """A JSON object, given as text or as `@file` (`@-` is standard input)."""
    try:
        if text == "@-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        parsed = orjson.loads(text)
    except OSError as error:
        raise output.fail(f"variables: {error}") from None
    except orjson.JSONDecodeError as error:
        raise output.fail(f"variables: expected a JSON object: {error}") from None
    if not isinstance(parsed, dict):
        raise output.fail(f"variables: expected a JSON object, got {text[:60]}")
    return parsed
