"""The seam between raft and its embedder, in transcripts: see `transcript`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.raft.transcript import play

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path, pytestconfig: pytest.Config) -> None:
    expected = path.read_text("utf-8")
    said = play(expected)
    if pytestconfig.getoption("--rewrite"):
        path.write_text(said, "utf-8")
    else:
        assert said == expected
