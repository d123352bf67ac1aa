"""How brokers are started as processes, for all who start some: `grevy cluster local`, benchmarks,
tests.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import fields
from typing import Final

from grevy.broker.cli.serving import FLAGS, NUMBERS, TEXTS
from grevy.broker.config import BrokerConfig

_OPTIONS: Final = TEXTS | NUMBERS | FLAGS


def broker_command(config: BrokerConfig) -> list[str]:
    """What runs a broker with these settings. It says where it listens with a line of JSON."""
    return [sys.executable, "-m", "grevy.broker", *broker_options(config)]


def broker_options(config: BrokerConfig) -> list[str]:
    """What follows the program's name: the settings that are not the defaults.

    Raises `ValueError` for one that is no option of the command line.
    """
    options = ["broker", "--json"]
    defaults = BrokerConfig()
    for name in (field.name for field in fields(BrokerConfig)):
        value = getattr(config, name)
        if value == getattr(defaults, name):
            continue
        if name not in _OPTIONS:
            raise ValueError(f"{name} cannot be set on the command line")
        option = f"--{name.replace('_', '-')}"
        options.append(option if name in FLAGS else f"{option}={value}")
    return options


def free_ports(count: int, in_a_row: int = 1) -> list[int]:
    """Ports of loopback that nobody has at the moment, nor so many from each of them on."""
    ports: list[int] = []
    with ExitStack() as taken:
        while len(ports) < count:
            first = taken.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            with suppress(OSError, OverflowError):
                for other in range(port + 1, port + in_a_row):
                    taken.enter_context(socket.create_server(("127.0.0.1", other)))
                ports.append(port)
    return ports
