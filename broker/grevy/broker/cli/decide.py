"""`grevy decide`: evaluates a decision, at a broker or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson
import typer

from grevy.broker.cli.output import Output, json_text
from grevy.client import DecisionEvaluation

if TYPE_CHECKING:
    from grevy.dmn import EvaluatedDecision, MatchedRule


def show_evaluation(evaluation: DecisionEvaluation, output: Output) -> None:
    """Prints what a broker's decision gave; one that failed is an error."""
    values: dict[str, object] = msgspec.to_builtins(evaluation)
    if evaluation.failure:
        raise _failed(values, output)
    output.result(values, json_text(evaluation.output))


def decide_from_file(
    file: Path, decision_id: str, variables: Mapping[str, object], output: Output
) -> None:
    """Evaluates a decision of a DMN file as the engine does, without a broker, and prints what it
    gave.
    """
    from grevy.broker.system import OsEntropy, SystemClock
    from grevy.dmn import InvalidDecisions, read_dmn

    try:
        graph = read_dmn(file.read_bytes())
    except OSError as error:
        raise output.fail(f"{file}: {error.strerror}") from None
    except InvalidDecisions as error:
        raise output.fail(f"{file}:\n{error}") from None
    known = [decision.id for decision in graph.decisions]
    if decision_id not in known:
        there = ", ".join(known) or "none at all"
        raise output.fail(f"{file} has no decision '{decision_id}', but {there}")
    documents = {name: orjson.dumps(value) for name, value in variables.items()}
    result = graph.evaluate(decision_id, documents.get, SystemClock().now_ms(), entropy=OsEntropy())
    values: dict[str, object] = {
        "decision_id": decision_id,
        "output": orjson.Fragment(result.output),
        "evaluated": [_decision(one) for one in result.evaluated],
        "failure": result.failure,
        "failed_decision_id": result.failed_decision_id,
    }
    if result.failure:
        raise _failed(values, output)
    output.result(values, result.output.decode())


def _decision(one: EvaluatedDecision) -> dict[str, object]:
    inputs = [
        {"input_id": i.input_id, "name": i.input_name, "value": orjson.Fragment(i.value)}
        for i in one.inputs
    ]
    return {
        "decision_id": one.decision_id,
        "name": one.decision_name,
        "type": one.decision_type,
        "output": orjson.Fragment(one.output),
        "inputs": inputs,
        "matched_rules": [_rule(rule) for rule in one.matched_rules],
    }


def _rule(rule: MatchedRule) -> dict[str, object]:
    outputs = [
        {"output_id": o.output_id, "name": o.output_name, "value": orjson.Fragment(o.value)}
        for o in rule.outputs
    ]
    return {"rule_id": rule.rule_id, "index": rule.rule_index, "outputs": outputs}


def _failed(values: dict[str, object], output: Output) -> typer.Exit:
    return output.fail(str(values.pop("failure")), **values)
