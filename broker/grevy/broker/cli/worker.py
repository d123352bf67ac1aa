"""`grevy worker`: a shell command for each job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
import typer

from grevy.broker.cli.output import EXIT_INTERRUPTED, Output, json_text
from grevy.client import Client, Job, JobError, JobFailed, Worker

COMPLAINT_CHARS_MAX: Final = 2_000
"""The end of what a failing command wrote on its error output: it says why."""


class ShellWorker:
    """Runs a command for each job, and prints what came of it."""

    def __init__(
        self, output: Output, command: Sequence[str], *, throws: Mapping[int, str], count: int
    ) -> None:
        """`throws` has the BPMN errors of exit codes; after `count` jobs it ends, unless 0.

        Raises `typer.Exit` when there is no such command.
        """
        if shutil.which(command[0]) is None:
            raise output.fail(f"command: expected a program or its path, got '{command[0]}'")
        self._output = output
        self._command = command
        self._throws = throws
        self._left = count or -1
        self._worker: Worker | None = None

    async def run(
        self, client: Client, job_type: str, *, max_jobs: int, timeout: float, backoff: float
    ) -> None:
        """Takes jobs of a type until a signal, or until it had as many as it was told."""
        if self._left > 0:
            max_jobs = 1  # so that none is begun beyond the count
        self._worker = worker = Worker(
            client,
            name=f"grevy-cli-{os.getpid()}",
            max_jobs=max_jobs,
            timeout=timeout,
            retry_backoff=backoff,
        )
        worker.job(job_type)(self._handle)
        self._output.note(f"waiting for jobs of type {job_type}, Ctrl-C ends it")
        if not await worker.run_until_signal():
            raise typer.Exit(EXIT_INTERRUPTED)

    async def _handle(self, job: Job) -> dict[str, object] | None:
        try:
            result = await self._run(job)
        except JobError as error:
            self._tell(job, "thrown", f"throws {error.code}", code=error.code, error=str(error))
            raise
        except JobFailed as failed:
            retries = max(job.retries - 1, 0)
            text = f"failed, {retries} {'retry' if retries == 1 else 'retries'} left: {failed}"
            self._tell(job, "failed", text, retries=retries, error=failed.message)
            raise
        else:
            text = "completed" + (f": {json_text(result)}" if result else "")
            self._tell(job, "completed", text, variables=result or {})
        finally:
            self._count()
        return result

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0 and self._worker is not None:
            self._worker.stop()

    def _tell(self, job: Job, outcome: str, sentence: str, **values: object) -> None:
        known = {"job": job.key, "instance": job.process_instance_key, "element": job.element_id}
        self._output.result(
            {**known, "outcome": outcome, **values},
            f"job {job.key} of instance {job.process_instance_key} {sentence}",
        )

    async def _run(self, job: Job) -> dict[str, object] | None:
        """The command from its start to its result; raises what its exit code means."""
        pipe = asyncio.subprocess.PIPE
        with tempfile.TemporaryFile() as variables:  # unlike a pipe, it need not be read
            variables.write(job.pushed.variables)
            variables.seek(0)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=variables,
                stdout=pipe,
                stderr=pipe,
                env=_environment(job),
                start_new_session=True,  # Ctrl-C is for the worker, which lets jobs finish
            )
        try:
            printed, complaint = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
        text = complaint.decode(errors="replace").strip()[-COMPLAINT_CHARS_MAX:]
        code = process.returncode
        assert code is not None, "it has ended"
        if code in self._throws:
            raise JobError(self._throws[code], text)
        if code != 0:
            raise JobFailed(f"exit code {code}" + (f": {text}" if text else ""))
        return _result(printed)


def parse_throws(given: Sequence[str], output: Output) -> dict[int, str]:
    """`3=SOLD_OUT` and the like, as a mapping."""
    throws = {}
    for text in given:
        exit_code, _, error_code = text.partition("=")
        if not (exit_code.isdigit() and 0 < int(exit_code) < 256 and error_code):
            raise output.fail(f"--throw: expected EXITCODE=CODE like 3=SOLD_OUT, got '{text}'")
        throws[int(exit_code)] = error_code
    return throws


def _environment(job: Job) -> dict[str, str]:
    return {
        **os.environ,
        "GREVY_JOB_KEY": str(job.key),
        "GREVY_JOB_TYPE": job.type,
        "GREVY_JOB_RETRIES": str(job.retries),
        "GREVY_JOB_HEADERS": json_text(job.headers),
        "GREVY_ELEMENT_ID": job.element_id,
        "GREVY_PROCESS_ID": job.bpmn_process_id,
        "GREVY_PROCESS_INSTANCE_KEY": str(job.process_instance_key),
    }


def _result(printed: bytes) -> dict[str, object] | None:
    """The variables that a command has printed."""
    text = printed.decode(errors="replace").strip()
    if not text:
        return None
    expected = f"expected a JSON object on the command's standard output, got {text[:100]}"
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JobFailed(f"{expected}: {error}") from None
    if not isinstance(parsed, dict):
        raise JobFailed(expected)
    return parsed
