"""The README's first steps, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.broker.processes import DEADLINE_S, BrokerProcess, running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """The one that `grevy broker &` starts."""
    with running(tmp_path_factory.mktemp("readme")) as process:
        yield process


def section(title: str) -> str:
    """The text of a section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def python_of(text: str) -> str:
    """The Python in a text."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(code)


def shell_of(text: str) -> list[str]:
    """The blocks of shell commands in a text."""
    return [
        "\n".join(line.removeprefix("    ") for line in block.splitlines())
        for block in re.findall(
            r"(?:^    .*\n)+", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
        )
    ]


class Shell:
    """Runs blocks of the README in a folder, with `grevy` on its path and the broker's address."""

    def __init__(self, broker: BrokerProcess, folder: Path) -> None:
        self._folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**broker.environment, "PATH": path}

    def run(self, block: str) -> str:
        """What a block prints; it has to succeed."""
        done = subprocess.run(
            ["bash", "-euc", block],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=self._environment,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, script: str) -> Iterator[None]:
        """While a Python script runs."""
        process = subprocess.Popen(
            [sys.executable, script], cwd=self._folder, env=self._environment
        )
        try:
            yield
        finally:
            process.terminate()
            assert process.wait() == 0, "the first signal lets a worker end in order"


def without(block: str, *lines: str) -> str:
    """A block without some of its lines, which must be there."""
    for line in lines:
        found = re.search(rf"^{re.escape(line)}( .*)?(\n|$)", block, re.MULTILINE)
        assert found, f"{line!r} is not in the README"
        block = block.replace(found[0], "")
    return block


def test_the_first_worker(broker: BrokerProcess, tmp_path: Path) -> None:
    text = section("A first worker")
    begin, order = shell_of(text)
    shell = Shell(broker, tmp_path)
    begin = without(begin, ". .venv/bin/activate", "grevy broker --data ./data &")
    shell.run(begin.replace("broker/grevy", f"{ROOT}/broker/grevy"))
    code = python_of(text)
    assert "127.0.0.1:26600" in code
    (tmp_path / "shop.py").write_text(code.replace("127.0.0.1:26600", broker.address))
    assert len([line for line in code.splitlines() if line]) <= 15

    order = without(order, "python shop.py &")
    with shell.running("shop.py"):
        printed = shell.run(order.replace("grevy log tail", "grevy log tail --count 3"))

    assert '"shipment":{"tracking":"T-' in printed
    assert len(printed.splitlines()) == 5


def test_the_test_of_a_process(broker: BrokerProcess, tmp_path: Path) -> None:
    model = ROOT / "broker/grevy/broker/demo/order.bpmn"
    (tmp_path / "order.bpmn").write_bytes(model.read_bytes())
    (tmp_path / "test_order.py").write_text(python_of(section("In tests")))
    printed = Shell(broker, tmp_path).run("python -m pytest -q -p no:cacheprovider test_order.py")
    assert "1 passed" in printed


def test_the_demo_tells_its_story() -> None:
    command = [sys.executable, "-m", "grevy.broker.demo"]
    environment = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        "o-1  ■ ended: shipped",
        "o-2  ◷ timer 'late' fired",
        "o-3  ✗ worker threw SOLD_OUT",
        "o-4  ! incident at 'ship': where to? the order has no address",
        "o-4  ✓ incident resolved",
        "ordered → sold-out → refused",
        "The audit trail of o-4",
        "publish message: payment-received for 'o-4'",
        "timer created",
        'address = "2 Bobbin Lane"',
    ):
        assert text in done.stdout, text
