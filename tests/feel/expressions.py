"""Random FEEL from a grammar: expressions as people write them, and, the odder, the more of them
with operands of the wrong type. One seed always gives the same.

A template names what goes into it by kind, as in `<number> + <number>`; forms that bind variables
are methods.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

VARIABLES: Final = {
    "number": ("total", "quantity", "attempts", "balance"),
    "string": ("orderId", "status", "email"),
    "boolean": ("paid", "blocked"),
    "numbers": ("scores", "amounts"),
    "strings": ("names", "tags"),
    "orders": ("orders", "history"),
    "customer": ("customer",),
    "nothing": ("nothing", "missing"),
}
FIELDS: Final = {
    "number": ("price", "count"),
    "string": ("sku",),
    "boolean": ("active",),
    "strings": ("labels",),
}
"""Of an order. A customer has `name`, `age`, `since`, `vip`, `address` with `city` and `zip`."""

WORDS: Final = (
    "paid",
    "open",
    "A-4711",
    "Ada Lovelace",
    "",
    "x",
    "Größe",
    "a,b",
    "12",
    "ab",
)
DATES: Final = ("2026-01-31", "2024-02-29", "2025-12-01", "1999-12-31", "2026-01-01")
TIMES: Final = ("10:00:00", "23:59:59", "08:30:00Z", "12:00:00+01:00", "00:00:00@Europe/Berlin")
MOMENTS: Final = (
    "2026-01-31T10:00:00", "2026-03-29T02:30:00@Europe/Berlin", "2025-12-01T09:00:00Z",
    "2024-02-29T23:59:59+05:30", "2026-01-01T12:00:00Z",
)  # fmt: skip
DURATIONS: Final = ("PT2H", "P1D", "-PT90M", "P2DT3H4M5S", "PT0S", "PT36H")
PERIODS: Final = ("P1Y", "P2M", "-P1Y2M", "P0M", "P14M")

TEMPLATES: Final[dict[str, str]] = {
    "number": """
<number> + <number>|<number> - <number>|<number> * <number>|<number> / <number>|-<number>
<number> ** <small>|(<number>)|count(<list>)|sum(<numbers>)|min(<numbers>)|max(<numbers>)
mean(<numbers>)|median(<numbers>)|product(<numbers>)|abs(<number>)|floor(<number>)
ceiling(<number>)|modulo(<number>, <number>)|decimal(<number>, <small>)
round half up(<number>, <small>)|round up(<number>, <small>)|round down(<number>, <small>)
round half down(<number>, <small>)|string length(<string>)|number(string(<number>))
if <boolean> then <number> else <number>|customer.age|<order>.price|<order>.count|<date>.year
<date>.month|<date>.day|<date>.weekday|<time>.hour|<time>.minute|<moment>.second
<duration>.hours|<duration>.days|<period>.months|<period>.years|<numbers>[<small>]
sqrt(<number>)|day of year(<date>)|week of year(<date>)|get or else(<nothing>, <number>)
<duration> / <duration>|<period> / <period>|index of(<numbers>, <number>)[1]|sum(<orders>.price)
max(<number>, <number>, <number>)|number("1.50")|stddev(<numbers>)|floor(<number>, <small>)
""",
    "string": """
<string> + <string>|upper case(<string>)|lower case(<string>)|substring(<string>, 1)
substring(<string>, 1, <small>)|substring before(<string>, <string>)
substring after(<string>, <string>)|string(<number>)|string(<boolean>)|string(<date>)
string(<moment>)|string(<duration>)|string(<list>)|if <boolean> then <string> else <string>
customer.name|customer.address.city|<order>.sku|replace(<string>, "[a-c]+", <string>)
string join(<strings>, ",")|string join(<strings>)|trim(<string>)|<strings>[<small>]
get or else(<nothing>, <string>)|string(<period>)|string(<time>)|string(<customer>)
day of week(<date>)|month of year(<date>)|string("a") + string(<number>)|substring(<string>, -2)
extract(<string>, "[a-z]+")[1]|min(<strings>)|max(<strings>)|to base64(<string>)
""",
    "boolean": """
