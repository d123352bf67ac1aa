"""Errors that cross rooms.

GrevyError
├── MalformedFrame      bytes that no peer of ours would send; the connection's fault, never the
partition's
└── LimitExceeded       a named limit of `limits` was reached
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
