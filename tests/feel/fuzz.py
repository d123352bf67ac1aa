"""Evaluates random expressions: `python -m tests.feel.fuzz COUNT [SEED]`.

Whatever an expression says, it gives a value that can be written, or one error; it ends within its
budget; and all that is the same in every process. Prints a digest of what a thousand expressions
gave, a line each, so that two runs can be compared. A failure names the seed of its expression; one
that hangs is ended after two minutes of processor time, with a traceback.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import random
import signal
import sys
from typing import Final

from tests.feel.expressions import Grammar, broken

from grevy.feel import FeelSyntaxError, parse_expression, parse_unary_tests, to_json, type_name

NOW_MS: Final = 1_767_268_800_000
ODDNESS: Final = (0.0, 0.05, 0.3)
"""How odd expressions are, by turns."""
BROKEN_EVERY: Final = 7
HEAVY_EVERY: Final = 500
LINE_EVERY: Final = 1_000
GUARD_EVERY: Final = 50
HANG_S: Final = 120

HEAVY: Final = (
    "for h in 1..{many} return {text}",
    "count(for h in 1..{many}, g in 1..{many} return h * g)",
    "some h in 1..{many} satisfies ({text}) = h",
    "(for h in 1..{many} return h)[item > 1 and ({text}) = item]",
    "for h in 1..{many} return count(partial)",
    "string length(string join(for h in 1..{many} return {text}))",
    "{{f: function(n) if n = 0 then ({text}) else f(n - 1), r: f({many})}}.r",
    "2 ** {many} + count(flatten(for h in 1..{many} return [{text}, [h]]))",
)
"""What makes much of little, so that budgets are used up."""


def outcome(seed: int) -> str:
    """What the expression of that seed gives, as a line of text."""
    grammar = Grammar(seed, ODDNESS[seed % len(ODDNESS)])
    variables, text = grammar.variables(), grammar.expression()
    chance = random.Random(seed)
    if seed % HEAVY_EVERY == 0:
        text = chance.choice(HEAVY).format(text=text, many=10 ** chance.randrange(2, 8))
    if seed % BROKEN_EVERY == 0:
        text = broken(text, chance)
    parse = parse_unary_tests if seed % 10 == 1 else parse_expression
    try:
        expression = parse(text)
    except FeelSyntaxError as error:
        return refusal(text, error)
    documents = {name: json.dumps(value).encode() for name, value in variables.items()}
    documents["cellInput"] = json.dumps(chance.choice(list(variables.values()))).encode()
    evaluation = expression.evaluate(documents.get, NOW_MS)
    assert evaluation.failure is None or evaluation.value is None, "a value, or an error"
    written = to_json(evaluation.value).decode()
    json.loads(written)
    warnings = "; ".join(f"{warning.kind} {warning.message}" for warning in evaluation.warnings)
    return f"{text}: {type_name(evaluation.value)} {written} {evaluation.failure} {warnings}"


def refusal(text: str, error: FeelSyntaxError) -> str:
    """What is said of a text that is no FEEL; it points into the text."""
    assert 1 <= error.line <= text.count("\n") + 1
    assert 1 <= error.column <= len(text) + 1
    return f"{text}: {error}"


def main() -> None:
    """Prints the digests."""
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    digest = hashlib.sha256()
    faulthandler.register(signal.SIGPROF, chain=True)  # then it ends, as the signal does by itself
    for number in range(count):
        if number % GUARD_EVERY == 0:
            signal.setitimer(signal.ITIMER_PROF, HANG_S)
        seed = first + number
        try:
            digest.update(outcome(seed).encode("utf-8", "surrogatepass"))
        except Exception as error:
            error.add_note(f"python -m tests.feel.fuzz 1 {seed}")
            raise
        if number % LINE_EVERY == LINE_EVERY - 1 or number + 1 == count:
            print(f"to {seed}: {digest.hexdigest()}")


if __name__ == "__main__":
    main()
