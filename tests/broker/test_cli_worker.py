"""`grevy worker`: a shell command for each job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.broker.conftest import task_model
from tests.broker.processes import GREVY, BrokerProcess, wait_until


@pytest.fixture
def waiting(broker: BrokerProcess, request: pytest.FixtureRequest) -> str:
    """The type of a job that waits, which no other test has."""
    job_type = f"job of {request.node.name}"
    broker.deploy(task_model("p", job_type))
    broker.create("p", {"total": 7})
    return job_type


def work(broker: BrokerProcess, job_type: str, script: str, *options: str) -> dict[str, object]:
    """What a worker tells of one job that a shell script does."""
    (told,) = broker.rows("worker", job_type, "--count", "1", *options, "--", "sh", "-c", script)
    return told


def incident(broker: BrokerProcess) -> dict[str, object]:
    """The newest incident in the log."""
    records = broker.rows("log", "tail", "--from", "0", "--count", str(broker.status()["records"]))
    incidents = [r for r in records if (r["valueType"], r["intent"]) == ("INCIDENT", "CREATED")]
    return incidents[-1]


def test_variables_come_in_and_results_go_out(broker: BrokerProcess, waiting: str) -> None:
    told = work(
        broker,
        waiting,
        """python3 -c 'import json, os, sys
print(json.dumps({"read": json.load(sys.stdin), "bank": json.loads(os.environ["GREVY_JOB_HEADERS"]),
    "of": [os.environ[f"GREVY_{n}"] for n in ("JOB_TYPE", "JOB_RETRIES", "ELEMENT_ID")]}))'""",
    )
    assert told["outcome"] == "completed"
    assert told["variables"] == {
        "read": {"total": 7},
        "bank": {"bank": "north"},
        "of": [waiting, "1", "pay"],
    }


def test_a_command_need_not_read_nor_print(broker: BrokerProcess, waiting: str) -> None:
    told = work(broker, waiting, "true")
    assert (told["outcome"], told["variables"]) == ("completed", {})


def test_a_command_that_fails_makes_an_incident_that_can_be_resolved(
    broker: BrokerProcess, waiting: str
) -> None:
    told = work(broker, waiting, "echo the bank sleeps >&2; exit 3")
    assert (told["outcome"], told["retries"]) == ("failed", 0)
    assert told["error"] == "exit code 3: the bank sleeps"

    key = str(incident(broker)["key"])
    assert str(told["job"]) in str(broker.error("resolve", key)["error"])
    broker.rows("resolve", key, "--job", str(told["job"]))
    assert work(broker, waiting, "true")["outcome"] == "completed"


def test_an_exit_code_may_throw_a_bpmn_error(broker: BrokerProcess, waiting: str) -> None:
    told = work(broker, waiting, "echo empty >&2; exit 4", "--throw", "4=NO_MONEY")
    assert (told["outcome"], told["code"]) == ("thrown", "NO_MONEY")


@pytest.mark.parametrize("printed", ["hello", "[1]"])
def test_what_is_no_json_object_fails_the_job(
    broker: BrokerProcess, waiting: str, printed: str
) -> None:
    told = work(broker, waiting, f"echo '{printed}'")
    assert told["outcome"] == "failed"
    assert f"expected a JSON object on the command's standard output, got {printed}" in str(
        told["error"]
    )


class RunningWorker:
    """A worker whose command says that it has begun, and waits for its end."""

    def __init__(self, broker: BrokerProcess, folder: Path, job_type: str) -> None:
        self.begun, self.end = folder / "begun", folder / "end"
        os.mkfifo(self.begun)
        os.mkfifo(self.end)
        script = f"echo $$ > {self.begun}; cat {self.end}"
        self.process = subprocess.Popen(
            [*GREVY, "worker", "--json", job_type, "--", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=broker.environment,
        )
        self.command_pid = int(self.begun.read_text())


def test_ctrl_c_lets_running_jobs_finish(
    broker: BrokerProcess, tmp_path: Path, waiting: str
) -> None:
    worker = RunningWorker(broker, tmp_path, waiting)
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.stderr is not None
    assert "finishes 1 job" in worker.process.stderr.readline()
    worker.end.write_text("{}")
    printed, _ = worker.process.communicate(timeout=30)
    assert json.loads(printed)["outcome"] == "completed"
    assert worker.process.returncode == 0


def test_a_second_ctrl_c_gives_them_back(
    broker: BrokerProcess, tmp_path: Path, waiting: str
) -> None:
    worker = RunningWorker(broker, tmp_path, waiting)
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.stderr is not None
    worker.process.stderr.readline()
    worker.process.send_signal(signal.SIGINT)
    printed, _ = worker.process.communicate(timeout=30)
    assert (printed, worker.process.returncode) == ("", 130)
    wait_until(lambda: not Path(f"/proc/{worker.command_pid}").exists())
    assert work(broker, waiting, "true")["outcome"] == "completed", "the next one has it at once"
