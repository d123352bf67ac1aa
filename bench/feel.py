"""FEEL beside its peers: the same everyday expressions here, with `feelin` on node and with the
engine on the JVM that Zeebe runs, warm, start-up left out, in one run.

    python bench/feel.py [--seconds 0.2] [--rounds 5] [--no-jvm]

All get the variables as values of their own language, and give values of it; `json` is the time
here with variables as the broker keeps them, each decoded when it is read. Here and on the JVM an
expression is parsed once; feelin has no such call. Time is that of the processor, and the peers
take turns within a round, so that whatever else the machine does disturbs none, or all alike. A
time is the median of the rounds after the first, which is longer and warms up. Prints microseconds
and ratios, and as its last line one JSON object. Ends with 1 when the results differ or the must is
missed: ten times faster than feelin on each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from grevy.feel import Expression, from_json, parse_expression, to_json

PEERS: Final = Path(__file__).with_name("feel_peers")
FEELIN: Final = "feelin@8.2.0"
JVM_GROUP, JVM_ARTIFACT, JVM_VERSION = "org.camunda.feel", "feel-engine", "1.19.5"
NOW_MS: Final = 1_767_268_800_000
WARM_UP: Final = 5
"""How many times as long the first round takes."""
FASTER_THAN_FEELIN_MIN: Final = 10
JVM_RATIO_AIM: Final = 2

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Ask: TypeAlias = Callable[[str, float], tuple[float, Json]]
"""Measures an expression for some seconds: microseconds an evaluation, and its value."""

VARIABLES: Final[dict[str, Json]] = {
    "total": 129.9,
    "status": "paid",
    "orderId": "A-4711",
    "attempts": 2,
    "quantity": 12,
    "customer": {
        "name": "Ada Lovelace", "age": 36, "address": {"city": "London", "country": "GB"},
    },
    "items": [{"sku": f"S{n}", "price": n + 0.5, "count": n % 3 + 1} for n in range(10)],
    "scores": [3, 1, 4, 1, 5, 9, 2, 6],
    "ordered": "2025-11-20",
    "due": "2025-12-01T09:00:00Z",
}  # fmt: skip

EXPRESSIONS: Final = {
    "name": "orderId",
    "path": "customer.address.city",
    "comparison": "total > 100",
    "condition": 'status = "paid" and customer.age >= 18',
    "arithmetic": "total * 1.19 + quantity * attempts - 2.5",
    "whole arithmetic": "(quantity + 3) * attempts - 7",
    "in": "attempts in [1..3]",
    "if": 'if total > 1000 then "gold" else if total > 100 then "silver" else "none"',
    "filter": "items[price > 5]",
    "filter, count": "count(items[price > 5 and count = 1])",
    "for, sum": "sum(for item in items return item.price * item.count)",
    "some": "some item in items satisfies item.price > 8",
    "every": "every score in scores satisfies score > 0",
    "strings": 'upper case(substring(customer.name, 1, 3)) + "-" + orderId',
    "contains": 'contains(lower case(customer.name), "love")',
    "text": '"order-" + orderId + ":" + string(attempts)',
    "temporal": 'date and time(due) + duration("PT2H") > date and time("2025-12-01T10:00:00Z")',
    "dates": "(date(ordered) + duration(\"P10D\")).day",
    "context": "{id: orderId, buyer: customer.name, vip: total > 1000}",
    "list": "max(scores) - min(scores)",
}  # fmt: skip


def here(*, is_json: bool) -> Ask:
    """Ours, with values or with documents."""
    documents = {name: json.dumps(value).encode() for name, value in VARIABLES.items()}
    values = {name: from_json(document) for name, document in documents.items()}
    parsed = {text: parse_expression(text) for text in EXPRESSIONS.values()}

    def documented(expression: Expression) -> Callable[[], object]:
        return lambda: expression.evaluate(documents.get, NOW_MS)

    def bound(expression: Expression) -> Callable[[], object]:
        return lambda: expression.evaluate(documents.get, NOW_MS, bindings=values)

    def ask(text: str, seconds: float) -> tuple[float, Json]:
        expression = parsed[text]
        evaluation = expression.evaluate(documents.get, NOW_MS)
        assert evaluation.failure is None
        assert not evaluation.warnings, evaluation.warnings
        evaluate = (documented if is_json else bound)(expression)
        value: Json = json.loads(to_json(evaluation.value))
        return _timed(evaluate, seconds), value

    return ask


def _timed(evaluate: Callable[[], object], seconds: float) -> float:
    start = now = time.thread_time()
    count = 0
    while now - start < seconds:
        for _ in range(100):
            evaluate()
        count += 100
        now = time.thread_time()
    return (now - start) * 1e6 / count


@contextmanager
def peer(command: list[str], folder: Path) -> Iterator[Ask]:
    """A peer in a process of its own; a line to it asks, a line from it answers."""
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def ask(text: str, seconds: float) -> tuple[float, Json]:
        stdin.write(f"{seconds}\t{text}\n")
        stdin.flush()
        answer = stdout.readline()
        assert answer, f"{command[0]} ended at: {text}"
        us, value = answer.split("\t", 1)
        return float(us), json.loads(value)

    try:
        stdin.write(json.dumps(VARIABLES) + "\n")
        yield ask
    finally:
        stdin.close()
        stdout.close()
        process.wait()


def node_command(folder: Path) -> list[str]:
    """Installs feelin into the folder."""
    (folder / "package.json").write_text("{}")
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", FEELIN], folder)
    shutil.copy(PEERS / "feelin.mjs", folder)
    return ["node", "feelin.mjs"]


def jvm_command(folder: Path) -> list[str]:
    """Fetches the engine and compiles its peer in the folder."""
    (folder / "pom.xml").write_text(
        f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bench</groupId><artifactId>bench</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>{JVM_GROUP}</groupId><artifactId>{JVM_ARTIFACT}</artifactId>
    <version>{JVM_VERSION}</version>
  </dependency></dependencies>
</project>
"""
    )
    _run(["mvn", "-q", "-B", "-ntp", "dependency:copy-dependencies", "-DoutputDirectory=."], folder)
    path = os.pathsep.join(map(str, folder.glob("*.jar")))
    _run(["javac", "-cp", path, "-d", ".", str(PEERS / "JvmPeer.java")], folder)
    return ["java", "-cp", f"{path}{os.pathsep}.", "JvmPeer"]


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


