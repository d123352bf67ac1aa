"""The command line, `grevy`."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point. What a command does not need is not imported: a broker is ready sooner."""
    if sys.argv[1:2] == ["broker"]:
        from grevy.broker.cli.base import app
    else:
        from grevy.broker.cli.app import app
    app()
