"""Decisions on the command line: at a real broker, from deployment to deletion, and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.broker.processes import BrokerProcess
from tests.engine.decisions import graph, literal

SIZES = graph(
    "sizes",
    literal("size", 'if n < 10 then "small" else {of: n}'),
    literal("sure", "assert(n, n > 3)"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A DMN file."""
    path = tmp_path / "sizes.dmn"
    path.write_text(SIZES)
    return path


def test_from_deployment_to_deletion(broker: BrokerProcess, file: Path) -> None:
    sure, size = broker.rows("deploy", str(file))
    assert (size["decision"], size["version"], size["file"]) == ("size", 1, "sizes.dmn")
    assert sure["graph"] == size["graph"]
    assert str(size["key"]) in broker.grevy("deploy", str(file)).stdout, "nothing changed"

    (decided,) = broker.rows("decide", "size", "-v", '{"n": 12}')
    said = broker.grevy("decide", "size", "-v", '{"n": 3}').stdout
    failed = broker.error("decide", "sure", "-v", '{"n": 3}')

    assert (decided["output"], decided["version"]) == ({"of": 12}, 1)
    assert said == '"small"\n'
    assert failed["failed_decision_id"] == "sure"
    assert "assert(n, n > 3)" in str(failed["error"])

    assert broker.rows("delete", str(size["graph"])) == [{"key": size["graph"]}]
    assert "no decision found" in str(broker.error("decide", "size")["error"])


def test_from_a_file_nobody_is_asked(broker: BrokerProcess, file: Path) -> None:
    nowhere = ("--address", "127.0.0.1:1", "--file", str(file))
    (decided,) = broker.rows("decide", "size", *nowhere, "-v", '{"n": 12}')
    said = broker.grevy("decide", "size", *nowhere, "-v", '{"n": 3}').stdout
    failed = broker.error("decide", "sure", *nowhere, "-v", '{"n": 3}')

    assert decided["output"] == {"of": 12}
    assert said == '"small"\n'
    assert failed["failed_decision_id"] == "sure"


def test_what_is_wrong_with_a_file(broker: BrokerProcess, tmp_path: Path, file: Path) -> None:
    (tmp_path / "bad.dmn").write_text(SIZES.replace("n &lt; 10", "n &lt;"))
    unknown = broker.error("decide", "none", "--file", str(file))
    invalid = broker.error("decide", "size", "--file", str(tmp_path / "bad.dmn"))
    missing = broker.error("decide", "size", "--file", str(tmp_path / "missing.dmn"))

    assert "has no decision 'none', but size, sure" in str(unknown["error"])
    assert "size" in str(invalid["error"])
    assert "No such file" in str(missing["error"])
