"""What one commit gives to a worker goes out together, up to a size."""

from __future__ import annotations

import pytest

from grevy.engine import PushedJobs
from grevy.protocol.limits import JOB_PUSH_BYTES_AIM
from grevy.protocol.messages import ActivatedJob
from grevy.stream import JobSubscription, joined_pushes


def worker(number: int) -> JobSubscription:
    return JobSubscription("owner", number, "type", worker="w", timeout=1_000, fetch_variables=())


def job(key: int, size: int = 10) -> ActivatedJob:
    return ActivatedJob(
        key=key,
        type="type",
        worker="w",
        retries=3,
        deadline=0,
        activation=1,
        custom_headers=b"{}",
        variables=b"x" * size,
        element_id="task",
        element_instance_key=1,
        bpmn_process_id="process",
        process_definition_version=1,
        process_definition_key=1,
        process_instance_key=1,
    )


def keys(push: PushedJobs) -> list[int]:
    return [job.key for job in push.jobs]


def test_each_worker_gets_its_jobs_in_one_push_and_in_order() -> None:
    one, other = worker(1), worker(2)
    pushes = [
        PushedJobs(one, (job(1),)),
        PushedJobs(other, (job(2), job(3))),
        PushedJobs(one, (job(4),)),
        PushedJobs(other, (job(5),)),
    ]

    together = list(joined_pushes(pushes))

    assert [(push.taker, keys(push)) for push in together] == [(one, [1, 4]), (other, [2, 3, 5])]


@pytest.mark.parametrize(
    ("sizes", "lots"),
    [
        ([JOB_PUSH_BYTES_AIM // 2] * 3, [[0, 1], [2]]),
        ([JOB_PUSH_BYTES_AIM + 1] * 2, [[0], [1]]),
        ([1, JOB_PUSH_BYTES_AIM, 1], [[0], [1], [2]]),
        ([], []),
    ],
)
def test_large_documents_go_in_several_pushes(sizes: list[int], lots: list[list[int]]) -> None:
    taker = worker(1)
    pushes = [PushedJobs(taker, (job(key, size),)) for key, size in enumerate(sizes)]

    assert [keys(push) for push in joined_pushes(pushes)] == lots
