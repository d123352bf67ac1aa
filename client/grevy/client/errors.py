"""What can go wrong for a client.

    GrevyError
    └── ClientError
        ├── ClientClosed            the client was closed meanwhile
        ├── Unavailable             no leader took the request in time; it had no effect
        │   └── NotLetIn            somebody listens there, but there is no connection, and why
        ├── Overloaded              the broker refused it for load until the time was over; no
        effect
        ├── RequestTimeout          it was sent and not answered: it may have happened, or may yet
        ├── TooLarge                a request beyond a limit; it is not sent
        ├── BadRequest              it cannot be written, or the broker cannot read it
        ├── Refused                 the cluster is not changed, and why
        ├── RecordsMissing          a record subscription goes on after a gap
        └── Rejected                the engine says no; `reason` is its sentence
            ├── InvalidArgument
            ├── NotFound
            │   └── UnknownPartition    no partition gave out this key
            ├── AlreadyExists
            ├── InvalidState
            ├── ProcessingError
            ├── ExceededBatchRecordSize
            ├── Unauthorized
            ├── Forbidden
            └── ResourceExhausted

`JobError` and `JobFailed` are no errors of the client: job handlers raise them, to throw a BPMN
error, or to say why a job failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from grevy.protocol.errors import GrevyError
from grevy.protocol.intents import RejectionType


class ClientError(GrevyError):
    """Base of all errors that a client raises."""


class ClientClosed(ClientError):
    """The client was closed before the answer came."""


class Unavailable(ClientError):
    """No broker that leads the partition could be reached in time; the request had no effect."""


class NotLetIn(Unavailable):
    """No broker answered, though somebody listens there: it does not allow this client's key, has
    another one itself, or encrypts nothing. `troubles` says it, a sentence for each endpoint.
    """

    def __init__(self, text: str, troubles: Sequence[str]) -> None:
        super().__init__(text)
        self.troubles = tuple(troubles)


class Overloaded(ClientError):
    """The broker refused the request for load, again and again; it had no effect."""


class RequestTimeout(ClientError):
    """The request was sent and not answered in time; whether it happened is not known."""


class TooLarge(ClientError):
    """A document, a file or a whole request beyond a limit."""


class BadRequest(ClientError):
    """The request cannot be written, or not be read by the broker, which is of another version."""


class Refused(ClientError):
    """The cluster is not changed as it was asked for; the text says what stands against it."""


class RecordsMissing(ClientError):
    """Records between two positions were compacted away before they were read.

    The subscription is intact: iterate on to get what comes after `found`.
    """

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"expected to go on at position {expected}, but the log begins at {found}")
        self.expected = expected
        self.found = found


class Rejected(ClientError):
    """The engine rejected the command; `str()` is the reason that it gave."""

    type: RejectionType

    @property
    def reason(self) -> str:
        """The engine's sentence."""
        return str(self)


class InvalidArgument(Rejected):
    """Something in the command is not right."""

    type = RejectionType.INVALID_ARGUMENT


class NotFound(Rejected):
    """What the command is about does not exist, or no longer."""

    type = RejectionType.NOT_FOUND


class UnknownPartition(NotFound):
    """The key names a partition that the cluster does not have."""


class AlreadyExists(Rejected):
    """What the command would create is there."""

    type = RejectionType.ALREADY_EXISTS


class InvalidState(Rejected):
    """It exists, but not in a state that allows this."""

    type = RejectionType.INVALID_STATE


class ProcessingError(Rejected):
    """The engine failed at the command."""

    type = RejectionType.PROCESSING_ERROR


class ExceededBatchRecordSize(Rejected):
    """What would follow from the command is too large for one entry of the log."""

    type = RejectionType.EXCEEDED_BATCH_RECORD_SIZE


class Unauthorized(Rejected):
    """The broker does not know who asks."""

    type = RejectionType.UNAUTHORIZED


class Forbidden(Rejected):
    """The broker knows who asks, and that it may not."""

    type = RejectionType.FORBIDDEN


class ResourceExhausted(Rejected):
    """The engine has no room for it."""

    type = RejectionType.RESOURCE_EXHAUSTED


REJECTIONS: Final[dict[RejectionType, type[Rejected]]] = {
    kind.type: kind for kind in Rejected.__subclasses__()
}
"""The error of each rejection type."""


class JobError(Exception):
    """Raised by a job handler: throws a BPMN error, which the process may catch by its code."""

    def __init__(
        self, code: str, message: str = "", variables: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.variables = variables


class JobFailed(Exception):
    """Raised by a job handler: fails the job, in the handler's own words.

    Any other exception fails the job too; this one is expected, and is not logged with a traceback.
    `retries` is how often the job may be tried again (None: one less than before; 0 makes an
    incident), `retry_backoff` how long it waits before that, in seconds (None: as the worker says).
    """

    def __init__(
        self,
        message: str,
        *,
        retries: int | None = None,
        retry_backoff: float | timedelta | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retries = retries
        self.retry_backoff = retry_backoff
        self.variables = variables
