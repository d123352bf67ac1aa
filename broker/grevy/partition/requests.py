"""What may be wrong with a request about a subscription, as a sentence; empty when nothing is."""

from __future__ import annotations

from grevy.protocol.limits import EXPORTER_METADATA_BYTES_MAX, NAME_CHARS_MAX
from grevy.protocol.messages import (
    AcknowledgeRecords,
    OpenJobSubscription,
    OpenRecordSubscription,
)


def fault_of_jobs(request: OpenJobSubscription) -> str:
    """A worker's subscription; with a time-out of nothing each job would be pushed for ever."""
    if not request.type.strip():
        return "Expected to open a job subscription, but no type is given"
    if request.timeout < 1:
        return (
            "Expected to open a job subscription, but the time-out must be at least 1 ms, "
            f"and is {request.timeout}"
        )
    return ""


def fault_of_records(request: OpenRecordSubscription) -> str:
    """A record subscription; its exporter's id is kept."""
    if len(request.exporter_id) > NAME_CHARS_MAX:
        return (
            f"Expected to open a record subscription, but the exporter id has "
            f"{len(request.exporter_id)} characters; at most {NAME_CHARS_MAX} are allowed"
        )
    return ""


def fault_of_acknowledgement(request: AcknowledgeRecords, committed: int) -> str:
    """What an exporter says it is done with; `committed` is the log's last position that it may
    have seen, by this subscription or one before it.
    """
    if request.position > committed:
        return (
            f"Expected to acknowledge position {request.position}, "
            f"but the log goes no further than position {committed}"
        )
    if len(request.metadata) > EXPORTER_METADATA_BYTES_MAX:
        return (
            f"Expected to acknowledge position {request.position}, but there are "
            f"{len(request.metadata)} bytes of metadata; "
            f"at most {EXPORTER_METADATA_BYTES_MAX} are allowed"
        )
    return ""
