"""`grevy create`: one instance, or many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grevy.broker.cli.output import Output, json_text
from grevy.client import Client, ClientError, RequestTimeout

IN_FLIGHT: Final = 100
"""Creations under way at a time: enough for the broker to flush many of them together."""


@dataclass(frozen=True, slots=True)
class Creation:
    """What is asked for; with a time-out (seconds) the result is awaited."""

    process: str
    version: int
    variables: Mapping[str, object]
    result_timeout: float | None


async def create_instances(client: Client, output: Output, wanted: Creation, count: int) -> None:
    """Creates so many; each is told, but where people create many without results: then the sum."""
    is_each_told = output.as_json or count == 1 or wanted.result_timeout is not None
    left = count
    keys: list[int] = []

    async def lane() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            key, values, sentence = await _create(client, wanted)
            keys.append(key)
            if is_each_told:
                output.result(values, sentence)
            else:
                bar.advance(bar.task_ids[0])

    begin = time.monotonic()
    failed: ExceptionGroup[ClientError] | None = None
    try:
        with output.progress("creating", count, is_wanted=not is_each_told) as bar:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(count, IN_FLIGHT)):
                    group.create_task(lane())
    except* ClientError as errors:
        failed = errors  # what is raised in here, older Pythons put into a group
    if failed is not None:
        before = f"{len(keys)} of {count} were created, then: " if keys else ""
        raise output.fail(before + str(failed.exceptions[0]))
    if not is_each_told:
        seconds = time.monotonic() - begin
        output.result({}, f"{count:,} created in {seconds:.1f} s, {min(keys)} to {max(keys)}")


async def _create(client: Client, wanted: Creation) -> tuple[int, dict[str, object], str]:
    """The new instance: its key, what is to be told of it to programs, and to people."""
    process, version, variables = wanted.process, wanted.version, wanted.variables
    if wanted.result_timeout is None:
        made = await client.create_instance(process, variables=variables, version=version)
        return made.key, {"key": made.key, "version": made.version}, f"{made.key}"
    try:
        done = await client.create_instance_with_result(
            process, variables=variables, version=version, timeout=wanted.result_timeout
        )
    except RequestTimeout:
        text = f"no result within {wanted.result_timeout:g} s; the instance goes on"
        raise RequestTimeout(text) from None
    values = {"key": done.key, "version": done.version, "variables": done.variables}
    return done.key, values, f"{done.key} completed: {json_text(done.variables)}"
