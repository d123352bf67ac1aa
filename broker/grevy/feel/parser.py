"""Tokens into a tree, by precedence climbing. The grammar is that of feel-scala, with what the DMN
grammar has beyond it.

From loose to tight: `if`, `for`, `some`, `every` · `or` · `and` · comparisons, `between`, `in`,
`instance of` · `+ -` · `* /` · `**` · unary `-` · `.key`, `[filter]`, `(arguments)`. All binary
operators group to the left; comparisons do not chain.

Where feel-scala lets a test after `in` run on through `and` and `or`, this parser does so only for
tests with `?` in them: `x in [1, 2] and y` means what it seems to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final

from grevy.feel import ast, iso8601
from grevy.feel.cursor import Cursor
from grevy.feel.decimals import parse_number
from grevy.feel.errors import FeelFormatError, FeelSyntaxError
from grevy.feel.lexer import Kind, Token
from grevy.feel.values import Value
from grevy.protocol import limits


class Level(IntEnum):
    """How tight an operator binds."""

    OR = 1
    AND = 2
    COMPARISON = 3
    SUM = 4
    PRODUCT = 5
    POWER = 6
    VALUE = 7


_ORDERINGS: Final = frozenset({"<", "<=", ">", ">="})
_COMPARISONS: Final = _ORDERINGS | {"=", "!="}
_CHAINED: Final = {
    "+": Level.SUM,
    "-": Level.SUM,
    "*": Level.PRODUCT,
    "/": Level.PRODUCT,
    "**": Level.POWER,
}
_INFIX_WORDS: Final = {
    "or": Level.OR,
    "and": Level.AND,
    "between": Level.COMPARISON,
    "in": Level.COMPARISON,
    "instance": Level.COMPARISON,
}
_CONSTANTS: Final[dict[str, Value]] = {"null": None, "true": True, "false": False}
_TEMPORALS: Final[dict[str, Callable[[str], Value]]] = {
    "date": iso8601.parse_date,
    "time": iso8601.parse_time,
    "date and time": iso8601.parse_date_and_time,
    "duration": iso8601.parse_any_duration,
}


def parse(text: str, names: Iterable[str] = (), *, is_unary_tests: bool = False) -> ast.Node:
    """The tree of an expression, or of unary tests. `names` are names with spaces to be read as
    one.

    Raises `FeelSyntaxError`. No tree is higher than `limits.FEEL_CALL_DEPTH_MAX`.
    """
    parser = _Parser(text, names)
    node = parser.unary_tests() if is_unary_tests else parser.expression()
    parser.expect_end("an operator")
    if ast.measure(node)[0] > limits.FEEL_CALL_DEPTH_MAX:
        raise FeelSyntaxError(text, 0, f"at most {limits.FEEL_CALL_DEPTH_MAX} operations nested")
    return node


class _Parser(Cursor):
    """Each method reads one part of the grammar and leaves the cursor behind it."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(text, names)
        self._inputs = 0
        """How many `?` were read so far."""

    # --- expressions ---

    def expression(self) -> ast.Node:
        """An expression of any kind."""
        self.enter()
        word = self.peek().text if self.peek().kind is Kind.NAME else ""
        node: ast.Node
        if word == "if" and self.starts_expression(1):
            node = self._if()
        elif word == "for" and self.is_name(1) and self.is_word("in", 2):
            node = self._for()
        elif word in ("some", "every") and self.is_name(1) and self.is_word("in", 2):
            node = self._quantified(is_every=word == "every")
        else:
            node = self._operation(Level.OR)
        self.leave()
        return node

    def _if(self) -> ast.If:
        branches = []
        while self.is_word("if") and self.starts_expression(1):
            self.advance()
            condition = self.expression()
            self.expect_word("then")
            branches.append((condition, self.expression()))
            self.expect_word("else")
        return ast.If(tuple(branches), self.expression())

    def _for(self) -> ast.For:
        self.advance()
        iterators = self._iterators()
        self.expect_word("return")
        return ast.For(iterators, self.expression())

    def _quantified(self, *, is_every: bool) -> ast.Quantified:
        self.advance()
        iterators = self._iterators()
        self.expect_word("satisfies")
        return ast.Quantified(is_every, iterators, self.expression())

    def _iterators(self) -> tuple[tuple[str, ast.Node], ...]:
        iterators = []
        while True:
            name = self.expect_name()
            self.expect_word("in")
            source = self._operation(Level.SUM)
            if self.accept_symbol(".."):
                source = ast.Steps(source, self._operation(Level.SUM))
            iterators.append((name, _as_value(source)))
            if not self.accept_symbol(","):
                return tuple(iterators)

    # --- operators ---

    def _operation(self, level: Level) -> ast.Node:
        """An operand and all operators after it that bind at least as tight as `level`."""
        self.enter()
        node = self._climb(self._operand(level), level)
        self.leave()
        return node

    def _climb(self, left: ast.Node, level: Level) -> ast.Node:
        is_compared = False
        while True:
            found = self._infix_level()
            if found is None or found < level:
                return left
            if found is Level.COMPARISON:
                if is_compared:
                    raise self.error("'and', 'or'")
                is_compared = True
                left = self._comparison(_as_value(left))
            elif found <= Level.AND:
                left = self._junction(left, found)
            else:
                left = self._chain(_as_value(left), found)

    def _infix_level(self) -> Level | None:
        token = self.peek()
        if token.kind is Kind.SYMBOL:
            return Level.COMPARISON if token.text in _COMPARISONS else _CHAINED.get(token.text)
        return _INFIX_WORDS.get(token.text) if token.kind is Kind.NAME else None

    def _junction(self, left: ast.Node, level: Level) -> ast.Junction:
        operands = [left]
        while self._infix_level() is level:
            self.advance()
            operands.append(self._operation(Level(level + 1)))
        return ast.Junction(level is Level.AND, tuple(operands))

    def _chain(self, left: ast.Node, level: Level) -> ast.Chain:
        rest = []
        while self._infix_level() is level:
            operator = self.advance().text
            rest.append((operator, _as_value(self._operation(Level(level + 1)))))
        return ast.Chain(left, tuple(rest))

    def _comparison(self, left: ast.Node) -> ast.Node:
        token = self.advance()
        if token.text == "between":
            low = self._operation(Level.SUM)
            self.expect_word("and")
            return ast.Between(left, low, self._operation(Level.SUM))
        if token.text == "instance":
            self.expect_word("of")
            return ast.InstanceOf(left, self._type())
        if token.text == "in":
            return ast.In(left, self._tests_after_in())
        return ast.Comparison(token.text, left, _as_value(self._operation(Level.SUM)))

    def _type(self) -> ast.FeelType:
        self.enter()
        if not (self.is_name() or self.is_word("function")):
            raise self.error("a type")
        spaced = [
            words for words in _SPACED_TYPES if all(map(self.is_word, words, range(len(words))))
        ]
        name = self.take_words(len(spaced[0]) if spaced else 1)
        while self.accept_symbol("."):
            name += f".{self.expect_name()}"
        members = self._type_members() if self.accept_symbol("<") else ()
        if name == "function" and self.accept_symbol("->"):
            members = (*members, ("->", self._type()))
        self.leave()
        return ast.FeelType(name, members)

    def _type_members(self) -> tuple[tuple[str, ast.FeelType], ...]:
        members: list[tuple[str, ast.FeelType]] = []
        while not self.accept_symbol(">"):
            if members:
                self.expect_symbol(",")
            key = str(len(members))
            if self.is_symbol(":", 1):
                key = self.expect_name()
                self.advance()
            members.append((key, self._type()))
        return tuple(members)

    # --- operands ---

    def _operand(self, level: Level) -> ast.Node:
        """A value with the signs before it and the accesses after it, or a test of the input."""
        token = self.peek()
        if token.kind is Kind.SYMBOL and token.text in _ORDERINGS and level <= Level.COMPARISON:
            self.advance()
            return ast.InputComparison(token.text, _as_value(self._operation(Level.SUM)))
        signs = 0
        while self.accept_symbol("-"):
            signs += 1
        node = self._value()
        if signs:
            node = _as_value(node)
        for _ in range(signs):
            node = ast.Negation(node)
        return node

    def _value(self) -> ast.Node:
        node = self._terminal()
        while True:
            if self.is_symbol("."):
                self.advance()
                node = ast.Path(_as_value(node), self._key())
            elif self._is_filter():
                if isinstance(node, ast.InputInRange):
                    return node
                self.advance()
                node = ast.Filter(_as_value(node), self.expression())
                self.expect_symbol("]")
            elif self.is_symbol("(") and isinstance(node, ast.Path):
                node = self._call(node.base, node.key)
            elif self.is_symbol("(") and isinstance(node, ast.FunctionOf | ast.Call):
                node = self._call(node, "")
            else:
                return node

    def _is_filter(self) -> bool:
        """Whether a filter begins here; `[1..2[` and `[[1..2[]` end ranges instead."""
        return self.is_symbol("[") and not self.is_symbol("]", 1) and self.starts_expression(1)

    def _key(self) -> str:
        for words in _SPACED_KEYS:
            if all(map(self.is_word, words, range(len(words)))):
                return self.take_words(len(words))
        if self.peek().kind not in (Kind.NAME, Kind.QUOTED_NAME):
            raise self.error("a key")
        return self.advance().text

    def _terminal(self) -> ast.Node:
        token = self.peek()
        if token.kind is Kind.NAME or token.kind is Kind.QUOTED_NAME:
            return self._word(token)
        if token.kind is Kind.NUMBER:
            if len(token.text) > limits.FEEL_NUMBER_CHARS_MAX:
                raise self.error(f"at most {limits.FEEL_NUMBER_CHARS_MAX} characters in a number")
            self.advance()
            return ast.Literal(parse_number(token.text))
        if token.kind is Kind.STRING:
            self.advance()
            return ast.Literal(token.text)
        if token.kind is Kind.SYMBOL:
            return self._bracket(token)
        raise self.error("an expression")

    def _word(self, token: Token) -> ast.Node:
        words = self.words_before("(")
        if words and not self.is_word("function"):
            return self._function_call(self.take_words(words))
        if token.kind is Kind.NAME and token.text in _CONSTANTS:
            self.advance()
            return ast.Literal(_CONSTANTS[token.text])
        if self.accept_word("function"):
            return self._function()
        if self.is_word("time") and self.is_word("offset", 1):
            return ast.Name(self.take_words(2))
        if not self.is_name():
            raise self.error("an expression")
        return ast.Name(self.advance().text)

    def _bracket(self, token: Token) -> ast.Node:
        self.advance()
        if token.text == "?":
            self._inputs += 1
            return ast.InputSymbol()
        if token.text == "@" and self.peek().kind is Kind.STRING:
            return _temporal("@", self.advance().text)
        if token.text == "{":
            return self._context()
        if token.text == "[":
            return self._list_or_range()
        if token.text == "]":
            return self._range_after(self._operation(Level.SUM), is_closed=False)
        if token.text == "(":
            node = self.expression()
            if self.is_symbol(".."):
                return self._range_after(node, is_closed=False)
            self.expect_symbol(")")
            return node
        self.index -= 1
        raise self.error("an expression")

    def _list_or_range(self) -> ast.Node:
        if self.accept_symbol("]"):
            return ast.ListOf(())
        items = [_as_value(self.expression())]
        if self.is_symbol(".."):
            return self._range_after(items[0], is_closed=True)
        while self.accept_symbol(","):
            items.append(_as_value(self.expression()))
        if not self.accept_symbol("]"):
            raise self.error("',' or ']'")
        return ast.ListOf(tuple(items))

    def _range_after(self, start: ast.Node, *, is_closed: bool) -> ast.InputInRange:
        self.expect_symbol("..")
        end = self._operation(Level.SUM)
        is_end_closed = self.is_symbol("]")
        if not (is_end_closed or self.is_symbol("[") or self.is_symbol(")")):
            raise self.error("']', ')' or '['")
        self.advance()
        return ast.InputInRange(
            ast.RangeOf(_as_value(start), _as_value(end), is_closed, is_end_closed)
        )

    def _context(self) -> ast.ContextOf:
        entries: list[tuple[str, ast.Node]] = []
        while not self.accept_symbol("}"):
            if entries:
                self.expect_symbol(",")
            key = self._entry_key()
            entries.append((key, _as_value(self.expression())))
            if not (self.is_symbol(",") or self.is_symbol("}")):
                raise self.error("',' or '}'")
        return ast.ContextOf(tuple(entries))

    def _entry_key(self) -> str:
        """A string, a name in backticks, or all that is written before the colon."""
        first = self.advance()
        if first.kind in (Kind.STRING, Kind.QUOTED_NAME):
            self.expect_symbol(":")
            return first.text
        last = first
        while _is_part_of_key(last) and not self.is_symbol(":"):
            last = self.advance()
        if not _is_part_of_key(last):
            self.index -= 1
            raise self.error("':' after the key" if last is not first else "a key")
        self.advance()
        return self.text[first.offset : last.end]

    # --- functions ---

    def _function(self) -> ast.FunctionOf:
        self.expect_symbol("(")
        parameters: list[str] = []
        while not self.accept_symbol(")"):
            if parameters:
                self.expect_symbol(",")
            words = self.words_before(",") or self.words_before(")") or self.words_before(":")
            if not words:
                raise self.error("a parameter")
            parameters.append(self.take_words(words))
            if self.accept_symbol(":"):
                self._type()
        if self.is_word("external") and self.is_symbol("{", 1):
            raise self.error("a body (there are no external functions)")
        return ast.FunctionOf(tuple(parameters), self.expression())

    def _function_call(self, name: str) -> ast.Node:
        argument = self.peek(1)
        if name in _TEMPORALS and argument.kind is Kind.STRING and self.is_symbol(")", 2):
            self.index += 3
            return _temporal(name, argument.text)
        return self._call(None, name)

    def _call(self, base: ast.Node | None, name: str) -> ast.Call:
        self.expect_symbol("(")
        arguments: list[ast.Node] = []
        names: list[str] = []
        while not self.accept_symbol(")"):
            if arguments:
                self.expect_symbol(",")
            words = self.words_before(":")
            if words if not arguments else names:
                if not words:
                    raise self.error("the name of an argument")
                names.append(self.take_words(words))
                self.advance()
            arguments.append(_as_value(self.expression()))
            if not (self.is_symbol(",") or self.is_symbol(")")):
                raise self.error("',' or ')'")
        return ast.Call(base, name, tuple(arguments), tuple(names))

    # --- unary tests ---

    def unary_tests(self) -> ast.Node:
        """All of a cell: `-`, tests, or `not(tests)`."""
        if self.is_symbol("-") and self.peek(1).kind is Kind.END:
            self.advance()
            return ast.Literal(True)
        if self.is_word("not") and self.is_symbol("(", 1):
            negated = self._negated_tests()
            if negated is not None:
                return negated
        return self._tests()

    def _negated_tests(self) -> ast.Node | None:
        """`not(tests)` when that is all there is; `not(a) and b` is an expression instead."""
        start, inputs = self.index, self._inputs
        self.index += 2
        tests = self._tests()
        if self.accept_symbol(")") and self.peek().kind is Kind.END:
            return ast.Not(tests)
        self.index, self._inputs = start, inputs
        return None

    def _tests(self) -> ast.Node:
        tests = [self._test()]
        while self.accept_symbol(","):
            tests.append(self._test())
        return tests[0] if len(tests) == 1 else ast.Junction(False, tuple(tests))

    def _test(self) -> ast.Node:
        return self._boolean_test() or self._equality_test() or _as_test(self.expression())

    def _boolean_test(self) -> ast.InputComparison | None:
        """As in Zeebe, a boolean is compared with the input where it ends the text only; elsewhere
        `true` always passes.
        """
        is_boolean = self.is_word("true") or self.is_word("false")
        if not is_boolean or self.peek(1).kind is not Kind.END:
            return None
        return ast.InputComparison("=", ast.Literal(self.advance().text == "true"))

    def _equality_test(self) -> ast.InputComparison | None:
        """`= x` and `!= x` are tests only where nothing but a test can be: elsewhere they are
        slips.
        """
        if not (self.is_symbol("=") or self.is_symbol("!=")):
            return None
        operator = self.advance().text
        return ast.InputComparison(operator, _as_value(self._operation(Level.SUM)))

    def _tests_after_in(self) -> ast.Node:
        if not self.is_symbol("("):
            comparison = self._boolean_test() or self._equality_test()
            if comparison is not None:
                return comparison
            inputs = self._inputs
            test = self._operation(Level.COMPARISON)
            if self._inputs > inputs:
                test = self._climb(test, Level.OR)
            return _as_test(test)
        self.advance()
        tests = self._tests()
        if self.is_symbol("..") and isinstance(tests, ast.UnaryTest):
            return self._range_after(tests.expression, is_closed=False)
        if not self.accept_symbol(")"):
            raise self.error("',' or ')'")
        return tests


_SPACED_KEYS: Final = (("time", "offset"), ("start", "included"), ("end", "included"))

_SPACED_TYPES: Final = (
    ("date", "and", "time"),
    ("days", "and", "time", "duration"),
    ("years", "and", "months", "duration"),
)


def _is_part_of_key(token: Token) -> bool:
    if token.kind in (Kind.END, Kind.STRING, Kind.QUOTED_NAME):
        return False
    return token.kind is not Kind.SYMBOL or token.text not in "{}[],:"


def _as_value(node: ast.Node) -> ast.Node:
    """A range where a value is wanted is that range, not a test."""
    return node.range if isinstance(node, ast.InputInRange) else node


def _as_test(node: ast.Node) -> ast.Node:
    if isinstance(node, ast.InputComparison | ast.InputInRange):
        return node
    return ast.UnaryTest(node)


def _temporal(name: str, text: str) -> ast.Literal:
    """A temporal literal; a text that is none is null."""
    try:
        return ast.Literal(iso8601.parse_any(text) if name == "@" else _TEMPORALS[name](text))
    except FeelFormatError:
        return ast.Literal(None)
