"""A place in the tokens of an expression, and the questions a parser asks there. What FEEL's
keywords are is said here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grevy.feel.errors import FeelSyntaxError
from grevy.feel.lexer import Kind, Token, tokenize
from grevy.protocol import limits

RESERVED: Final = frozenset(
    {
        "and", "else", "false", "function", "in", "null",
        "or", "return", "satisfies", "then", "true",
    }
)  # fmt: skip
"""Words that are never names. The others (`if`, `for`, `some`, `between`, …) are names where they
cannot be keywords.
"""

INFIX_WORDS: Final = frozenset({"and", "between", "in", "instance", "or"})
"""Words that go on with an expression after a value."""

SPACED_NAMES: Final = (
    ("date", "and", "time"),
    ("years", "and", "months", "duration"),
    ("get", "or", "else"),
    ("and",),
    ("or",),
)
"""Names of built-in functions that have a reserved word in them."""


class Cursor:
    """Reads tokens one by one, looks ahead, and raises `FeelSyntaxError` for what it does not
    expect.
    """

    def __init__(self, text: str, names: Iterable[str]) -> None:
        if len(text) > limits.FEEL_TEXT_CHARS_MAX:
            raise FeelSyntaxError(text, 0, f"at most {limits.FEEL_TEXT_CHARS_MAX} characters")
        self.text = text
        self.tokens = tokenize(text, names)
        self.index = 0
        self._depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token here, or the one `ahead` of it; the last one is END."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Takes the token here."""
        token = self.peek()
        self.index += 1
        return token

    def is_symbol(self, symbol: str, ahead: int = 0) -> bool:
        """Whether that symbol is here."""
        token = self.peek(ahead)
        return token.kind is Kind.SYMBOL and token.text == symbol

    def is_word(self, word: str, ahead: int = 0) -> bool:
        """Whether that word is here."""
        token = self.peek(ahead)
        return token.kind is Kind.NAME and token.text == word

    def is_name(self, ahead: int = 0) -> bool:
        """Whether a name is here: a word that is not reserved, or anything in backticks."""
        token = self.peek(ahead)
        if token.kind is Kind.QUOTED_NAME:
            return True
        return token.kind is Kind.NAME and token.text not in RESERVED

    def accept_symbol(self, symbol: str) -> bool:
        """Takes that symbol if it is here."""
        if not self.is_symbol(symbol):
            return False
        self.index += 1
        return True

    def accept_word(self, word: str) -> bool:
        """Takes that word if it is here."""
        if not self.is_word(word):
            return False
        self.index += 1
        return True

    def expect_symbol(self, symbol: str) -> None:
        """Takes that symbol, or fails."""
        if not self.accept_symbol(symbol):
            raise self.error(f"'{symbol}'")

    def expect_word(self, word: str) -> None:
        """Takes that word, or fails."""
        if not self.accept_word(word):
            raise self.error(f"'{word}'")

    def expect_name(self) -> str:
        """Takes a name, or fails."""
        if not self.is_name():
            raise self.error("a name")
        return self.advance().text

    def expect_end(self, otherwise: str) -> None:
        """Fails unless the text ends here; `otherwise` is what else could go on."""
        if self.peek().kind is not Kind.END:
            raise self.error(f"{otherwise} or the end")

    def error(self, expected: str) -> FeelSyntaxError:
        """The error that `expected` is not here."""
        return FeelSyntaxError(self.text, self.peek().offset, expected)

    def enter(self) -> None:
        """Counts a level of nesting; `leave` takes it back. So Python's stack is never the one to
        give up.
        """
        self._depth += 1
        if self._depth > limits.FEEL_NESTING_MAX:
            raise self.error(f"at most {limits.FEEL_NESTING_MAX} levels of nesting")

    def leave(self) -> None:
        """Takes back a level of nesting."""
        self._depth -= 1

    def words_before(self, symbol: str) -> int:
        """How many words stand here before `symbol`, if they can be one name with spaces;
        otherwise 0.

        A single word, or one name in backticks, counts too.
        """
        for words in SPACED_NAMES:
            if all(self.is_word(word, n) for n, word in enumerate(words)):
                return len(words) if self.is_symbol(symbol, len(words)) else 0
        count = 0
        while self.is_name(count) and self.peek(count).kind is Kind.NAME:
            if count and self.peek(count).text in INFIX_WORDS:
                return 0
            count += 1
        if count == 0 and self.peek().kind is Kind.QUOTED_NAME:
            count = 1
        return count if self.is_symbol(symbol, count) else 0

    def take_words(self, count: int) -> str:
        """Takes so many words as one name, with single spaces between them."""
        return " ".join(self.advance().text for _ in range(count))

    def starts_expression(self, ahead: int) -> bool:
        """Whether an expression can begin there; tells the keyword `if` from a variable of that
        name.
        """
        token = self.peek(ahead)
        if token.kind is Kind.NAME:
            return token.text not in INFIX_WORDS and token.text not in RESERVED - _OPENING_WORDS
        if token.kind is Kind.SYMBOL:
            return token.text in _OPENING_SYMBOLS
        return token.kind in (Kind.NUMBER, Kind.STRING, Kind.QUOTED_NAME)


_OPENING_WORDS: Final = frozenset({"null", "true", "false", "function"})
_OPENING_SYMBOLS: Final = frozenset({"(", "[", "]", "{", "-", "@", "?", "<", "<=", ">", ">="})
