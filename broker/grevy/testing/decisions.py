"""What the evaluation of a decision gave, for tests."""

from __future__ import annotations

import msgspec

from grevy.protocol.values import DecisionEvaluationValue


class DecisionOutcome:
    """An evaluation that was recorded under `key`; `value` has the decisions on the way to it, with
    their inputs and the rules that matched.
    """

    def __init__(self, key: int, value: DecisionEvaluationValue) -> None:
        self.key = key
        self.value = value

    def __repr__(self) -> str:
        what = self.failure or repr(self.output)
        return f"DecisionOutcome({self.value.decision_id}: {what})"

    @property
    def output(self) -> object:
        """What the decision gave, as JSON can say it; None if it failed."""
        value: object = msgspec.json.decode(self.value.decision_output)
        return value

    @property
    def failure(self) -> str:
        """Why there is no output; empty if there is one."""
        return self.value.evaluation_failure_message

    @property
    def failed_decision_id(self) -> str:
        """The decision that failed: this one, or one that it requires."""
        return self.value.failed_decision_id
