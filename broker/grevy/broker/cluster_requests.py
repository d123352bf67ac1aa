"""What those who run the cluster ask for, from the client's request to its answer.

    client ─▶ this broker ──the decider's?──▶ the decider: decides, writes down, answers
                   ▲                                │
                   └────────── ClusterAnswer ◀──────┘

Requests that change something are for the broker that decides, so that two which come at the same
time are one after the other. One that comes again, because its answer was lost, finds its change in
the plan, whoever decides now, and gets the answer that it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_64_intdigest

from grevy.broker.membership import Membership
from grevy.cluster import (
    ChangeRefused,
    ChangeRequest,
    ClusterError,
    ClusterStatus,
    Gossiper,
    GossipSettings,
    HostsUp,
    Letter,
    Liveness,
    cancel,
    decide,
    decider_of,
    hosts_up,
    is_under_way,
    living_leaders,
    rebalance,
    reply_to,
    status_of,
)
from grevy.protocol.broker_messages import BrokerItem, ClusterAnswer, ClusterQuestion
from grevy.protocol.gossip_messages import ClusterPlan
from grevy.protocol.member_ids import node_of
from grevy.protocol.messages import ClusterRequest, ClusterRequestKind

Answer: TypeAlias = Callable[[bytes, str], None]
"""Takes a JSON document; or nothing, and why."""

ANSWER_MS: Final = 5_000
"""How long another broker may take to answer."""
JOIN_MS: Final = 10_000
"""How long a broker that is to be added is looked for."""
INVITE_MS: Final = 500
"""How often it is written to meanwhile."""


class _Waiting(msgspec.Struct):
    """A request that waits: for another broker's answer, or for brokers to be there."""

    answer: Answer
    until_ms: int
    request: ClusterRequest
    invited_ms: int = 0


