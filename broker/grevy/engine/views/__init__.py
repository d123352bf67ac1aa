"""What processors may read of the state. Nothing here writes."""

from __future__ import annotations

from grevy.engine.views.decisions import DecisionsView
from grevy.engine.views.distributions import DistributionsView
from grevy.engine.views.elements import ElementsView
from grevy.engine.views.events import EventsView
from grevy.engine.views.incidents import IncidentsView
from grevy.engine.views.jobs import JobsView
from grevy.engine.views.messages import MessagesView
from grevy.engine.views.processes import ProcessesView
from grevy.engine.views.requests import RequestsView
from grevy.engine.views.subscriptions import SubscriptionsView
from grevy.engine.views.timers import TimersView
from grevy.engine.views.unanswered import UnansweredView
from grevy.engine.views.variables import VariablesView
from grevy.state import State


class Views:
    """All views of one partition's state."""

    __slots__ = (
        "decisions",
        "distributions",
        "elements",
        "events",
        "incidents",
        "jobs",
        "messages",
        "processes",
        "requests",
        "subscriptions",
        "timers",
        "unanswered",
        "variables",
    )

    def __init__(self, state: State) -> None:
        self.decisions = DecisionsView(state)
        self.distributions = DistributionsView(state)
        self.elements = ElementsView(state)
        self.events = EventsView(state)
        self.incidents = IncidentsView(state)
        self.jobs = JobsView(state)
        self.messages = MessagesView(state)
        self.processes = ProcessesView(state)
        self.requests = RequestsView(state)
        self.subscriptions = SubscriptionsView(state)
        self.timers = TimersView(state)
        self.unanswered = UnansweredView(state)
        self.variables = VariablesView(state)
