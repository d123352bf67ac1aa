"""`grevy worker`: a shell command for each job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import orjson

from grevy.broker.cli.output import Output
from grevy.client import Client, Job, Worker


class CommandFailed(Exception):
    """The command ended with another exit code than 0, or printed no JSON object; the text goes to
    the job.
    """


async def run_shell_worker(
    client: Client,
    output: Output,
    job_type: str,
    command: Sequence[str],
    *,
    max_jobs: int,
    timeout: float,
) -> None:
    """Takes jobs of a type until it is interrupted."""
    worker = Worker(client, name=f"grevy-cli-{os.getpid()}", max_jobs=max_jobs, timeout=timeout)

    @worker.job(job_type)
    async def handle(job: Job) -> dict[str, object] | None:
        result = await _run(command, job)
        values = {"job": job.key, "instance": job.process_instance_key, "result": result}
        output.result(values, f"{job.key} of {job.process_instance_key}: {result}")
        return result

    await worker.run()


async def _run(command: Sequence[str], job: Job) -> dict[str, object] | None:
    environment = {
        **os.environ,
        "GREVY_JOB_KEY": str(job.key),
        "GREVY_JOB_TYPE": job.type,
        "GREVY_JOB_RETRIES": str(job.retries),
        "GREVY_PROCESS_INSTANCE_KEY": str(job.process_instance_key),
        "GREVY_ELEMENT_ID": job.element_id,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )
    printed, complaint = await process.communicate(orjson.dumps(job.variables))
    if process.returncode != 0:
        text = complaint.decode(errors="replace").strip()
        raise CommandFailed(f"exit code {process.returncode}: {text}")
    if not printed.strip():
        return None
    try:
        parsed = orjson.loads(printed)
    except orjson.JSONDecodeError as error:
        raise CommandFailed(f"expected a JSON object on the command's output: {error}") from None
    if not isinstance(parsed, dict):
        raise CommandFailed(f"expected a JSON object on the command's output, got {parsed!r}")
    return parsed
