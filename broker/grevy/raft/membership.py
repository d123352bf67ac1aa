"""Entries that say who is in the group, and how they are told from those of the engine.

    ┌────────────────────┬────────┬─────────┬──────────┬───────────────────────────────┐
    │ ff ff ff ff "GRFM" │ voters │ old     │ learners │ ids                           │
    │ 8 B                │ u8     │ u8      │ u8       │ u32 each, in the order before │
    └────────────────────┴────────┴─────────┴──────────┴───────────────────────────────┘

Numbers are little-endian. An entry of the engine never begins so: there, the first four bytes count
segments of a Cap'n Proto message, one less than there are.
"""

from __future__ import annotations

import struct
from typing import Final

from grevy.protocol.raft_messages import GroupMembers

NOT_OF_ENGINE: Final = b"\xff\xff\xff\xff"
MAGIC: Final = NOT_OF_ENGINE + b"GRFM"
_COUNTS: Final = struct.Struct("<BBB")


def is_of_engine(payload: bytes) -> bool:
    """Whether an entry's payload is the engine's; otherwise it is Raft's own (empty, or members),
    or its embedder's, and means nothing to a state.
    """
    return bool(payload) and not payload.startswith(NOT_OF_ENGINE)


def encode_members(members: GroupMembers) -> bytes:
    """Members without the magic, as they stand in an entry and in the slot file."""
    voters, old_voters, learners = members.voters, members.old_voters, members.learners
    ids = (*voters, *old_voters, *learners)
    counts = _COUNTS.pack(len(voters), len(old_voters), len(learners))
    return counts + struct.pack(f"<{len(ids)}I", *ids)


def decode_members(data: bytes, offset: int = 0) -> tuple[GroupMembers, int]:
    """Members at an offset, and where they end. Raises `struct.error` where they are cut off."""
    voters, old_voters, learners = _COUNTS.unpack_from(data, offset)
    start = offset + _COUNTS.size
    ids = struct.unpack_from(f"<{voters + old_voters + learners}I", data, start)
    members = GroupMembers(
        ids[:voters], ids[voters : voters + old_voters], ids[voters + old_voters :]
    )
    return members, start + 4 * len(ids)


def members_payload(members: GroupMembers) -> bytes:
    """The payload of an entry that changes the members."""
    return MAGIC + encode_members(members)


def members_of(payload: bytes) -> GroupMembers:
    """The members that such an entry names."""
    assert payload.startswith(MAGIC), "an entry of members"
    members, end = decode_members(payload, len(MAGIC))
    assert end == len(payload), "an entry of members, and something after it"
    return members
