"""What can be refused by a replica.

GrevyError
└── MembersRefused   a change of members that cannot begin now
"""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class MembersRefused(GrevyError):
    """The group cannot be changed so, or not now; nothing has changed."""
