"""Which Python the environment is made with, among several that answer differently."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "python"


def choose(folder: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """What the script says of interpreters that answer so; one without an answer cannot run it."""
    candidates = [folder / "not-there"]
    for name, answer in answers.items():
        candidate = folder / name
        says = f"echo {answer}" if answer else "echo No module named ensurepip >&2; exit 1"
        candidate.write_text(f"#!/bin/sh\n{says}\n")
        candidate.chmod(0o755)
        candidates.append(candidate)
    return subprocess.run([SCRIPT, *candidates], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        ({"a": "plain", "b": "optimised", "c": "optimised"}, "b"),
        ({"a": "plain", "b": "plain"}, "a"),
        ({"a": "", "b": "plain"}, "b"),
        ({"a": "optimised"}, "a"),
    ],
)
def test_optimised_comes_before_plain_and_what_cannot_make_environments_is_passed_over(
    tmp_path: Path, answers: dict[str, str], chosen: str
) -> None:
    answer = choose(tmp_path, **answers)
    assert answer.stdout == f"{tmp_path / chosen}\n"
    assert answer.returncode == 0


def test_none_is_an_error(tmp_path: Path) -> None:
    answer = choose(tmp_path, a="")
    assert (answer.stdout, answer.returncode) == ("", 1)


def test_something_real_is_chosen() -> None:
    answer = subprocess.run([SCRIPT], capture_output=True, text=True, check=True)
    assert shutil.which(answer.stdout.strip())
