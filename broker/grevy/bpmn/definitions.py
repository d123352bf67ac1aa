"""What elements refer to: the messages and errors beside the processes of a file."""

from __future__ import annotations

from grevy.bpmn.extensions import extension
from grevy.bpmn.reading import ErrorSpec, MessageSpec, Reading, typed
from grevy.xml import Node


def read_definitions(root: Node, reading: Reading) -> None:
    """Reads all messages and errors, whether something refers to them or not."""
    for node in root.children:
        if node.name == "message":
            reading.messages.setdefault(node.id, _read_message(node, reading))
        elif node.name == "error":
            reading.errors.setdefault(node.id, ErrorSpec(node, node.get("errorCode")))


def _read_message(node: Node, reading: Reading) -> MessageSpec:
    raw = node.get("name")
    name = typed(reading.name(node, raw, "The name of the message")) if raw else ""
    subscription = extension(node, "zeebe:subscription", reading)
    if subscription is None:
        return MessageSpec(node, name, None, has_subscription=False)
    key = reading.expression(node, subscription.get("correlationKey"), "The correlation key")
    return MessageSpec(node, name, key, has_subscription=True)
