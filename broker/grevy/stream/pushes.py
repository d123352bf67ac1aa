"""Jobs on their way to workers: what one commit gives to a taker goes out together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grevy.engine import JobTaker, PushedJobs
from grevy.protocol.limits import JOB_PUSH_BYTES_AIM
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.record import RequestId


def joined_pushes(pushes: Sequence[PushedJobs]) -> Iterator[PushedJobs]:
    """Pushes with the jobs of each taker in as few of them as their variables allow; a taker's jobs
    keep their order.

    Each step pushes its own job, and a push costs broker and worker more than a job in it does.
    """
    jobs_of: dict[JobTaker | RequestId, list[ActivatedJob]] = {}
    for push in pushes:
        jobs = jobs_of.get(push.taker)
        if jobs is None:
            jobs_of[push.taker] = list(push.jobs)
        else:
            jobs.extend(push.jobs)
    for taker, jobs in jobs_of.items():
        for part in _parts(jobs):
            yield PushedJobs(taker, part)


def _parts(jobs: Sequence[ActivatedJob]) -> Iterator[tuple[ActivatedJob, ...]]:
    """Jobs in runs with about `JOB_PUSH_BYTES_AIM` of variables, and at least one job."""
    begin = size = 0
    for end, job in enumerate(jobs):
        size += len(job.variables)
        if size > JOB_PUSH_BYTES_AIM and end > begin:
            yield tuple(jobs[begin:end])
            begin, size = end, len(job.variables)
    if begin < len(jobs):
        yield tuple(jobs[begin:])