def is_alike(left: Json, right: Json) -> bool:
    """Whether two results agree; numbers to 12 digits, as one of the peers counts with floats."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_alike(left[k], right[k]) for k in left)
    if type(left) in (int, float) and type(right) in (int, float):
        return math.isclose(left, right, rel_tol=1e-12)  # type: ignore[arg-type]
    return type(left) is type(right) and left == right


def measure(asks: dict[str, Ask], *, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds by expression and peer. Raises `SystemExit` where results differ."""
    times: dict[str, dict[str, list[float]]] = {
        name: {who: [] for who in asks} for name in EXPRESSIONS
    }
    for turn in range(rounds + 1):
        for name, text in EXPRESSIONS.items():
            values: dict[str, Json] = {}
            for who, ask in asks.items():
                us, values[who] = ask(text, seconds if turn else seconds * WARM_UP)
                if turn:
                    times[name][who].append(us)
            expected = values["grevy"]
            for who, value in values.items():
                if not is_alike(value, expected):
                    raise SystemExit(f"{name}: {who} gives {value!r}, grevy {expected!r}")
    return {
        name: {who: median(measured) for who, measured in by.items()} for name, by in times.items()
    }


def report(times: dict[str, dict[str, float]]) -> bool:
    """Prints the table and the object; whether the must is met."""
    peers = [who for who in ("feelin", "jvm") if who in next(iter(times.values()))]
    print(f"{'us each':18}" + "".join(f"{who:>9}" for who in next(iter(times.values()))), end="")
    print("".join(f"{label:>14}" for label in (f"{who}/grevy" for who in peers)))
    for name, by in times.items():
        print(f"{name:18}" + "".join(f"{us:9.2f}" for us in by.values()), end="")
        print("".join(f"{by[who] / by['grevy']:14.2f}" for who in peers))
    result: dict[str, object] = {
        "us": {name: {who: round(us, 3) for who, us in by.items()} for name, by in times.items()}
    }
    is_met = True
    if "feelin" in peers:
        faster = {name: by["feelin"] / by["grevy"] for name, by in times.items()}
        is_met = min(faster.values()) >= FASTER_THAN_FEELIN_MIN
        result["times_faster_than_feelin"] = {
            "min": round(min(faster.values()), 2), "median": round(median(faster.values()), 2),
            "with_json_min": round(min(b["feelin"] / b["json"] for b in times.values()), 2),
            "must": FASTER_THAN_FEELIN_MIN,
        }  # fmt: skip
    if "jvm" in peers:
        result["times_the_jvm"] = {
            "median": round(median(by["grevy"] / by["jvm"] for by in times.values()), 2),
            "with_json_median": round(median(by["json"] / by["jvm"] for by in times.values()), 2),
            "aim": JVM_RATIO_AIM,
        }  # fmt: skip
    print(json.dumps(result))
    return is_met


def main() -> None:
    """Measures with the peers that are there."""
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    options.add_argument("--seconds", type=float, default=0.2, help="of one measurement")
    options.add_argument("--rounds", type=int, default=5, help="after the one that warms up")
    options.add_argument("--no-jvm", action="store_true", help="leave the JVM out")
    chosen = options.parse_args()
    asks = {"grevy": here(is_json=False), "json": here(is_json=True)}
    has_jvm = not chosen.no_jvm and all(map(shutil.which, ("mvn", "java", "javac")))
    with tempfile.TemporaryDirectory() as made:
        node, jvm = Path(made, "node"), Path(made, "jvm")
        node.mkdir()
        jvm.mkdir()
        with peer(node_command(node), node) as asks["feelin"]:
            if has_jvm:
                with peer(jvm_command(jvm), jvm) as asks["jvm"]:
                    times = measure(asks, seconds=chosen.seconds, rounds=chosen.rounds)
            else:
                times = measure(asks, seconds=chosen.seconds, rounds=chosen.rounds)
    if not report(times):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
