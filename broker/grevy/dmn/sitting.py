"""One evaluation of a decision: what is shared by all that is evaluated for it, and its report."""

from __future__ import annotations

from grevy.dmn.results import EvaluatedDecision, EvaluatedInput, MatchedRule
from grevy.feel import EvaluationFailed, FeelFormatError, Session, Value, to_json
from grevy.protocol.limits import DMN_EVALUATIONS_MAX, DMN_RESULT_BYTES_MAX


class Trace:
    """What is reported of the decision table that is the logic of a decision."""

    __slots__ = ("inputs", "rules")

    def __init__(self) -> None:
        self.inputs: tuple[EvaluatedInput, ...] = ()
        self.rules: tuple[MatchedRule, ...] = ()


def size_of(rule: MatchedRule) -> int:
    """What the outputs of a rule take in the report, in bytes."""
    return sum(len(output.value) for output in rule.outputs)


class Sitting:
    """The session of FEEL, and the decisions that were evaluated in it. What is reported has a
    limit, as one large variable may be the output of a thousand rules.
    """

    __slots__ = ("_bytes", "evaluated", "is_over", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.evaluated: list[EvaluatedDecision] = []
        self.is_over = False
        """Whether the report is full; then no failure may be taken for null any more."""
        self._bytes = 0

    def json(self, value: Value) -> bytes:
        """A value as the report shows it; raises `EvaluationFailed` when there is no room."""
        try:
            text = to_json(value)
        except FeelFormatError as error:
            raise EvaluationFailed(str(error)) from None
        self.count(len(text))
        return text

    def count(self, size: int) -> None:
        """Counts bytes that the report shows; raises `EvaluationFailed` when there is no room."""
        self._bytes += size
        if self._bytes > DMN_RESULT_BYTES_MAX:
            self.is_over = True
            raise EvaluationFailed(
                f"its inputs and outputs have more than {DMN_RESULT_BYTES_MAX} bytes"
            )

    def report(self, decision: EvaluatedDecision) -> None:
        """Reports a decision; raises `EvaluationFailed` when there are too many."""
        self._check_room(1)
        self.evaluated.append(decision)

    def repeat(self, start: int, end: int) -> None:
        """Reports decisions again, from one place of the report to another."""
        self._check_room(end - start)
        for decision in self.evaluated[start:end]:
            self.count(len(decision.output))
            self.count(sum(len(value.value) for value in decision.inputs))
            self.count(sum(size_of(rule) for rule in decision.matched_rules))
            self.evaluated.append(decision)

    def _check_room(self, decisions: int) -> None:
        if len(self.evaluated) + decisions > DMN_EVALUATIONS_MAX:
            self.is_over = True
            raise EvaluationFailed(f"it evaluates more than {DMN_EVALUATIONS_MAX} decisions")
