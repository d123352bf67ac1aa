"""The recorded traces: this repository's own copies, or those of another folder.

`GREVY_TRACES` names a folder of `*.jsonl` to play instead, `GREVY_TRACES_NAMES` a file of names
(one a line) to keep to, `GREVY_TRACES_LEVEL` the level to compare at.
"""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any, Final

from tests.traces.compare import LEVELS, Level

HERE: Final = Path(__file__).parent
DATA: Final = HERE / "data"
KNOWN: Final = HERE / "known_differences.txt"

Trace = dict[str, Any]


def traces() -> list[Trace]:
    """The traces to play, in the order of their files."""
    folder = os.environ.get("GREVY_TRACES")
    found: list[Trace] = []
    if folder is None:
        for path in sorted(DATA.glob("*.jsonl.xz")):
            found += [json.loads(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    else:
        for path in sorted(Path(folder).glob("*.jsonl")):
            found += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    names = os.environ.get("GREVY_TRACES_NAMES")
    if names is not None:
        kept = set(Path(names).read_text("utf-8").splitlines())
        found = [trace for trace in found if trace["name"] in kept]
    return found


def level() -> Level:
    """The level to compare at."""
    wanted = os.environ.get("GREVY_TRACES_LEVEL", "effects")
    for known in LEVELS:
        if wanted == known:
            return known
    raise ValueError(f"GREVY_TRACES_LEVEL is {wanted!r}, expected one of {', '.join(LEVELS)}")


def slice_names() -> frozenset[str]:
    """Names of the traces that need only the elements of the first vertical slice."""
    return frozenset((DATA / "slice.txt").read_text("utf-8").splitlines())


def known_differences() -> dict[str, str]:
    """Names of traces that the engine differs from, with the reason."""
    lines = KNOWN.read_text("utf-8").splitlines() if KNOWN.exists() else []
    known = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" → ")
            assert reason, f"{KNOWN.name}: no reason is given in {line!r}"
            known[name] = reason
    return known