<number> > <number>|<number> < <number>|<number> >= <number>|<number> <= <number>
<number> = <number>|<number> != <number>|<string> = <string>|<string> != <string>
<boolean> and <boolean>|<boolean> or <boolean>|not(<boolean>)
<number> between <number> and <number>|<number> in [<number>..<number>]
<number> in (<number>..<number>)|<number> in (< <number>, > <number>)
<string> in (<string>, <string>)|<string> in [<string>, <string>]|contains(<string>, <string>)
starts with(<string>, <string>)|ends with(<string>, <string>)|matches(<string>, "[a-zA-Z]+.*")
list contains(<numbers>, <number>)|list contains(<strings>, <string>)|is empty(<list>)
all(<boolean>, <boolean>)|any([<boolean>, <boolean>])|<nothing> = null|<number> = null
is defined(<any>)|<date> < <date>|<moment> >= <moment>|<time> < <time>|<duration> > <duration>
<period> = <period>|even(<small>)|odd(<small>)|customer.vip|<order>.active
<date> in [<date>..<date>]|<any> instance of number|<any> instance of string|(<boolean>)
before(<number>, <number>)|after(<date>, <date>)|includes([1..10], <number>)
coincides(<number>, <number>)|<moment> between <moment> and <moment>
get or else(<boolean>, false)|overlaps([<number>..<number>], [<number>..<number>])
<list> = <list>|<number> in (<number>, <number>)
""",
    "numbers": """
[<number>, <number>, <number>]|<orders>.price|<orders>.count
sort(<numbers>, function(p, q) p < q)|sublist(<numbers>, 1)|sublist(<numbers>, 1, <small>)
append(<numbers>, <number>)|reverse(<numbers>)|concatenate(<numbers>, <numbers>)
distinct values(<numbers>)|flatten([<numbers>, [<number>]])|union(<numbers>, <numbers>)
insert before(<numbers>, 1, <number>)|remove(<numbers>, 1)|mode(<numbers>)
index of(<numbers>, <number>)|if <boolean> then <numbers> else <numbers>
duplicate values(<numbers>)|for i in 1..<small> return i * 2|[]
""",
    "strings": """
[<string>, <string>]|split(<string>, ",")|<orders>.sku|reverse(<strings>)
append(<strings>, <string>)|distinct values(<strings>)|sort(<strings>, function(p, q) p < q)
concatenate(<strings>, <strings>)|sublist(<strings>, 1, 1)|extract(<string>, "[a-z]+")
get entries(<customer>).key
""",
    "orders": """
[<order>, <order>]|concatenate(<orders>, <orders>)|append(<orders>, <order>)|reverse(<orders>)
sublist(<orders>, 1)|sort(<orders>, function(p, q) p.price < q.price)
""",
    "order": """
<orders>[<small>]
{sku: <string>, price: <number>, count: <number>, active: <boolean>, labels: <strings>}
context put(<order>, "price", <number>)|context merge([<order>, {count: <number>}])
""",
    "customer": """
{name: <string>, age: <number>, vip: <boolean>}|context put(<customer>, "age", <number>)
{a: <number>, b: a + 1, c: {d: b}}|context([{key: "name", value: <string>}])
context merge([<customer>, {age: <number>}])|{id: orderId, buyer: customer.name, due: <date>}
""",
    "date": """
date(<moment>)|<date> + <period>|<date> - <period>|<date> + <duration>
date(<year>, <month>, <day>)|date(string(<date>))|last day of month(<date>)|today()
if <boolean> then <date> else <date>|date(customer.since)
""",
    "time": """
time(<moment>)|<time> + <duration>|<time> - <duration>|time(<hour>, <day>, 0)
time(string(<time>))
""",
    "moment": """
date and time(<date>, <time>)|<moment> + <duration>|<moment> - <duration>|<moment> + <period>
date and time(string(<moment>))|now()|date and time(<moment>, "Europe/Berlin")
""",
    "duration": """
<duration> + <duration>|<duration> * <small>|<moment> - <moment>|<date> - <date>|abs(<duration>)
duration(string(<duration>))
""",
    "period": """