class ClusterRequests:
    """One broker's part in them. `now_ms` is a stopwatch's; `send` takes items for members, False
    when it is lost. A broker's first host decides for it.
    """

    def __init__(
        self,
        settings: GossipSettings,
        membership: Membership,
        gossiper: Gossiper,
        now_ms: Callable[[], int],
        *,
        send: Callable[[int, BrokerItem], bool],
        send_letters: Callable[[Sequence[Letter]], None],
    ) -> None:
        self._settings = settings
        self._membership = membership
        self._gossiper = gossiper
        self._now_ms = now_ms
        self._send = send
        self._send_letters = send_letters
        self._asked: dict[int, _Waiting] = {}
        self._inviting: list[_Waiting] = []
        self._number = 0

    def ask(self, request: ClusterRequest, answer: Answer) -> None:
        """A client's request; it is answered at once, or later, or not when this broker ends."""
        plan = self._membership.plan
        if request.kind is ClusterRequestKind.STATUS:
            answer(msgspec.json.encode(self._status()), "")
        elif plan is None:
            answer(b"", "this broker is no member of a cluster yet: ask one that is")
        elif request.kind is ClusterRequestKind.REBALANCE:
            self._rebalance(plan, request, answer)
        else:
            self._pass_on(decider_of(plan, self._alive()), request, answer)

    def on_question(self, sender: int, question: ClusterQuestion) -> None:
        """Another broker passes on what a client has asked it."""
        if question.request.kind is ClusterRequestKind.REBALANCE:
            self._membership.lead_back_now()
            return

        def answer(document: bytes, reason: str) -> None:
            self._send(sender, ClusterAnswer(question.number, document, reason))

        self._decide(question.request, answer)

    def on_answer(self, answer: ClusterAnswer) -> None:
        """What became of a request that was passed on."""
        waiting = self._asked.pop(answer.number, None)
        if waiting is not None:
            waiting.answer(answer.document, answer.reason)

    def tick(self) -> None:
        """Some time has passed."""
        now_ms = self._now_ms()
        for number, waiting in list(self._asked.items()):
            if now_ms >= waiting.until_ms:
                del self._asked[number]
                waiting.answer(b"", "the broker that decides on changes did not answer; try again")
        for waiting in list(self._inviting):
            if self._is_met(waiting.request) or now_ms >= waiting.until_ms:
                self._inviting.remove(waiting)
                self._decide_now(waiting.request, waiting.answer)
            elif now_ms >= waiting.invited_ms + INVITE_MS:
                waiting.invited_ms = now_ms
                self._send_letters([self._gossiper.invite(each) for each in _invited(waiting)])

    # ── the broker that was asked ─────────────────────────────────────────────────────────────────

    def _status(self) -> ClusterStatus:
        now_ms = self._now_ms()
        return status_of(
            self._membership.plan,
            self._gossiper.brokers(now_ms),
            cluster_id=self._settings.cluster_id,
            node_id=node_of(self._settings.node_id),
            waiting=self._membership.waiting,
            problems=self._gossiper.problems(now_ms),
            unanswered=self._gossiper.unanswered(now_ms),
        )

    def _rebalance(self, plan: ClusterPlan, request: ClusterRequest, answer: Answer) -> None:
        """Each leader hands over itself; the answer says who should."""
        if is_under_way(plan):
            answer(b"", "another change is under way: its end is the time to rebalance")
            return
        alive = self._alive()
        moves = [
            {"partition": partition_id, "from": leader, "to": heir}
            for partition_id, leader, heir in rebalance(plan, self._leaders(), alive, self._hosts())
        ]
        if not request.is_trial:
            self._membership.lead_back_now()
            for member in self._other_members():
                self._send(member, ClusterQuestion(0, request))
        answer(msgspec.json.encode({"moves": moves}), "")

    def _pass_on(self, decider: int, request: ClusterRequest, answer: Answer) -> None:
        if decider == self._settings.node_id:
            self._decide(request, answer)
            return
        if decider == 0:
            answer(b"", "no broker that could decide on changes is there; try again")
            return
        self._number += 1
        self._asked[self._number] = _Waiting(answer, self._patience_ms(request), request)
        if not self._send(decider, ClusterQuestion(self._number, request)):
            del self._asked[self._number]
            answer(b"", f"broker {decider}, which decides on changes, cannot be reached; try again")

    def _patience_ms(self, request: ClusterRequest) -> int:
        return self._now_ms() + ANSWER_MS + (JOIN_MS if any(request.addresses) else 0)

    # ── the broker that decides ───────────────────────────────────────────────────────────────────

    def _decide(self, request: ClusterRequest, answer: Answer) -> None:
        if self._is_begun(request) or self._is_met(request):
            self._decide_now(request, answer)
        else:
            self._inviting.append(_Waiting(answer, self._now_ms() + JOIN_MS, request, -INVITE_MS))
            self.tick()

    def _is_begun(self, request: ClusterRequest) -> bool:
        """Whether the last change that there was is the one that is asked for."""
        plan = self._membership.plan
        return plan is not None and not request.is_trial and plan.wish == _wish_of(request)

    def _is_met(self, request: ClusterRequest) -> bool:
        """Whether all that are to be added are there, as far as somebody has said where."""
        alive = self._alive()
        pairs = zip(request.add, request.addresses, strict=False)
        return all(node_id in alive or not address for node_id, address in pairs)

    def _decide_now(self, request: ClusterRequest, answer: Answer) -> None:
        plan = self._membership.plan
        try:
            if plan is None or decider_of(plan, self._alive()) != self._settings.node_id:
                raise ChangeRefused("another broker decides on changes now; try again")
            if not self._is_begun(request):
                plan = self._begin(plan, request)
        except ClusterError as error:
            answer(b"", str(error))
            return
        answer(msgspec.json.encode(reply_to(plan, self._leaders())), "")

    def _begin(self, plan: ClusterPlan, request: ClusterRequest) -> ClusterPlan:
        """The change, which is under way now, but for a trial. Raises `ClusterError`."""
        self._check_addresses(request)
        author, alive = self._settings.node_id, self._alive()
        if request.kind is ClusterRequestKind.CANCEL:
            after = cancel(plan, author=author, alive=alive)
        else:
            change = ChangeRequest(request.add, request.remove, request.replication_factor)
            after = decide(plan, change, author=author, alive=alive, hosts=self._hosts())
        if not request.is_trial:
            after = replace(after, wish=_wish_of(request))
            self._membership.keep(after)
        return after

    def _check_addresses(self, request: ClusterRequest) -> None:
        for node_id, address in zip(request.add, request.addresses, strict=False):
            other = self._gossiper.who_is_at(address)
            if address and other not in (0, node_id):
                raise ChangeRefused(f"at {address} there is broker {other}, not broker {node_id}")
            if address and node_id not in self._alive():
                raise ChangeRefused(
                    f"broker {node_id} does not answer at {address}: start it first, "
                    f"with `grevy broker --join --node-id {node_id}`"
                )

    def _alive(self) -> frozenset[int]:
        return self._gossiper.alive(self._now_ms())

    def _hosts(self) -> HostsUp:
        return hosts_up(self._gossiper.brokers(self._now_ms()))

    def _other_members(self) -> list[int]:
        """All hosts of all brokers: any of them may lead something."""
        members = self._gossiper.brokers(self._now_ms())
        ids = [each.state.node_id for each in members if each.liveness is Liveness.ALIVE]
        return [each for each in ids if each != self._settings.node_id]

    def _leaders(self) -> dict[int, int]:
        return living_leaders(self._gossiper.brokers(self._now_ms()))


def _invited(waiting: _Waiting) -> list[str]:
    return [address for address in waiting.request.addresses if address]


def _wish_of(request: ClusterRequest) -> int:
    """A number for what is asked for; that of the request is another one when it comes again."""
    return xxh3_64_intdigest(msgspec.json.encode(replace(request, number=0))) >> 1 | 1
