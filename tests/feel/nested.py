"""Random FEEL whose values nest: lists of lists, contexts in contexts, lists of dates and ranges,
ranges and functions as values, conversions of what is that already.
"""

from __future__ import annotations

from typing import Final

from tests.feel.expressions import DURATIONS, LEAVES, MOMENTS, PERIODS, TIMES, Grammar, options_of

_TEMPLATES: Final = {
    "matrix": """
[<numbers>, <numbers>]|[<strings>, <numbers>]|append(<matrix>, <numbers>)|reverse(<matrix>)
concatenate(<matrix>, <matrix>)|distinct values(<matrix>)|partition(<numbers>, 2)
for i in 1..<small> return <numbers>|sort(<matrix>, function(p, q) count(p) < count(q))
<matrix>[count(item) > <small>]|union(<matrix>, <matrix>)|sublist(<matrix>, 1)|[[<number>], []]
insert before(<matrix>, 1, <numbers>)|remove(<matrix>, 1)|duplicate values(<matrix>)
""",
    "tree": """
{a: <customer>, b: {c: <order>, d: <numbers>}}|{a: <tree>}|context put(<tree>, "a", <tree>)
context put(<tree>, ["b", "c"], <number>)|context merge([<tree>, <tree>])
{a: {b: <number>, c: b + 1}, d: a.b}|context([{key: "a", value: <tree>}])
{f: function(p) p + <number>, a: f(<number>)}|{r: <range>, n: <number>}|{l: [<tree>, null]}
if <boolean> then <tree> else <customer>
""",
    "dates": """
[<date>, <date>]|append(<dates>, <date>)|sort(<dates>, function(p, q) p < q)|reverse(<dates>)
for i in 1..<small> return <date> + duration("P1D")|<dates>[item > <date>]|distinct values(<dates>)
""",
    "moments": "[<moment>, <moment>]|append(<moments>, <moment>)|<moments>[item < <moment>]",
    "durations": "[<duration>, <duration>]|append(<durations>, <duration>)|[<period>, <period>]",
    "ranges": "[<range>, <range>]|append(<ranges>, <range>)",
    "range": """
[<number>..<number>]|(<number>..<number>)|[<date>..<date>]|]<number>..<number>[
if <boolean> then <range> else <range>
""",
    "number": """
count(<matrix>)|<matrix>[1][<small>]|sum(flatten(<matrix>))|<tree>.a.b|<tree>.b.d[1]|<tree>.n
max(<matrix>)|sum(<matrix>)|count(<tree>.l)|count(<dates>)|sum(<matrix>[1])|mean(<tree>.b.d)
get value(<tree>, "n")|get value(<tree>, ["b", "d"])[1]|<tree>.b.c.price|count(get entries(<tree>))
number(<number>)|min(<matrix>[<small>])
""",
    "string": """
string(<matrix>)|string(<tree>)|string(<dates>)|<tree>.a.name|string(<range>)|string(<durations>)
string join(<matrix>[2])|get value(<tree>.a, "name")|string(<ranges>)|string(string(<string>))
""",
    "boolean": """
<matrix> = <matrix>|<tree> = <tree>|list contains(<matrix>, <numbers>)|<numbers> in <matrix>
list contains(<dates>, <date>)|some x in <matrix> satisfies count(x) > <small>|<dates> = <dates>
every x in <matrix> satisfies x[1] > <number>|<tree>.a = <customer>|<number> in <range>
<number> in <ranges>|<date> in <dates>|<range> = <range>|<tree> in [<tree>]|<number> in <tree>.r
includes(<range>, <number>)|overlaps(<range>, <range>)|before(<range>, <number>)|any(<matrix>[1])
some x in <matrix>, y in x satisfies y = <number>|during(<number>, <range>)|is empty(<matrix>)
""",
    "numbers": "flatten(<matrix>)|<matrix>[<small>]|<tree>.b.d|for x in <matrix> return x[1]"
    "|for x in <matrix> return count(x)|for x in <matrix>, y in <numbers> return y",
    "customer": '<tree>.a|get value(<tree>, "a")',
    "date": "date(<date>)|min(<dates>)|max(<dates>)|<dates>[<small>]",
    "time": "time(<time>)|time(<moment>)",
    "moment": "date and time(<moment>)|max(<moments>)|<moments>[1]|date and time(<date>, <time>)",
    "duration": "sum(<durations>)|mean(<durations>)|max(<durations>)|duration(<duration>)",
}
_LEAVES: Final = {
    "matrix": ("[[1, 2], [3]]", "[[]]", "[[1], [1]]", '[["a"], [1, null]]'),
    "tree": ('{a: {name: "Bo", b: 2}, b: {c: {price: 3}, d: [1, 2]}, n: 4}', "{a: {}}", "{}"),
    "dates": ('[@"2026-01-31", @"2024-02-29"]', "[]"),
    "moments": tuple(f'[date and time("{text}")]' for text in MOMENTS),
    "durations": tuple(f'[duration("{text}")]' for text in (*DURATIONS, *PERIODS)),
    "ranges": ("[[1..5]]", "[(1..2), [3..4]]"),
    "range": ("[1..5]", "(0..10)", '[@"2026-01-01"..@"2026-12-31"]', "[5..1]"),
    "times": tuple(f'[time("{text}")]' for text in TIMES),
}


class NestedGrammar(Grammar):
    """The everyday grammar, and what nests."""

    options = {
        **Grammar.options,
        **{
            kind: (*Grammar.options.get(kind, ()), *found)
            for kind, found in options_of(_TEMPLATES).items()
        },
    }
    leaves = {**LEAVES, **_LEAVES}