<period> + <period>|<period> * <small>|years and months duration(<date>, <date>)|abs(<period>)
duration(string(<period>))
""",
}
LEAVES: Final[dict[str, tuple[str, ...]]] = {
    "number": ("0", "1", "2", "10", "2.5", "0.1", "-7", "1.10", "100", "1000000"),
    "small": ("1", "2", "3", "-1", "0"),
    "year": ("2024", "2026"),
    "month": ("1", "2", "12"),
    "day": ("1", "28", "29", "30"),
    "hour": ("0", "9", "23"),
    "string": tuple(f'"{word}"' for word in WORDS),
    "boolean": ("true", "false"),
    "numbers": ("[1, 2, 3]", "[3, 1.5, 2]", "[5]"),
    "strings": ('["b", "a"]', '["a"]'),
    "orders": ('[{sku: "S1", price: 5, count: 1, active: true, labels: ["x"]}]',),
    "order": ('{sku: "S2", price: 1.5, count: 2, active: false, labels: []}',),
    "customer": ('{name: "Bo", age: 7, vip: true}',),
    "nothing": ("null",),
    "date": (*(f'date("{text}")' for text in DATES), *(f'@"{text}"' for text in DATES)),
    "time": tuple(f'time("{text}")' for text in TIMES),
    "moment": tuple(f'date and time("{text}")' for text in MOMENTS),
    "duration": (*(f'duration("{text}")' for text in DURATIONS), '@"PT5M"'),
    "period": tuple(f'duration("{text}")' for text in PERIODS),
}
_PLACE: Final = re.compile("<([a-z]+)>")


def options_of(templates: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Each kind's templates: what stands between bars and line ends."""
    return {
        kind: tuple(option for line in text.strip().splitlines() for option in line.split("|"))
        for kind, text in templates.items()
    }


_OPTIONS: Final = options_of(TEMPLATES)
_ATOM: Final = re.compile(r'[\w.]+|"[^"]*"|[\w ]+\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}')
_DEPTH_MAX: Final = 3


