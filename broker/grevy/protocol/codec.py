"""The codec: entries and messages to and from bytes.

All that reads raises `MalformedFrame` or `LimitExceeded` for bytes that no peer of ours would send,
and nothing else; all that it gives is valid and copied. All that writes raises `LimitExceeded`.
"""

from __future__ import annotations

from grevy.protocol.entry_codec import (
    decode_entry,
    encode_entry,
    entry_mask,
    entry_positions,
)
from grevy.protocol.message_codec import (
    decode_client_message,
    decode_server_message,
    encode_client_message,
    encode_server_message,
)

__all__ = [
    "decode_client_message",
    "decode_entry",
    "decode_server_message",
    "encode_client_message",
    "encode_entry",
    "encode_server_message",
    "entry_mask",
    "entry_positions",
]
