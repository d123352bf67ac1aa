"""What the readers of elements share: where faults go, and how texts and expressions are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from grevy.bpmn.model import Message, Text
from grevy.feel import Expression, FeelSyntaxError, parse_expression
from grevy.protocol.limits import MODEL_FEEL_CHARS_MAX, NAME_CHARS_MAX
from grevy.xml import Faults, Node, quote

_ID: Final = re.compile(r"[^\W\d][\w.\-\u00b7]*")

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)

_NUMBER_CHARS_MAX: Final = 300
_PLAIN_DIGITS_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """A message of the file; `has_subscription` even when its correlation key has a fault."""

    node: Node
    name: Text
    correlation_key: Expression | None
    has_subscription: bool


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """An error of the file; `code` is as written."""

    node: Node
    code: str


@dataclass(slots=True)
class Reading:
    """One file while it is read: its messages and errors by id, and what is wrong so far."""

    faults: Faults = field(default_factory=Faults)
    messages: dict[str, MessageSpec] = field(default_factory=dict)
    errors: dict[str, ErrorSpec] = field(default_factory=dict)
    _parsed: dict[str, Expression | FeelSyntaxError] = field(default_factory=dict)
    _feel_chars: int = 0

    def text(self, node: Node, raw: str, what: str) -> Text:
        """A static text, or what stands behind a leading `=` as an expression."""
        if not is_expression(raw):
            return raw
        return self._expression(node, raw, what) or raw

    def name(self, node: Node, raw: str, what: str) -> Text:
        """A text that has to be there and is short: a job type, the name of a message."""
        if not raw:
            self.faults.add(node, f"{what} must be present and not empty")
        elif len(raw) > NAME_CHARS_MAX and not is_expression(raw):
            self.faults.add(
                node, f"{what} has {len(raw)} characters; at most {NAME_CHARS_MAX} are allowed"
            )
        return self.text(node, raw, what)

    def number(self, node: Node, raw: str, what: str) -> Text:
        """A number; a static one that is none is told when it is needed, as in Zeebe."""
        if raw.isascii() and raw.isdigit() and len(raw) <= _PLAIN_DIGITS_MAX:
            return raw
        if is_expression(raw):
            return self.text(node, raw, what)
        value = typed(raw)
        return literal(raw) if isinstance(value, str) else value

    def expression(self, node: Node, raw: str, what: str) -> Expression | None:
        """A text that has to be an expression, because a static one makes no sense there."""
        if not raw:
            self.faults.add(node, f"{what} must be present and not empty")
        elif not is_expression(raw):
            hint = f"an expression starts with '=', as in '={quote(raw)}'"
            self.faults.add(
                node, f"{what} must be an expression, but is the static text '{quote(raw)}'; {hint}"
            )
        else:
            return self._expression(node, raw, what)
        return None

    def message(self, node: Node, reference: str, *, has_key: bool) -> Message | None:
        """The message that an element waits for; with `has_key` it needs a subscription."""
        spec = self.messages.get(reference)
        if spec is None:
            known = f"; there is no message '{quote(reference)}'" if reference else ""
            self.faults.add(node, f"Must reference a message{known}")
            return None
        self.check_message_name(spec)
        if has_key and not spec.has_subscription:
            self.faults.add(
                spec.node, "Must have a zeebe:subscription extension element with a correlation key"
            )
        return Message(spec.name, spec.correlation_key if has_key else None)

    def check_message_name(self, spec: MessageSpec) -> None:
        """A message that an element uses has a name."""
        if not spec.name:
            self.faults.add(spec.node, "The name of the message must be present and not empty")

    def flag(self, node: Node, name: str, *, default: bool = False) -> bool:
        """The value of a boolean attribute; as in Zeebe, 1 is not true."""
        return default if name not in node.attributes else node.get(name) == "true"

    def check_id(self, node: Node) -> bool:
        """Whether the element has an id that records and clients can name it by."""
        if not node.id:
            self.faults.add(node, f"The element '{node.name}' must have an id")
            return False
        if len(node.id) > NAME_CHARS_MAX:
            self.faults.add(
                node, f"The id has {len(node.id)} characters; at most {NAME_CHARS_MAX} are allowed"
            )
        elif not _ID.fullmatch(node.id):
            self.faults.add(
                node,
                "The id must be a letter or '_', then letters, digits, '_', '-' or '.'",
            )
        return True

    def _expression(self, node: Node, raw: str, what: str) -> Expression | None:
        """Expressions are immutable: what is written the same is parsed once and shared."""
        parsed = self._parsed.get(raw)
        if parsed is None:
            parsed = self._parsed[raw] = self._parse(raw)
        if isinstance(parsed, FeelSyntaxError):
            self.faults.add(node, f"{what}: {parsed}")
            return None
        return parsed

    def _parse(self, raw: str) -> Expression | FeelSyntaxError:
        self._feel_chars += len(raw)
        if self._feel_chars > MODEL_FEEL_CHARS_MAX:
            return FeelSyntaxError(raw, 0, f"at most {MODEL_FEEL_CHARS_MAX} characters in a file")
        try:
            return parse_expression(raw[1:])
        except FeelSyntaxError as error:
            return error


def typed(text: Text) -> Text:
    """A static text that is a number in Zeebe's eyes as an expression that gives it: where a text
    is wanted, it is the wrong type.
    """
    if not isinstance(text, str) or len(text) > _NUMBER_CHARS_MAX or not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    if abs(number.adjusted()) > _NUMBER_CHARS_MAX:
        return text
    return parse_expression(format(number, "f"))


def literal(text: str) -> Expression:
    """An expression that gives a text."""
    return parse_expression(msgspec.json.encode(text).decode())


def is_expression(raw: str) -> bool:
    """Whether a text of a model is FEEL; a lone `=` is a text like any other."""
    return len(raw) > 1 and raw.startswith("=")


def content(node: Node) -> str:
    """The text of an element such as a condition, where editors put line breaks around it."""
    return node.text.strip()
