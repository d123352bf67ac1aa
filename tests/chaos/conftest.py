"""What chaos tests have measured is told at the end of a run, whether or not anybody asserts it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tests.chaos.scenario import FIGURES_FILE

_made = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """The file for it is made by the outermost process; others inherit its name."""
    if FIGURES_FILE not in os.environ:
        number, path = tempfile.mkstemp(prefix="grevy-figures-")
        os.close(number)
        os.environ[FIGURES_FILE] = path
        config.stash[_made] = Path(path)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """A line for each figure."""
    path = config.stash.get(_made, None)
    for line in path.read_text().splitlines() if path is not None else ():
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nobody needs it any more."""
    path = config.stash.get(_made, None)
    if path is not None:
        del os.environ[FIGURES_FILE]
        path.unlink()
