"""Decisions and what they require, compiled; the evaluation of one with all of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from grevy.dmn.logic import Callee, Logic, Parameter, function_of
from grevy.dmn.results import DecisionResult, EvaluatedDecision
from grevy.dmn.sitting import Sitting, Trace
from grevy.dmn.types import Type, check_type
from grevy.feel import EvaluationFailed, Lookup, Scope, Session, Value, arranged
from grevy.ports import Entropy
from grevy.protocol.limits import DMN_STEPS_MAX


class DecisionInfo(Struct, frozen=True):
    """What a deployment says of a decision; the version tag may be empty."""

    id: str
    name: str
    version_tag: str = ""


class Knowledge(Struct, frozen=True):
    """A business knowledge model: a function that sees its parameters, the variables (or what the
    model that calls it sees), and the knowledge that it requires itself.
    """

    id: str
    name: str
    parameters: tuple[Parameter, ...]
    logic: Logic
    required: tuple[Callee, ...]

    def call(self, sitting: Sitting, values: dict[str, Value], scope: Scope) -> Value:
        """See `Callee`. Each call is reported, failed ones too."""
        session, trace = sitting.session, Trace()
        scope = session.scope(values, scope)
        scope = session.scope(_functions(sitting, self.required, scope), scope)
        value: Value = None
        try:
            with session.deeper(_CALL):
                value = self.logic.evaluate(sitting, scope, trace)
        finally:
            _report(sitting, self, value, trace)
        return value


_CALL: Final = 4
"""What a call of knowledge uses of the depth of calls."""


class Decision(Struct, frozen=True):
    """A decision. Those that require it know its value as `result_name`."""

    id: str
    name: str
    logic: Logic
    result_name: str
    result_type: Type | None
    required: tuple[Decision, ...]
    knowledge: tuple[Callee, ...]


class Service(Struct, frozen=True):
    """A decision service: a function that evaluates decisions with what it is given. `given` are
    those whose values are parameters; other parameters stand for variables, and come before them.
    """

    id: str
    name: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[Decision, ...]
    given: tuple[Decision, ...]

    def call(self, sitting: Sitting, values: dict[str, Value], _scope: Scope) -> Value:
        """See `Callee`. The decisions that it evaluates are reported."""
        session = sitting.session
        given = {decision.id: values[decision.result_name] for decision in self.given}
        evaluation = _Evaluation(sitting, session.scope(values), given)
        with session.deeper(_CALL):
            found = {output.result_name: evaluation.evaluate(output) for output in self.outputs}
        return next(iter(found.values())) if len(found) == 1 else arranged(found)


class DecisionGraph:
    """The decisions of a file; immutable."""

    __slots__ = ("_decisions", "decisions", "id", "name", "namespace")

    def __init__(
        self,
        definitions: tuple[str, str, str],
        infos: tuple[DecisionInfo, ...],
        decisions: Mapping[str, Decision],
    ) -> None:
        """Use `read_dmn`. `definitions` are id, name and namespace of the file."""
        self.id, self.name, self.namespace = definitions
        self.decisions = infos
        self._decisions = dict(decisions)

    def evaluate(
        self,
        decision_id: str,
        lookup: Lookup,
        now_ms: int,
        *,
        entropy: Entropy | None = None,
    ) -> DecisionResult:
        """Evaluates a decision after those that it requires, with the variables that `lookup` has,
        as JSON, at the time `now_ms` (milliseconds since the epoch).

        Never raises for bad data. An id that is not among `decisions` is a KeyError.
        """
        decision = self._decisions[decision_id]
        sitting = Sitting(Session(lookup, now_ms, steps=DMN_STEPS_MAX, entropy=entropy))
        evaluation = _Evaluation(sitting, sitting.session.root, {})
        try:
            evaluation.evaluate(decision)
        except EvaluationFailed as failure:
            return DecisionResult(
                b"null",
                tuple(sitting.evaluated),
                f"Expected to evaluate decision '{decision_id}', but {failure}",
                evaluation.current,
            )
        return DecisionResult(sitting.evaluated[-1].output, tuple(sitting.evaluated))


class _Evaluation:
    """The decisions that were evaluated so far. One that several others require is evaluated once,
    and reported for each of them.
    """

    def __init__(self, sitting: Sitting, variables: Scope, given: dict[str, Value]) -> None:
        """`given` has the values of decisions that are not to be evaluated."""
        self._sitting = sitting
        self._variables = variables
        self._given = given
        self._values = dict(given)
        self._reports: dict[str, tuple[int, int]] = {}
        self.current = ""

    def evaluate(self, target: Decision) -> Value:
        """The value of a decision; raises `EvaluationFailed`. Depth first, without recursion: files
        may have long chains.
        """
        pending = [(target, iter(target.required), 0)]
        while pending:
            decision, required, start = pending[-1]
            below = next(required, None)
            if below is None:
                pending.pop()
                self._own(decision)
                self._reports[decision.id] = (start, len(self._sitting.evaluated))
            elif below.id in self._given:
                continue
            elif below.id in self._reports:
                self.current = below.id
                self._sitting.repeat(*self._reports[below.id])
            else:
                pending.append((below, iter(below.required), len(self._sitting.evaluated)))
        return self._values[target.id]

    def _own(self, decision: Decision) -> None:
        sitting = self._sitting
        self.current = decision.id
        trace, value = Trace(), None
        try:
            scope = self._scope(decision)
            value = decision.logic.evaluate(sitting, scope, trace)
        finally:
            _report(sitting, decision, value, trace)
        check_type(decision.result_type, value)
        self._values[decision.id] = value

    def _scope(self, decision: Decision) -> Scope:
        names = {below.result_name: self._values[below.id] for below in decision.required}
        functions = _functions(self._sitting, decision.knowledge, self._variables)
        return self._sitting.session.scope({**functions, **names}, self._variables)


def _functions(sitting: Sitting, knowledge: tuple[Callee, ...], scope: Scope) -> dict[str, Value]:
    return {one.name: function_of(sitting, one, scope) for one in knowledge}


def _report(sitting: Sitting, source: Decision | Knowledge, value: Value, trace: Trace) -> None:
    output = sitting.json(value)
    sitting.report(
        EvaluatedDecision(
            source.id, source.name, source.logic.kind, output, trace.inputs, trace.rules
        )
    )
