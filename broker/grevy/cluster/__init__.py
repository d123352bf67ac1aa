"""The cluster: which brokers there are, who leads, what lies where, and how that is changed.

| file | noun |
| --- | --- |
| `distribution.py` | which brokers hold which partition, and who should lead it |
| `members.py`, `gossip.py` | who is there, and what each says of itself |
| `hosts.py` | a broker's processes, and the broker that they are |
| `topology.py`, `report.py` | the same, as clients see it, and those who run the cluster |
| `requests.py` | what those who run the cluster can ask for |
| `plan.py`, `conductor.py`, `storage.py` | changes: their steps, who does what, what is kept |
| `lead_back.py` | when a lead goes back to who should have it |
"""

from grevy.cluster.conductor import (
    Action,
    ChangeMembers,
    HandOver,
    KeepPlan,
    LedGroup,
    View,
    Wait,
    may_leave,
    next_action,
    replicas_wanted,
    transfers_due,
)
from grevy.cluster.distribution import distribute, fixed, primary_of, redistribute
from grevy.cluster.errors import (
    ChangeRefused,
    ClusterError,
    DistributionError,
    MembershipConflict,
    NodeIdTaken,
    OtherCluster,
    OtherSettings,
    OtherVersion,
    PlanCorrupted,
)
from grevy.cluster.gossip import Broker, Gossiper, GossipSettings, Letter, describe
from grevy.cluster.hosts import Whereabouts, brokers_of, hosts_up
from grevy.cluster.lead_back import Candidate, LeadBack
from grevy.cluster.members import Liveness
from grevy.cluster.plan import (
    HostsUp,
    Step,
    StepKind,
    apply_step,
    begin,
    cancel,
    first_plan,
    heir_of,
    is_under_way,
    newness_of,
    placement_of,
    steps_of,
    voters_of,
)
from grevy.cluster.report import ClusterStatus, status_of
from grevy.cluster.requests import (
    ChangeReply,
    ChangeRequest,
    decide,
    decider_of,
    rebalance,
    reply_to,
)
from grevy.cluster.storage import PlanFile, peek_plan
from grevy.cluster.topology import heir_with_room, leaders_of, living_leaders, topology_of

__all__ = [
    "Action",
    "Broker",
    "Candidate",
    "ChangeMembers",
    "ChangeRefused",
    "ChangeReply",
    "ChangeRequest",
    "ClusterError",
    "ClusterStatus",
    "DistributionError",
    "GossipSettings",
    "Gossiper",
    "HandOver",
    "HostsUp",
    "KeepPlan",
    "LeadBack",
    "LedGroup",
    "Letter",
    "Liveness",
    "MembershipConflict",
    "NodeIdTaken",
    "OtherCluster",
    "OtherSettings",
    "OtherVersion",
    "PlanCorrupted",
    "PlanFile",
    "Step",
    "StepKind",
    "View",
    "Wait",
    "Whereabouts",
    "apply_step",
    "begin",
    "brokers_of",
    "cancel",
    "decide",
    "decider_of",
    "describe",
    "distribute",
    "first_plan",
    "fixed",
    "heir_of",
    "heir_with_room",
    "hosts_up",
    "is_under_way",
    "leaders_of",
    "living_leaders",
    "may_leave",
    "newness_of",
    "next_action",
    "peek_plan",
    "placement_of",
    "primary_of",
    "rebalance",
    "redistribute",
    "replicas_wanted",
    "reply_to",
    "status_of",
    "steps_of",
    "topology_of",
    "transfers_due",
    "voters_of",
]
