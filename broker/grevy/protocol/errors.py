"""Errors that cross rooms.

GrevyError
├── MalformedFrame      bytes that no peer of ours would send; the connection's fault, never the
│                       partition's
├── LimitExceeded       a named limit of `limits` was reached
└── NewerVersion        whole, but of a form that only later versions of Grevy know
"""

from __future__ import annotations


class GrevyError(Exception):
    """Base of all errors that Grevy raises on purpose."""


class MalformedFrame(GrevyError):
    """Bytes that cannot be a message or an entry; the text says what was wrong, and never what a
    decoder printed.
    """


class LimitExceeded(GrevyError):
    """Something was larger than a named limit; the text says what, how large, and the limit."""


class NewerVersion(GrevyError):
    """Something on the disk, or from another broker, is whole, and in a form that this version does
    not know: neither damage nor a tear. Whoever meets it changes nothing, and ends; `where` says
    what it is.
    """

    def __init__(self, where: str, version: int, known: int) -> None:
        super().__init__(
            f"{where} was written by a later version of Grevy, in form {version}, and this one "
            f"knows {known}: nothing was changed; start that version again"
        )
