"""When jobs can be found by their type."""

from __future__ import annotations

import pytest

from grevy.engine.stores.jobs import JobStore
from grevy.engine.tables import JobState
from grevy.protocol.values import JobValue
from grevy.state import MemoryBackend, State

JOB = JobValue(type="work", deadline=10)


@pytest.fixture
def state() -> State:
    """With an open step."""
    state = State(MemoryBackend())
    state.begin()
    return state


def test_a_job_is_found_by_its_type_from_the_end_of_its_step(state: State) -> None:
    jobs = JobStore(state)
    jobs.put(7, JOB, JobState.ACTIVATABLE)
    assert jobs.activatable("work", 10) == []
    jobs.close_step()
    assert jobs.activatable("work", 10) == [7]

    jobs.put(7, JOB, JobState.ACTIVATED)
    assert jobs.activatable("work", 10) == []


def test_a_job_that_was_handed_out_in_its_step_never_is(state: State) -> None:
    jobs = JobStore(state)
    jobs.put(7, JOB, JobState.ACTIVATABLE)
    jobs.put(7, JOB, JobState.ACTIVATED)
    jobs.put(8, JOB, JobState.ACTIVATABLE)
    jobs.remove(8)
    jobs.close_step()
    assert jobs.activatable("work", 10) == []


def test_a_job_of_a_step_that_was_dropped_is_not_found(state: State) -> None:
    jobs = JobStore(state)
    jobs.put(7, JOB, JobState.ACTIVATABLE)
    state.rollback()
    jobs.drop_step()
    state.begin()
    jobs.close_step()
    assert jobs.activatable("work", 10) == []
