"""What the readers of elements share: where faults go, and how FEEL is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from grevy.feel import (
    ANY,
    Constant,
    ConstantTests,
    Expression,
    FeelSyntaxError,
    parse_cell,
    parse_entry,
    parse_expression,
    short_cell,
    short_entry,
)
from grevy.protocol.limits import DMN_FEEL_CHARS_MAX
from grevy.xml import Faults, Node, quote

_LANGUAGES: Final = frozenset(
    (
        "feel",
        "http://www.omg.org/spec/FEEL/20140401",
        "http://www.omg.org/spec/DMN/20180521/FEEL/",
        "https://www.omg.org/spec/DMN/20191111/FEEL/",
        "https://www.omg.org/spec/DMN/20211108/FEEL/",
        "https://www.omg.org/spec/DMN/20230324/FEEL/",
    )
)

ParsedT = TypeVar("ParsedT")


@dataclass(slots=True)
class Reading:
    """One file while it is read: what is wrong so far, and the FEEL in it, each text parsed once
    for each use.
    """

    faults: Faults = field(default_factory=Faults)
    _expressions: dict[str, Expression | FeelSyntaxError] = field(default_factory=dict)
    _cells: dict[str, ConstantTests | Expression | FeelSyntaxError] = field(default_factory=dict)
    _entries: dict[str, Constant | Expression | FeelSyntaxError] = field(default_factory=dict)
    _chars: int = 0

    def expression(self, node: Node) -> Expression | None:
        """What stands in the `text` of an element."""
        text = self._text(node)
        return None if text is None else self._once(node, text, self._expressions, parse_expression)

    def entry(self, node: Node) -> Constant | Expression | None:
        """An output of a rule."""
        text = self._text(node)
        if text is None:
            return None
        return short_entry(text) or self._once(node, text, self._entries, parse_entry)

    def cell(self, node: Node) -> ConstantTests | Expression | None:
        """The tests of an input of a rule; an empty cell holds for anything."""
        text = self._text(node)
        if text is None:
            return None
        if text in ("", "-"):
            return ANY
        if text not in self._cells:
            short = short_cell(text)
            if short is not None:
                self._cells[text] = short
        return self._once(node, text, self._cells, parse_cell)

    def _once(
        self,
        node: Node,
        text: str,
        known: dict[str, ParsedT | FeelSyntaxError],
        parse: Callable[[str], ParsedT],
    ) -> ParsedT | None:
        found = known.get(text)
        if found is None:
            self._chars += len(text)
            if self._chars > DMN_FEEL_CHARS_MAX:
                self._tell_of_limit(node, self._chars - len(text))
                return None
            found = known[text] = _parsed(text, parse)
        if isinstance(found, FeelSyntaxError):
            # Columns are those of the expression; whose it is, is told by its id, or its line.
            place = "" if node.id else f" (line {node.line} of the file)"
            self.faults.add(node, f"{found}{place}")
            return None
        return found

    def _tell_of_limit(self, node: Node, before: int) -> None:
        """Once, where it is reached: what follows is not read."""
        if before <= DMN_FEEL_CHARS_MAX:
            self.faults.add(
                node,
                f"The expressions of the file have more than {DMN_FEEL_CHARS_MAX} characters up to "
                "here, without constants; what follows is not read",
            )

    def _text(self, node: Node) -> str | None:
        language = node.get("expressionLanguage")
        if language and language not in _LANGUAGES:
            self.faults.add(
                node, f"The expression language '{quote(language)}' is not supported; use FEEL"
            )
            return None
        text = node.first("text")
        if text is None:
            self.faults.add(node, f"The element '{node.name}' must have a 'text'")
            return None
        return text.text.strip()

    def name(self, node: Node) -> str:
        """The name that an element must have."""
        name = node.get("name")
        if not name:
            self.faults.add(node, f"The element '{node.name}' must have a name")
        return name


def _parsed(text: str, parse: Callable[[str], ParsedT]) -> ParsedT | FeelSyntaxError:
    try:
        return parse(text)
    except FeelSyntaxError as error:
        return error
