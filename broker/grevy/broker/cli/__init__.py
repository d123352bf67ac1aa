"""The command line, `grevy`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """The entry point. What a command does not need is not imported: a broker is ready sooner."""
    if sys.argv[1:2] == ["broker"]:
        gc.disable()  # nothing of what is being loaded is garbage; the broker turns it on again
        from grevy.broker.cli.serving import plain_options, serve_plainly

        options = plain_options(sys.argv[2:])
        if options is not None:
            sys.exit(serve_plainly(options))
        from grevy.broker.cli.base import app
    else:
        from grevy.broker.cli.app import app
    app()
