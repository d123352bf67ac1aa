"""The recorded deployments: what Zeebe's engine deployed compiles, what it refused does not."""

from __future__ import annotations

import pytest
from tests.traces.corpus import Trace, slice_names, traces

from grevy.bpmn import InvalidModel, compile_processes

REFUSED_FOR_THE_DEPLOYMENT = {"refused: two resources of one process id"}
"""Each file is good; together they are not, which is for the engine to say."""


def faults(trace: Trace, names: list[str]) -> list[str]:
    """What the compiler says against the files of a deployment."""
    reports = []
    for name in names:
        try:
            compile_processes(name, trace["resources"][name].encode())
        except InvalidModel as refused:
            reports.append(refused.report)
    return reports


def verdicts(kept: list[Trace]) -> list[str]:
    """The deployments on which we do not agree."""
    differing = []
    for trace in kept:
        for step in trace["steps"]:
            if step["do"] != "deploy" or trace["name"] in REFUSED_FOR_THE_DEPLOYMENT:
                continue
            reports = faults(trace, step["resources"])
            if bool(reports) != ("error" in step["answer"]):
                differing.append(f"{trace['name']}: {step['answer']} {reports}")
    return differing


def test_the_first_slice_agrees() -> None:
    names = slice_names()
    kept = [trace for trace in traces() if trace["name"] in names]
    if not kept:
        pytest.skip("another folder of traces")
    assert verdicts(kept) == []


def test_beyond_the_slice_only_what_is_not_supported_yet_is_refused() -> None:
    names = slice_names()
    for trace in traces():
        if trace["name"] in names:
            continue
        for step in trace["steps"]:
            if step["do"] == "deploy" and "ok" in step["answer"]:
                files = [name for name in step["resources"] if name.endswith(".bpmn")]
                for report in faults(trace, files):
                    assert "not supported yet" in report, f"{trace['name']}: {report}"
