"""What appliers write the state through."""

from __future__ import annotations

from grevy.engine.stores.decisions import DecisionStore
from grevy.engine.stores.distributions import DistributionStore
from grevy.engine.stores.elements import ElementStore
from grevy.engine.stores.events import EventStore
from grevy.engine.stores.incidents import IncidentStore
from grevy.engine.stores.jobs import JobStore
from grevy.engine.stores.messages import MessageStore
from grevy.engine.stores.pending import PendingStore
from grevy.engine.stores.processes import ProcessStore
from grevy.engine.stores.requests import RequestStore
from grevy.engine.stores.subscriptions import SubscriptionStore
from grevy.engine.stores.timers import TimerStore
from grevy.engine.stores.unanswered import UnansweredStore
from grevy.engine.stores.variables import VariableStore
from grevy.state import State


class Stores:
    """All stores of one partition's state. `now` is the time of the entry that is being made or
    replayed, in epoch milliseconds.
    """

    __slots__ = (
        "decisions",
        "distributions",
        "elements",
        "events",
        "incidents",
        "jobs",
        "messages",
        "now",
        "partition_id",
        "pending",
        "processes",
        "requests",
        "subscriptions",
        "timers",
        "unanswered",
        "variables",
    )

    def __init__(self, state: State, partition_id: int) -> None:
        self.partition_id = partition_id
        self.now = 0
        self.unanswered = UnansweredStore(state)
        self.distributions = DistributionStore(state, self.unanswered)
        self.decisions = DecisionStore(state)
        self.elements = ElementStore(state)
        self.events = EventStore(state)
        self.incidents = IncidentStore(state)
        self.jobs = JobStore(state)
        self.messages = MessageStore(state)
        self.pending = PendingStore(state)
        self.processes = ProcessStore(state)
        self.requests = RequestStore(state)
        self.subscriptions = SubscriptionStore(state, partition_id, self.unanswered)
        self.timers = TimerStore(state)
        self.variables = VariableStore(state)
