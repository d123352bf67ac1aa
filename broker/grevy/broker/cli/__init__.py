"""The command line, `grevy`."""

from __future__ import annotations


def main() -> None:
    """The entry point; what it needs is imported when it is called, so that `grevy broker` starts
    fast.
    """
    from grevy.broker.cli.app import app

    app()
