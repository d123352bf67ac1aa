"""What commands print: JSON for programs, tables and sentences for people, and errors as one
line.

Results go to the standard output, everything else (errors, progress, hints) to the error output.
Rich and typer are imported when they are needed: a broker draws nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

if TYPE_CHECKING:
    import typer
    from rich.console import Console, RenderableType
    from rich.progress import Progress

    from grevy.client import Client

T = TypeVar("T")

DEFAULT_ADDRESS: Final = "127.0.0.1:26600"

CONNECT_S: Final = 3.0
"""How long a command looks for a broker. Services have more patience; people see a wrong port."""

EXIT_INTERRUPTED: Final = 130
EXIT_BROKEN_PIPE: Final = 141
"""As shells tell of programs that SIGINT and SIGPIPE have ended."""


class Output:
    """Prints results, as JSON lines if it is told to."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> Console:
        """Where tables and sentences go."""
        from rich.console import Console

        return Console(highlight=False)

    @cached_property
    def errors(self) -> Console:
        """Where errors and progress go."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def result(self, values: Mapping[str, object], sentence: str) -> None:
        """One result: an object, or a sentence."""
        line = json_text(dict(values)) if self.as_json else sentence
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it, as `head` does, has enough
            import typer

            with open(os.devnull, "wb") as nowhere:  # for what Python itself flushes at its end
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            raise typer.Exit(EXIT_BROKEN_PIPE) from None

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Many results: an object a line, or a table."""
        if self.as_json:
            for row in rows:
                self.result(dict(zip(columns, row, strict=True)), "")
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(Text(str(value)) for value in row))
        self.draw(table)

    def draw(self, what: RenderableType) -> None:
        """Something that only people look at."""
        self.console.print(what)

    def note(self, text: str) -> None:
        """A hint beside the results, for people."""
        if not self.as_json:
            self.errors.print(text, style="dim", markup=False, soft_wrap=True)

    def progress(self, what: str, total: int, *, is_wanted: bool = True) -> Progress:
        """A bar on the error output, for people who look at a terminal; others see none of it."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Remaining())
        is_seen = is_wanted and not self.as_json and self.errors.is_terminal
        progress = Progress(*columns, console=self.errors, transient=True, disable=not is_seen)
        progress.add_task(what, total=total)
        return progress

    def fail(self, message: str, **details: object) -> typer.Exit:
        """An error, for `raise`; programs are given the details too."""
        message = message.strip()
        if self.as_json:
            sys.stderr.write(json_text({"error": message, **details}) + "\n")
        else:
            from rich.text import Text

            self.errors.print(Text.assemble(("grevy: ", "red"), message), soft_wrap=True)
        import typer

        return typer.Exit(1)


def with_client(
    address: str,
    output: Output,
    action: Callable[[Client], Awaitable[T]],
    *,
    is_endless: bool = False,
) -> T:
    """Connects, acts, disconnects; what goes wrong is one line and exit code 1.

    What `is_endless` is meant to be interrupted: that is its good end.
    """
    import typer

    from grevy.client import (
        Client,
        ClientError,
        ClientKeys,
        ClientOptions,
        NotLetIn,
        Unavailable,
        run,
    )
    from grevy.protocol.errors import GrevyError

    # Its warnings come with the error; alone they would go to the error output, between its lines.
    logging.getLogger("grevy.client.connection").addHandler(logging.NullHandler())
    try:
        options = ClientOptions(keys=ClientKeys.from_environment())
    except GrevyError as error:
        raise output.fail(str(error)) from None

    async def act() -> T:
        try:
            client = await Client.connect(address, options=options, timeout_s=CONNECT_S)
        except ValueError as error:
            raise output.fail(f"address: {error}") from None
        except NotLetIn as error:
            raise output.fail("; ".join(error.troubles)) from None
        except Unavailable:
            raise output.fail(
                f"no broker answers at {address}; `grevy broker` starts one, "
                "--address or GREVY_ADDRESS names another"
            ) from None
        try:
            return await action(client)
        finally:
            client.close()

    try:
        return run(act())
    except ClientError as error:
        raise output.fail(str(error)) from None
    except OSError as error:
        raise output.fail(f"{error.filename or address}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        raise typer.Exit(0 if is_endless else EXIT_INTERRUPTED) from None


def read_variables(text: str, output: Output) -> dict[str, object]:
    """A JSON object, given as text or as `@file` (`@-` is standard input)."""
    where = "variables"
    try:
        if text == "@-":
            where, text = "variables on standard input", sys.stdin.read()
        elif text.startswith("@"):
            where = f"variables in {text[1:]}"
            text = Path(text[1:]).read_text(encoding="utf-8")
        parsed = orjson.loads(text)
    except OSError as error:
        raise output.fail(f"{where}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise output.fail(f"{where}: expected UTF-8: {error}") from None
    except orjson.JSONDecodeError as error:
        raise output.fail(f"{where}: expected a JSON object: {error}") from None
    if not isinstance(parsed, dict):
        raise output.fail(f"{where}: expected a JSON object, got {_short(text)}")
    return parsed


def json_text(value: object) -> str:
    """A value as JSON, for a sentence."""
    return orjson.dumps(value).decode()


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 60 else text[:60] + "…"
