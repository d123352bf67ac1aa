"""The command line as a process, against a real broker: what it prints, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.broker.conftest import straight_model, task_model
from tests.broker.processes import DEADLINE_S, GREVY, BrokerProcess

from grevy.client import SyncClient


def test_deploy_says_what_came_of_each_file(broker: BrokerProcess, tmp_path: Path) -> None:
    for process in ("a", "b"):
        (tmp_path / f"{process}.bpmn").write_text(straight_model(process))
    first, second = broker.rows("deploy", str(tmp_path / "a.bpmn"), str(tmp_path / "b.bpmn"))
    assert (first["process"], first["version"], first["file"]) == ("a", 1, "a.bpmn")
    assert (second["process"], second["version"]) == ("b", 1)
    table = broker.grevy("deploy", str(tmp_path / "a.bpmn")).stdout
    assert str(first["key"]) in table, "nothing changed, so it is the same version"


def test_create_with_variables_by_version_and_with_a_result(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    broker.deploy(straight_model("versions"))
    broker.deploy(straight_model("versions").replace('"e"', '"end"'))

    (newest,) = broker.rows("create", "versions")
    (older,) = broker.rows("create", "versions", "--version", "1", "-v", "{}")
    (done,) = broker.rows("create", "versions", "--result", "-v", '{"n": 1}')
    (read,) = broker.rows("create", "versions", "--result", "-v", "@-", stdin='{"n": [2]}')
    (tmp_path / "n.json").write_text('{"n": "3"}')
    said = broker.grevy("create", "versions", "--result", "-v", f"@{tmp_path}/n.json").stdout

    assert (newest["version"], older["version"]) == (2, 1)
    assert (done["version"], done["variables"]) == (2, {"n": 1})
    assert read["variables"] == {"n": [2]}
    assert 'completed: {"n":"3"}' in said


def test_many_are_created_at_once(broker: BrokerProcess) -> None:
    broker.deploy(straight_model("many"))
    created = broker.rows("create", "many", "--count", "250")
    assert len({row["key"] for row in created}) == 250
    assert broker.grevy("create", "many", "--count", "1000").stdout.startswith("1,000 created in ")


def test_publish_set_and_cancel(broker: BrokerProcess) -> None:
    published = ("publish", "paid", "-k", "o-1", "-v", '{"x": 1}', "--ttl", "60", "--id", "m-1")
    (message,) = broker.rows(*published)
    assert int(str(message["key"])) > 0
    assert "m-1" in str(broker.error(*published)["error"])

    broker.deploy(task_model("wait", "never"))
    key = broker.create("wait")
    assert broker.rows("set", str(key), '{"y": 2}') == [{"key": key, "variables": {"y": 2}}]
    assert broker.rows("cancel", str(key)) == [{"key": key}]


ERRORS = {
    "unknown process": (("create", "nothing"), ["'nothing'"]),
    "unknown version": (("create", "a", "--version", "77"), ["version 77"]),
    "no JSON": (("create", "a", "-v", "{bad"), ["variables", "expected a JSON object", "column 2"]),
    "no object": (("create", "a", "-v", "[1]"), ["variables", "expected a JSON object", "[1]"]),
    "no such file": (("create", "a", "-v", "@/no/file"), ["/no/file", "No such file"]),
    "key of nothing": (("cancel", "2251799813685999"), ["2251799813685999"]),
    "key of no partition": (("resolve", "12"), ["12"]),
    "no BPMN": (("deploy", __file__), ["test_cli.py", "expected a file that ends in .bpmn"]),
    "no address": (("status", "-a", "two words"), ["two words", "host:port"]),
    "nobody there": (("status", "-a", "127.0.0.1:1"), ["127.0.0.1:1", "no broker answers"]),
    "no command": (("worker", "x", "--", "/no/program"), ["/no/program"]),
    "no exit code": (("worker", "x", "--throw", "E=1", "--", "true"), ["EXITCODE=CODE", "E=1"]),
}


@pytest.mark.parametrize(("arguments", "texts"), ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_where_it_is_and_what_was_expected(
    broker: BrokerProcess, arguments: tuple[str, ...], texts: list[str]
) -> None:
    error = str(broker.error(*arguments)["error"])
    assert all(text in error for text in texts), error


def test_errors_are_one_line_for_people(broker: BrokerProcess) -> None:
    done = broker.grevy("create", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("grevy: Expected to find a process definition")
    assert "Traceback" not in done.stderr


def test_usage_errors_end_with_2(broker: BrokerProcess) -> None:
    done = broker.grevy("create", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "process" in done.stderr


def test_a_result_that_does_not_come(broker: BrokerProcess) -> None:
    broker.deploy(task_model("slow", "nobody-does-it"))
    error = broker.error("create", "slow", "--result", "--timeout", "0.2")
    assert error == {"error": "no result within 0.2 s; the instance goes on"}


def test_status_and_top(broker: BrokerProcess) -> None:
    (figures,) = broker.rows("status")
    assert figures["endpoint"] == broker.address
    partitions = figures["partitions"]
    assert isinstance(partitions, list)
    assert [(one["id"], one["role"]) for one in partitions] == [(1, "leader")]
    assert figures["exporters"] == []
    looks = broker.rows("top", "--count", "2", "--interval", "0.05")
    assert [look["pid"] for look in looks] == [figures["pid"]] * 2
    assert f"at {broker.address}" in broker.grevy("status").stdout
    assert "commands in flight" in broker.grevy("top", "--count", "1").stdout


def test_a_broker_that_cannot_start_says_why(broker: BrokerProcess, tmp_path: Path) -> None:
    port = broker.address.rpartition(":")[2]
    (tmp_path / "wrong.toml").write_text("[[exporters]]\nid = 'x'\nexporter = 'y'\narg = {}\n")
    refused = {
        ("--port", port, "--data", str(tmp_path / "new")): [broker.address, "in use"],
        ("--port", "0", "--data", str(broker.data)): [str(broker.data), "in use", "process"],
        ("--port", "77777"): ["port", "expected 0 to 65535", "77777"],
        ("--config", "/no/file"): ["/no/file", "No such file"],
        ("--config", str(tmp_path / "wrong.toml")): ["exporters", "arg"],
    }
    for arguments, texts in refused.items():
        error = str(broker.error("broker", *arguments)["error"])
        assert all(text in error for text in texts), error
    assert broker.rows("status"), "the one that runs is not disturbed"


def test_the_shell_completes(broker: BrokerProcess) -> None:
    environment = {
        **broker.environment,
        "_GREVY_COMPLETE": "complete_bash",
        "COMP_WORDS": "grevy dep",
        "COMP_CWORD": "1",
    }
    command = Path(sys.executable).with_name("grevy")
    done = subprocess.run([command], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["deploy"]


def test_the_version(broker: BrokerProcess) -> None:
    with SyncClient.connect(broker.address) as client:
        version = client.topology().version
    assert broker.grevy("--version").stdout == f"grevy {version}\n"


def test_ctrl_c_ends_what_follows_without_an_error(broker: BrokerProcess) -> None:
    for command in (("log", "tail", "--from", "0"), ("top",)):
        process = subprocess.Popen(
            [*GREVY, *command, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=broker.environment,
        )
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
        assert (process.returncode, complaint) == (0, "")


def test_a_pipe_that_nobody_reads_any_more_is_no_error(broker: BrokerProcess) -> None:
    """`grevy top --json | head -1`."""
    command = [*GREVY, "top", "--json", "--interval", "0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=broker.environment
    ) as top:
        assert top.stdout is not None
        assert top.stderr is not None
        assert json.loads(top.stdout.readline())
        top.stdout.close()
        assert top.stderr.read() == ""
        assert top.wait(DEADLINE_S) == 141
