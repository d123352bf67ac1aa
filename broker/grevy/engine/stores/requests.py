"""Requests of clients and their answers, as appliers change them."""

from __future__ import annotations

from typing import Final

from grevy.engine.tables import (
    COUNTERS,
    AwaitedResult,
    ClientSession,
    LargeAnswer,
    RememberedAnswer,
)
from grevy.engine.views.requests import RequestsView
from grevy.protocol.intents import RejectionType
from grevy.protocol.limits import (
    CLIENTS_REMEMBERED,
    LARGE_ANSWER_BYTES_MIN,
    LARGE_ANSWERS_BYTES_MAX,
    LATE_ANSWERS_REMEMBERED,
    REQUESTS_REMEMBERED,
)
from grevy.protocol.record import RequestId
from grevy.state import State

SESSION_STAMP_MS: Final = 60_000
"""A session's age is kept to a minute: an exact one would cost two writes a request."""

_SESSIONS: Final = "sessions"
_LARGE_ANSWERS: Final = "large answers"
_LARGE_ANSWERS_BYTES: Final = "bytes of large answers"


class RequestStore(RequestsView):
    """Writes answers in a ring for each client. Forgets the longest silent client when there are
    too many, and what the oldest large answers said when they are too many bytes.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._counters = state.table(COUNTERS)
        self._newest: dict[bytes, int] = {}

    def remembered(self, request: RequestId) -> RememberedAnswer | None:
        """The answer to a request that was taken before. One that is newer than all of a client
        that was unknown when this object was made needs no look at what its place in the ring holds
        of older ones, which would often be a look at the disk.
        """
        newest = self._newest.get(request.client_id)
        if newest is not None and request.number > newest:
            return None
        return super().remembered(request)

    def remember(self, request: RequestId, answer: RememberedAnswer, now: int) -> None:
        """Keeps the answer to a request."""
        client_id, number = request.client_id, request.number
        self._answers.put((client_id, number % REQUESTS_REMEMBERED), answer)
        newest = self._newest.get(client_id)
        if newest is not None and number > newest:
            self._newest[client_id] = number
        self._weigh(request, answer)
        self._see(request, now)

    def remember_due(self, request: RequestId, now: int) -> None:
        """A request was taken, and is answered some time."""
        due = RememberedAnswer(request.number, is_due=True)
        self._due.put((request.client_id, request.number), due)
        self.remember(request, due, now)

    def remember_late(self, request: RequestId, answer: RememberedAnswer, now: int) -> None:
        """Keeps the answer to a request that may have waited: in the ring, if there is no newer one
        in its place.
        """
        client_id, number = request.client_id, request.number
        if self._due.get((client_id, number)) is not None:
            self._due.delete((client_id, number))
        newer = self._answers.get((client_id, number % REQUESTS_REMEMBERED))
        if newer is None or newer.number <= number:
            self.remember(request, answer, now)
            return
        self._late.put((client_id, number), answer)
        late = self._late.scan(client_id, limit=LATE_ANSWERS_REMEMBERED + 1)
        if len(late) > LATE_ANSWERS_REMEMBERED:
            self._late.delete((client_id, late[0].number))
        self._weigh(request, answer)
        self._see(request, now)

    def await_result(self, process_instance_key: int, awaited: AwaitedResult) -> None:
        """Somebody waits for the result of an instance."""
        self._awaited.put(process_instance_key, awaited)

    def forget_awaited(self, process_instance_key: int) -> None:
        """The instance has ended."""
        if self._awaited.get(process_instance_key) is not None:
            self._awaited.delete(process_instance_key)

    def _weigh(self, request: RequestId, answer: RememberedAnswer) -> None:
        """A large answer takes the place of the oldest ones."""
        size = len(answer.value) + len(answer.rejection_reason.encode())
        if size < LARGE_ANSWER_BYTES_MIN:
            return
        place = self._counters.get(_LARGE_ANSWERS) or 0
        self._counters.put(_LARGE_ANSWERS, place + 1)
        self._large.put(place, LargeAnswer(place, request.client_id, request.number, size))
        total = (self._counters.get(_LARGE_ANSWERS_BYTES) or 0) + size
        while total > LARGE_ANSWERS_BYTES_MAX:
            oldest = self._large.first()
            assert oldest is not None, "bytes are counted that are not there"
            self._large.delete(oldest.place)
            self._lighten(oldest)
            total -= oldest.size
        self._counters.put(_LARGE_ANSWERS_BYTES, total)

    def _lighten(self, large: LargeAnswer) -> None:
        """Forgets what an answer said, if it is there, but not that there was one."""
        client_id, number = large.client_id, large.number
        slot = client_id, number % REQUESTS_REMEMBERED
        answer = self._answers.get(slot)
        if answer is not None and answer.number == number:
            self._answers.put(slot, _lightened(answer, large.size))
            return
        answer = self._late.get((client_id, number))
        if answer is not None:
            self._late.put((client_id, number), _lightened(answer, large.size))

    def _see(self, request: RequestId, now: int) -> None:
        client_id = request.client_id
        session = self._sessions.get(client_id)
        if session is not None and now - session.seen < SESSION_STAMP_MS:
            return
        if session is not None:
            self._by_age.delete((session.seen, client_id))
        else:
            self._make_room()
            # What a dropped step has left here is too high, which is as good.
            self._newest.setdefault(client_id, request.number)
        fresh = ClientSession(client_id, now)
        self._sessions.put(client_id, fresh)
        self._by_age.put((now, client_id), fresh)

    def _make_room(self) -> None:
        count = self._counters.get(_SESSIONS) or 0
        if count < CLIENTS_REMEMBERED:
            self._counters.put(_SESSIONS, count + 1)
            return
        oldest = self._by_age.first()
        assert oldest is not None, "sessions are counted that are not there"
        self._by_age.delete((oldest.seen, oldest.client_id))
        self._sessions.delete(oldest.client_id)
        self._newest.pop(oldest.client_id, None)
        for slot in range(REQUESTS_REMEMBERED):
            if self._answers.has((oldest.client_id, slot)):
                self._answers.delete((oldest.client_id, slot))
        for table in (self._due, self._late):
            for answer in table.scan(oldest.client_id):
                table.delete((oldest.client_id, answer.number))


def _lightened(answer: RememberedAnswer, size: int) -> RememberedAnswer:
    """The same answer without most of its bytes."""
    kind = answer.rejection_type
    if kind < 0:
        kind = RejectionType.ALREADY_EXISTS
        said = "what was asked for was done when it came first"
    else:
        said = "it was refused when it came first"
    reason = f"{said}; the answer, of {size} bytes, is not kept any more"
    return RememberedAnswer(
        answer.number,
        intent=answer.intent,
        key=answer.key,
        rejection_type=int(kind),
        rejection_reason=f"Expected to answer a request again, but {reason}",
    )
