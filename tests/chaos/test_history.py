"""A history is what was asked and what was answered, whatever happened to the file's end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.chaos.history import Kind, Operation, Outcome, Recorder, read_history

from grevy.client import Instance
from grevy.client.errors import ClientClosed, NotFound, Overloaded, RequestTimeout, Unavailable


async def answered(result: object) -> object:
    """An operation that the broker answers; raises what is an error."""
    await asyncio.sleep(0)
    if isinstance(result, Exception):
        raise result
    return result


def test_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "history"
    instance = Instance(7, "p", 1, 3)
    answers: dict[Kind, object] = {
        Kind.CREATE: instance,
        Kind.COMPLETE: None,
        Kind.PUBLISH: 8,
        Kind.CANCEL: NotFound("no such instance"),
        Kind.SET: RequestTimeout("no answer"),
    }

    async def main() -> list[object]:
        recorder = Recorder(path)
        results = [
            await recorder.run(kind, f"s-{kind.value}", answered(answer))
            for kind, answer in answers.items()
        ]
        await recorder.close()
        return results

    assert asyncio.run(main()) == list(answers.values())
    history = read_history(path)
    assert [(o.kind, o.subject) for o in history] == [(kind, f"s-{kind.value}") for kind in answers]
    assert [(o.outcome, o.key, o.reason) for o in history] == [
        (Outcome.OK, 7, ""),
        (Outcome.OK, 0, ""),
        (Outcome.OK, 8, ""),
        (Outcome.REJECTED, 0, "NotFound: no such instance"),
        (Outcome.UNKNOWN, 0, "RequestTimeout: no answer"),
    ]
    assert all(o.begin_s < o.end_s < float("inf") for o in history)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("nobody leads"), Outcome.REJECTED),
        (Overloaded("later"), Outcome.REJECTED),
        (ClientClosed("closed"), Outcome.UNKNOWN),
    ],
)
def test_what_an_error_says(tmp_path: Path, error: Exception, outcome: Outcome) -> None:
    async def main() -> None:
        recorder = Recorder(tmp_path / "history")
        assert await recorder.run(Kind.CREATE, "a", answered(error)) is error
        await recorder.close()

    asyncio.run(main())
    assert [o.outcome for o in read_history(tmp_path / "history")] == [outcome]


def test_an_operation_is_on_disk_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "history"
    seen: list[list[Operation]] = []

    async def look() -> None:
        seen.append(read_history(path))
        await asyncio.sleep(0)

    async def main() -> None:
        recorder = Recorder(path)
        await asyncio.gather(*(recorder.run(Kind.SET, f"s-{n}", look()) for n in range(50)))
        await recorder.close()

    asyncio.run(main())
    assert len(seen) == 50
    for number, history in enumerate(seen):
        subjects = {operation.subject for operation in history}
        assert f"s-{number}" in subjects
    assert {o.outcome for o in read_history(path)} == {Outcome.OK}


def test_a_torn_end_is_an_unknown_outcome(tmp_path: Path) -> None:
    path = tmp_path / "history"

    async def main(*operations: Awaitable[object]) -> None:
        recorder = Recorder(path)
        for operation in operations:
            await recorder.run(Kind.CREATE, "a", operation)
        await recorder.close()

    asyncio.run(main(answered(1), answered(2)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])

    assert [o.outcome for o in read_history(path)] == [Outcome.OK, Outcome.UNKNOWN]
    assert read_history(path)[1].end_s == float("inf")

    path.write_bytes(whole[5:])
    with pytest.raises(ValueError, match="line 1"):
        read_history(path)
