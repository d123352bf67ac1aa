"""What can be wrong with a cluster.

GrevyError
└── ClusterError
    ├── DistributionError       numbers of brokers, partitions and replicas that do not go together
    ├── ChangeRefused           a change that cannot be begun, or taken back, now
    ├── PlanCorrupted           the plan on the disk cannot be read, or is another cluster's
    └── MembershipConflict      a broker that cannot be a member beside this one
        ├── NodeIdTaken             it runs under the same node id
        ├── OtherCluster            it is of a cluster with another id
        ├── OtherVersion            it is of a release that this one cannot work with
        └── OtherSettings           it was started with other partitions or brokers
"""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class ClusterError(GrevyError):
    """Base of the errors of this room; the texts are for those who run the cluster."""


class DistributionError(ClusterError):
    """Brokers, partitions and replicas that do not go together; the text says which and why."""


class ChangeRefused(ClusterError):
    """The change was not begun, and nothing is different; the text says what stands against it."""


class PlanCorrupted(ClusterError):
    """The plan on the disk cannot be trusted; starting without it would forget who is a member."""


class MembershipConflict(ClusterError):
    """Two brokers that cannot be members of one cluster. A broker that is about to join ends; one
    that has joined says it, and goes on.
    """


class NodeIdTaken(MembershipConflict):
    """Another broker runs under the same node id."""


class OtherCluster(MembershipConflict):
    """A broker of a cluster with another id has this one's address, or this one has its."""


class OtherVersion(MembershipConflict):
    """A broker whose release is too far from this one's."""


class OtherSettings(MembershipConflict):
    """A broker that was started with other partitions, brokers or places for replicas."""
