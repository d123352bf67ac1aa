"""The order in which the variables of one document are written.

Zeebe keeps a document's names in a hash map of their offsets, and writes variables in the order of that map; who compares two audit
trails sees it. Here they are written in the order of the document.
"""

from __future__ import annotations


def in_zeebes_order(variables: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The variables in the order in which their events are written."""
    return variables
