"""Element instances, as appliers change them."""

from __future__ import annotations

from msgspec.structs import force_setattr as change
from msgspec.structs import replace

from grevy.engine.lifecycle import check_transition
from grevy.engine.tables import ElementInstance, EventTrigger, Lifecycle, WaitingTokens
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
            scope = self.count(parent_key, 1, -tokens)
            if scope is not None and scope.child < 0:
                change(scope, "child", key)
            else:
                self._children.put((parent_key, key), key)

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
            scope = self.count(parent_key, -1, 0)
            if scope is not None and scope.child == key:
                change(scope, "child", -1)
            else:
                self._children.delete((parent_key, key))
        return instance

    def interrupt(self, key: int, by: str) -> None:
        """A terminate end event has ended the other paths of a scope; one that is gone has none."""
        scope = self._instances.edit(key)
        if scope is not None:
            change(scope, "is_interrupted", True)
            change(scope, "active_flows", 0)
            change(scope, "interrupted_by", by)

    def count(self, scope_key: int, children: int, active_flows: int) -> ElementInstance | None:
        """Adds to the counts of a scope, and gives it; a scope that is gone has none."""
        scope = self._instances.edit(scope_key)
        if scope is None:
            return None
        if children:
            children += scope.children
            assert children >= 0, f"scope {scope_key} has lost count of its children"
            change(scope, "children", children)
        if active_flows:
            active_flows += scope.active_flows
            assert active_flows >= 0, f"scope {scope_key} has lost count of its tokens"
            change(scope, "active_flows", active_flows)
        return scope

    def add_trigger(self, scope_key: int, trigger: EventTrigger) -> bool:
        """Counts an event that waits to be taken up; whether it is kept in the scope: when it is
        the only one, and not with a process definition.
        """
        scope = self._instances.edit(scope_key)
        if scope is None:
            return False
        is_first = scope.triggers == 0
        if is_first:
            change(scope, "trigger", trigger)
        change(scope, "triggers", scope.triggers + 1)
        return is_first

    def remove_trigger(self, scope_key: int, key: int) -> bool:
        """An event has been taken up; whether it was kept in the scope."""
        scope = self._instances.edit(scope_key)
        if scope is None:
            return False
        assert scope.triggers > 0, f"scope {scope_key} has lost count of its events"
        change(scope, "triggers", scope.triggers - 1)
        if scope.trigger is None or scope.trigger.key != key:
            return False
        change(scope, "trigger", None)
        return True

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
