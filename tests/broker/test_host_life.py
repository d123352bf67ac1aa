"""What a supervisor makes of what happens to its hosts: crashes at any time, by seed."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from grevy.broker.gathering import Gathering
from grevy.broker.host_life import PAUSE_MAX_S, PAUSE_MIN_S, STEADY_S, HostLife
from grevy.broker.hosts import (
    AllFigures,
    Failed,
    Figures,
    HostReport,
    Ready,
    Removed,
    ToHost,
    WantFigures,
)

SEEDS = range(100)
CRASHED = "ended by SIGKILL"


class Story:
    """One host from its first process to its last, with the checks that belong to each moment."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._life = HostLife(2)
        self._now_s = 1_000.0
        self._was_ready = self._is_ending = False
        self._starts = 0
        self._pause_s = PAUSE_MIN_S
        self._is_unlucky = self._chance.random() < 0.5
        """Then it is never steady, and its pauses become long."""

    def run(self) -> None:
        for _ in range(40):
            if not self._process():
                return

    def _process(self) -> bool:
        """One process; whether there is to be another."""
        chance, life = self._chance, self._life
        began_s = self._now_s
        life.attempt(began_s)
        failure = Failed("")
        if chance.random() < 0.95:
            self._starts += 1
            life.began(self._starts)
            failure = self._live()
        self._now_s += 1 if self._is_unlucky else chance.choice([0.0, 1.0, STEADY_S + 1])
        pause_s = life.ended(CRASHED, self._now_s, 5)
        assert life.report.process == "down"
        assert life.report.pid == 0
        if self._is_ending:
            assert pause_s is None
            assert not life.is_lost, "it was told to end, or was removed"
            return False
        assert life.report.last_error == (failure.error or CRASHED), "nothing of one before"
        if failure.is_final or not self._was_ready:
            assert pause_s is None
            assert life.is_lost
            return False
        if self._now_s - began_s > STEADY_S:
            self._pause_s = PAUSE_MIN_S
        assert pause_s == self._pause_s, "a host that was ready once always comes back"
        assert PAUSE_MIN_S <= pause_s <= PAUSE_MAX_S
        self._pause_s = min(2 * pause_s, PAUSE_MAX_S)
        self._now_s += pause_s
        if chance.random() < 0.02:
            life.told_to_end()  # in its pause: nobody attempts it again
            assert life.report.process == "down"
            return False
        return True

    def _live(self) -> Failed:
        """What happens to a process up to its end, in any order; what it says last of its end."""
        chance, life = self._chance, self._life
        failure = Failed("")
        expected = "starting"
        for _ in range(chance.randrange(4)):
            what = chance.random()
            self._now_s += chance.random()
            if what < 0.8:
                life.heard(Ready("127.0.0.1:1"))
                self._was_ready = True
                expected = expected if self._is_ending else "running"
            elif what < 0.9:
                failure = Failed("the disk is full", is_final=chance.random() < 0.1)
                life.heard(failure)
            elif what < 0.92:
                life.heard(Removed())
                self._is_ending = True
            elif what < 0.95:
                life.told_to_end()
                self._is_ending = True
                expected = "stopping"
            report = life.report
            assert (report.process, report.pid, report.starts) == (
                expected,
                self._starts,
                self._starts,
            )
        return failure


@pytest.mark.parametrize("seed", SEEDS)
def test_hosts_that_crash_at_any_time(seed: int) -> None:
    Story(seed).run()


def test_a_host_that_was_told_to_end_before_it_began_does_not_run() -> None:
    life = HostLife(0)
    life.told_to_end()
    life.attempt(0.0)
    life.began(7)
    life.heard(Ready("127.0.0.1:1"))
    assert life.report.process == "stopping"
    assert life.ended(CRASHED, 1.0, 1) is None
    assert not life.is_lost


class StubHost:
    """A host that answers when the test wants."""

    def __init__(self, number: int, *, is_ready: bool = True) -> None:
        self.number = number
        self.is_ready = is_ready
        self.heard: list[ToHost] = []
        self.told = asyncio.Event()

    @property
    def report(self) -> HostReport:
        return HostReport(self.number, "running" if self.is_ready else "down")

    def say(self, message: ToHost) -> None:
        self.heard.append(message)
        self.told.set()

    async def asked(self) -> list[int]:
        """The numbers of the questions that it was asked, when there are some."""
        await self.told.wait()
        return [each.number for each in self.heard if isinstance(each, WantFigures)]

    async def answer(self) -> AllFigures:
        """What it was told last, when it was."""
        while not (found := [each for each in self.heard if isinstance(each, AllFigures)]):
            self.told.clear()
            await self.told.wait()
        return found[-1]


def test_figures_are_of_those_that_answer_in_time() -> None:
    async def story() -> None:
        hosts = [StubHost(0), StubHost(1), StubHost(2, is_ready=False)]
        gathering = Gathering(hosts, lambda: {"pid": 1}, timeout_s=0.05)
        gathering.ask(hosts[0], 7)
        (first,) = await hosts[0].asked()
        gathering.take(hosts[0], Figures(first, {"a": 1}))
        found = await hosts[0].answer()
        assert found.number == 7
        assert found.figures == [{"a": 1, "host": 0}], "host 1 hangs, host 2 is down"
        assert [each.process for each in found.hosts] == ["running", "running", "down"]
        assert not hosts[2].heard

        gathering.take(hosts[1], Figures(first, {"a": 2}))  # too late, and for nothing
        asking = StubHost(3)
        gathering.ask(asking, 8)
        hosts[1].told.clear()
        second = (await hosts[1].asked())[-1]
        assert second != first
        for host in hosts[:2]:
            gathering.take(host, Figures(first, {"a": "old"}))
            gathering.take(host, Figures(second, {"a": host.number}))
            gathering.take(host, Figures(second, {"a": "twice"}))
        again = await asking.answer()
        assert (again.number, again.figures) == (8, [{"a": 0, "host": 0}, {"a": 1, "host": 1}])

    asyncio.run(asyncio.wait_for(story(), 30))
