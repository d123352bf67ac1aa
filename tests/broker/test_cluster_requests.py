"""What becomes of a request about the cluster whose answer is lost: no sockets, no clock."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from grevy.broker.cluster_requests import ClusterRequests
from grevy.broker.membership import Membership
from grevy.broker.plans import PlanCopy
from grevy.cluster import (
    Gossiper,
    GossipSettings,
    LeadBack,
    apply_step,
    distribute,
    first_plan,
    steps_of,
)
from grevy.cluster.plan import with_current
from grevy.cluster.requests import ChangeReply
from grevy.protocol.gossip_messages import Gossip, MemberState
from grevy.protocol.messages import ClusterRequest, ClusterRequestKind
from grevy.testing.entropy import SeededEntropy

CHANGE = ClusterRequestKind.CHANGE
ADD = ClusterRequest(1, CHANGE, add=(4,), addresses=("c4:1",))
CANCEL = ClusterRequest(1, ClusterRequestKind.CANCEL)
ALL = frozenset({1, 2, 3, 4})


class Life:
    """A broker from a start to its crash: it knows the plan on its disk, and who is there."""

    def __init__(self, node_id: int, disk: PlanCopy, alive: frozenset[int] = ALL) -> None:
        settings = GossipSettings(
            cluster_id="g",
            node_id=node_id,
            cluster_endpoint=f"c{node_id}:1",
            client_endpoint="",
            software="0.1.0",
        )
        gossiper = Gossiper(settings, SeededEntropy(node_id), 1, disk.plan)
        for sender, version in product(alive - {node_id}, (1, 2)):
            state = MemberState(sender, 1, version, f"c{sender}:1", "", "0.1.0")
            gossiper.receive("g", Gossip(sender, (state,)), 0)
        failures: list[BaseException] = []
        membership = Membership(
            *(node_id, disk, gossiper, lambda: 0),
            send=lambda _letters: None,
            lead_back=LeadBack(1),
            on_removed=lambda: None,
            on_failed=failures.append,
        )
        self._requests = ClusterRequests(
            *(settings, membership, gossiper, lambda: 0),
            send=lambda _member, _item: True,
            send_letters=lambda _letters: None,
        )

    def ask(self, request: ClusterRequest) -> ChangeReply | str:
        """The change, or why there is none."""
        answers: list[ChangeReply | str] = []

        def answer(document: bytes, reason: str) -> None:
            answers.append(reason or msgspec.json.decode(document, type=ChangeReply))

        self._requests.ask(request, answer)
        (found,) = answers
        return found


@pytest.fixture
def disk() -> PlanCopy:
    """That of a broker in a cluster of three; it outlives its broker."""
    return PlanCopy(first_plan(distribute([1, 2, 3], 3, 3)))


def carry_out(disk: PlanCopy, steps: int) -> None:
    """So many steps of the plan are done."""
    for _ in range(steps):
        assert disk.plan is not None
        step = next(steps_of(disk.plan))
        disk.write(with_current(disk.plan, apply_step(disk.plan.current, step)))


def test_who_crashed_gives_the_answer_of_the_change_that_it_began(disk: PlanCopy) -> None:
    begun = Life(1, disk).ask(ADD)
    assert isinstance(begun, ChangeReply)
    assert begun.epoch == 2

    again = msgspec.structs.replace(ADD, number=99)
    assert Life(1, disk).ask(again) == begun
    carry_out(disk, 2)
    assert Life(1, disk).ask(again) == ChangeReply(2, begun.steps[2:]), "what is left of it"
    carry_out(disk, len(begun.steps) - 2)
    assert Life(1, disk).ask(again) == ChangeReply(2, ()), "it is done"


def test_who_decides_next_gives_it_too(disk: PlanCopy) -> None:
    begun = Life(1, disk).ask(ADD)
    heard = PlanCopy(disk.plan)
    assert Life(2, heard, frozenset({2, 3, 4})).ask(ADD) == begun
    assert Life(2, heard, frozenset({2, 3})).ask(ADD) == begun, "also if the new broker has gone"


def test_other_requests_are_others(disk: PlanCopy) -> None:
    begun = Life(1, disk).ask(ADD)
    assert isinstance(begun, ChangeReply)
    other = Life(1, disk).ask(msgspec.structs.replace(ADD, remove=(1,)))
    assert isinstance(other, str)
    assert "another change is under way" in other
    trial = Life(1, disk).ask(msgspec.structs.replace(ADD, is_trial=True))
    assert isinstance(trial, str)
    assert "another change is under way" in trial
    carry_out(disk, len(begun.steps))
    trial = Life(1, disk).ask(msgspec.structs.replace(ADD, is_trial=True))
    assert trial == "broker 4 is a member already"


def test_what_was_ended_can_be_asked_for_anew(disk: PlanCopy) -> None:
    begun = Life(1, disk).ask(ADD)
    ended = Life(1, disk).ask(CANCEL)
    assert isinstance(ended, ChangeReply)
    assert ended.epoch == 3
    assert Life(1, disk).ask(CANCEL) == ended
    again = Life(1, disk).ask(ADD)
    assert isinstance(begun, ChangeReply)
    assert again == ChangeReply(4, begun.steps)
