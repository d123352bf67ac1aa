"""`grevy broker` at work, and the short way there: to import what reads the command lines of all
other commands takes a sixth of a broker's start.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grevy.broker.cli.output import EXIT_INTERRUPTED, Output
from grevy.broker.config import ConfigError, load_config
from grevy.protocol.errors import GrevyError

TEXTS: Final = frozenset(
    {"config", "data", "host", "contact_points", "keys", "broker_keys", "client_keys"}
)
NUMBERS: Final = frozenset(
    {"port", "partitions", "node_id", "cluster_size", "replication_factor", "cluster_port"}
)
FLAGS: Final = frozenset({"json", "insecure"})


def plain_options(arguments: Sequence[str]) -> dict[str, object] | None:
    """The options of a plain command line; None where there is anything else in it: a mistake, a
    question for help.
    """
    options: dict[str, object] = {}
    left = list(arguments)
    while left:
        option, sign, value = left.pop(0).partition("=")
        name = option.removeprefix("--").replace("-", "_")
        if option != "--" + name.replace("_", "-"):
            return None
        if name in FLAGS and not sign:
            options[name] = True
            continue
        if not sign:
            value = left.pop(0) if left else ""
        is_right = value.isdecimal() if name in NUMBERS else name in TEXTS
        if not is_right or not value or value.startswith("-"):
            return None
        options[name] = value
    return options


def serve_plainly(options: dict[str, object]) -> int:
    """Runs a broker with plain options; the exit code."""
    as_json = options.pop("json", False) is True
    config = options.pop("config", None)
    try:
        return serve(
            None if config is None else Path(str(config)), options, Output(as_json=as_json)
        )
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def serve(config: Path | None, overrides: dict[str, object], output: Output) -> int:
    """Runs a broker with these settings, over those of the environment and a file; the exit code.
    Says when it is ready, or why it cannot be.
    """
    try:
        settings = load_config(config, overrides)
    except ConfigError as error:
        output.fail(str(error))
        return 1
    from grevy.broker.server import Broker, run_broker  # not before the settings are right

    def announce(ready: Broker) -> None:
        values = {"endpoint": ready.endpoint, "data": str(settings.data), "pid": os.getpid()}
        output.result(values, f"grevy is ready at {ready.endpoint}, data in {settings.data}")

    try:
        return run_broker(settings, announce)
    except GrevyError as error:
        output.fail(str(error))
    except OSError as error:
        output.fail(f"{error.filename or settings.data}: {error.strerror}")
    return 1
