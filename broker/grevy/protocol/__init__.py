"""The vocabulary that all rooms share: records, messages, keys, limits, errors, and their bytes.

Nothing is imported here, so that who needs keys or limits does not load Cap'n Proto; `codec` does.
"""

from __future__ import annotations

__all__ = [
    "codec",
    "errors",
    "intents",
    "json_form",
    "keys",
    "limits",
    "messages",
    "record",
    "text_form",
    "values",
]
