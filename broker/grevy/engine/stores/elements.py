"""Element instances, as appliers change them."""

from __future__ import annotations

from msgspec.structs import force_setattr as change
from msgspec.structs import replace

from grevy.engine.lifecycle import check_transition
from grevy.engine.tables import ElementInstance, Lifecycle, WaitingTokens
from grevy.engine.views.elements import ElementsView


class ElementStore(ElementsView):
    """Writes element instances; counts of a scope are kept with every change of its children.

    They are frozen for all others: only here is a step's own one changed in place.
    """

    def create(self, instance: ElementInstance, parent_key: int, tokens: int) -> None:
        """Stores a new element instance below its parent (-1 for a root), which loses the tokens
        that led to it.
        """
        key = instance.key
        self._instances.put(key, instance)
        if parent_key > 0:
            self._children.put((parent_key, key), key)
            self.count(parent_key, 1, -tokens)

    def move(self, key: int, to: Lifecycle) -> None:
        """An element instance reaches the next state of its life."""
        instance = self._instances.edit(key)
        assert instance is not None, f"element instance {key} is not alive"
        check_transition(instance.state, to)
        change(instance, "state", to)

    def end(self, key: int, parent_key: int, to: Lifecycle) -> ElementInstance:
        """Forgets an element instance, whose scope has one child less; what it was."""
        instance = self._instances.get(key)
        assert instance is not None, f"element instance {key} is not alive"
        check_transition(instance.state, to)
        assert instance.children == 0, f"element instance {key} ends before its children"
        self._instances.delete(key)
        if parent_key > 0:
            self._children.delete((parent_key, key))
            self.count(parent_key, -1, 0)
        return instance

    def interrupt(self, key: int, by: str) -> None:
        """A terminate end event has ended the other paths of a scope; one that is gone has none."""
        scope = self._instances.edit(key)
        if scope is not None:
            change(scope, "is_interrupted", True)
            change(scope, "active_flows", 0)
            change(scope, "interrupted_by", by)

    def count(self, scope_key: int, children: int, active_flows: int) -> None:
        """Adds to the counts of a scope; a scope that is gone has none."""
        scope = self._instances.edit(scope_key)
        if scope is None:
            return
        if children:
            children += scope.children
            assert children >= 0, f"scope {scope_key} has lost count of its children"
            change(scope, "children", children)
        if active_flows:
            active_flows += scope.active_flows
            assert active_flows >= 0, f"scope {scope_key} has lost count of its tokens"
            change(scope, "active_flows", active_flows)

    def count_triggers(self, scope_key: int, difference: int) -> None:
        """Adds to the count of events that wait to be taken up; process definitions have none."""
        scope = self._instances.edit(scope_key)
        if scope is not None:
            triggers = scope.triggers + difference
            assert triggers >= 0, f"scope {scope_key} has lost count of its events"
            change(scope, "triggers", triggers)

    def note_job(self, key: int, job_key: int) -> None:
        """The element has a job."""
        instance = self._instances.edit(key)
        if instance is not None:
            change(instance, "job_key", job_key)

    def note_variable(self, scope_key: int) -> None:
        """The scope has variables of its own."""
        scope = self._instances.get(scope_key)
        if scope is None or scope.has_variables:
            return
        scope = self._instances.edit(scope_key)
        assert scope is not None, scope_key
        change(scope, "has_variables", True)

    def take_flow(self, scope_key: int, gateway_id: str, flow_id: str) -> None:
        """One more token waits at a joining gateway's incoming flow."""
        key = (scope_key, gateway_id, flow_id)
        waiting = self._flows_taken.get(key)
        tokens = 1 if waiting is None else waiting.tokens + 1
        self._flows_taken.put(key, WaitingTokens(gateway_id, flow_id, tokens))

    def consume_flows(self, scope_key: int, gateway_id: str) -> int:
        """Takes one token from each incoming flow of a joining gateway where one waits; how many
        those were.
        """
        tokens = self._flows_taken.scan(scope_key, gateway_id)
        for taken in tokens:
            key = (scope_key, gateway_id, taken.flow_id)
            if taken.tokens == 1:
                self._flows_taken.delete(key)
            else:
                self._flows_taken.put(key, replace(taken, tokens=taken.tokens - 1))
        return len(tokens)

    def forget_flows(self, scope_key: int) -> None:
        """A scope has ended: tokens that waited in it are gone."""
        for taken in self._flows_taken.scan(scope_key):
            self._flows_taken.delete((scope_key, taken.gateway_id, taken.flow_id))