class Grammar:
    """Expressions and the variables that they are about. `oddness` is how likely an operand is of
    any other type.
    """

    options: Mapping[str, tuple[str, ...]] = _OPTIONS
    leaves: Mapping[str, tuple[str, ...]] = LEAVES

    def __init__(self, seed: int, oddness: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.oddness = oddness
        self.bound: list[tuple[str, str]] = []

    def expression(self) -> str:
        """The next one."""
        return self.of(self.random.choice(tuple(self.options)), 0)

    def of(self, kind: str, depth: int) -> str:
        """An expression that gives that kind, unless it is an odd one."""
        if self.random.random() < self.oddness:
            kind = self.random.choice(tuple(self.options))
        if kind == "any":
            kind = self.random.choice((*self.options, "nothing"))
        if kind == "list":
            kind = self.random.choice(("numbers", "strings", "orders"))
        if kind not in self.options or depth >= _DEPTH_MAX or self.random.random() < 0.25 * depth:
            return self._leaf(kind)
        forms = self._forms(kind)
        if forms and self.random.random() < 0.25:
            return self.random.choice(forms)(kind, depth + 1)
        return self._filled(self.random.choice(self.options[kind]), depth + 1)

    def _filled(self, template: str, depth: int) -> str:
        def part(match: re.Match[str]) -> str:
            text = self.of(match[1], depth)
            is_apart = match.start() == 0 or template[match.start() - 1] in " -["
            return f"({text})" if is_apart and _ATOM.fullmatch(text) is None else text

        return _PLACE.sub(part, template)

    def _leaf(self, kind: str) -> str:
        names = [name for name, bound in self.bound if bound == kind]
        if names and self.random.random() < 0.6:
            return self.random.choice(names)
        if kind in VARIABLES and self.random.random() < 0.6:
            return self.random.choice(VARIABLES[kind])
        return self.random.choice(self.leaves[kind])

    # --- forms that bind names ---

    def _forms(self, kind: str) -> tuple[Callable[[str, int], str], ...]:
        if kind == "boolean":
            return (self._quantified, self._called)
        if kind in ("numbers", "strings", "orders"):
            return (self._filtered, self._iterated)
        return (self._called, self._in_context) if kind in ("number", "string") else ()

    def _within(self, names: list[tuple[str, str]], kind: str, depth: int) -> str:
        self.bound += names
        text = self.of(kind, depth)
        del self.bound[len(self.bound) - len(names) :]
        return text

    def _quantified(self, _kind: str, depth: int) -> str:
        source, bound = self._source(depth)
        word = self.random.choice(("some", "every"))
        return f"{word} {bound[0][0]} in {source} satisfies {self._within(bound, 'boolean', depth)}"

    def _source(self, depth: int) -> tuple[str, list[tuple[str, str]]]:
        """A list, and a name for its items, as a variable and for orders with what is in them."""
        name = f"{self.random.choice('uvwxy')}{len(self.bound)}"
        kind = self.random.choice(("number", "string", "order"))
        bound = [(name, kind)]
        if kind == "order":
            bound += [(f"{name}.{key}", kind) for kind, keys in FIELDS.items() for key in keys]
        return self._apart(f"{kind}s", depth), bound

    def _apart(self, kind: str, depth: int) -> str:
        text = self.of(kind, depth)
        return text if _ATOM.fullmatch(text) else f"({text})"

    def _iterated(self, kind: str, depth: int) -> str:
        source, bound = self._source(depth)
        return f"for {bound[0][0]} in {source} return {self._within(bound, kind[:-1], depth)}"

    def _filtered(self, kind: str, depth: int) -> str:
        source = self._apart(kind, depth)
        bound = [("item", kind[:-1])]
        if kind == "orders":
            bound += [(key, kind) for kind, keys in FIELDS.items() for key in keys]
            bound += [(f"item.{key}", kind) for key, kind in bound[1:]]
        return f"{source}[{self._within(bound, 'boolean', depth)}]"

    def _called(self, kind: str, depth: int) -> str:
        body = self._within([("p", "number"), ("q", "string")], kind, depth)
        number, string = self.of("number", depth), self.of("string", depth)
        return f"{{f: function(p, q) {body}, r: f({number}, {string})}}.r"

    def _in_context(self, kind: str, depth: int) -> str:
        first = self.of("number", depth)
        return f"{{k: {first}, r: {self._within([('k', 'number')], kind, depth)}}}.r"

    # --- variables ---

    def variables(self) -> dict[str, Json]:
        """Values of the variables; odd ones may be of any type."""
        values: dict[str, Json] = {
            name: self._value(kind)
            for kind, names in VARIABLES.items()
            for name in names
            if name != "missing"
        }
        if self.random.random() < self.oddness:
            odd = self.random.choice(tuple(values))
            values[odd] = self._value(self.random.choice(tuple(VARIABLES)))
        return values

    def _value(self, kind: str) -> Json:
        chance = self.random
        if kind == "number":
            return chance.choice((0, 1, 2, 5, 12, -3, 2.5, 129.9, 0.1, 1000))
        if kind == "string":
            return chance.choice(WORDS)
        if kind == "boolean":
            return chance.random() < 0.5
        if kind in ("numbers", "strings", "orders"):
            return [self._value(kind[:-1]) for _ in range(chance.randrange(5))]
        if kind == "order":
            return {
                "sku": f"S{chance.randrange(9)}",
                "price": chance.randrange(40) / 4,
                "count": chance.randrange(4),
                "active": chance.random() < 0.5,
                "labels": [chance.choice(WORDS) for _ in range(chance.randrange(3))],
            }
        if kind == "customer":
            return {
                "name": chance.choice(WORDS),
                "age": chance.randrange(90),
                "since": chance.choice(DATES),
                "vip": chance.random() < 0.5,
                "address": {"city": chance.choice(WORDS), "zip": f"{chance.randrange(10**5):05}"},
            }
        return None


def broken(text: str, chance: random.Random) -> str:
    """The text with a part of it taken away, doubled or put elsewhere."""
    parts = re.findall(r"\w+|\s+|[^\w\s]", text)
    at = chance.randrange(len(parts))
    how = chance.randrange(4)
    if how == 0:
        del parts[at]
    elif how == 1:
        parts.insert(at, parts[at])
    elif how == 2:
        parts.insert(at, chance.choice(parts))
    else:
        other = chance.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    return "".join(parts)
