# What brokers say to each other, the twins of grevy/protocol/broker_messages.py, raft_messages.py
# and gossip_messages.py.
#
# Each frame on a socket is one BrokerMessage with all that there was to say to a peer, with the
# tables of values and documents that its commands speak of (see record.capnp), and behind it eight
# bytes: its CRC-32C, and the mark of this form.

@0xd5b1c7e2f0a94b36;

using ClusterRequest = import "client.capnp".ClusterRequest;
using Document = import "values.capnp".Document;
using Key = import "values.capnp".Key;
using Value = import "values.capnp".Value;

struct BrokerMessage {
  clusterId @0 :Text;
  sender @1 :Int64;      # member id; its node id is that of all words of Raft
  sentAtMs @2 :Int64;    # epoch ms, by the sender's clock
  groupMessages @3 :List(GroupMessage);
  items @4 :List(BrokerItem);
  values @5 :List(Value);
  documents @6 :List(Data);
}

struct GroupMessage {
  # A word of Raft. Flat, so that a list of them is numbers in a row, none of them below 0.
  partitionId @0 :UInt64;
  term @1 :UInt64;
  round @2 :UInt64;
  union {
    voteRequest :group {
      lastIndex @3 :UInt64;
      lastTerm @4 :UInt64;
      isPreVote @5 :Bool;
      isTransfer @6 :Bool;
    }
    voteResponse :group {
      isGranted @7 :Bool;
      isPreVote @8 :Bool;
    }
    appendRequest :group {
      previousIndex @9 :UInt64;
      previousTerm @10 :UInt64;
      commitIndex @11 :UInt64;
      terms @12 :List(UInt64);     # of the entries after previousIndex
      sizes @13 :List(UInt32);    # of their payloads, bytes
      payloads @14 :Data;         # one behind the other
      repairId @15 :UInt64;
      repairIndex @16 :UInt64;
    }
    appendResponse :group {
      matchIndex @17 :UInt64;
      hintTerm @18 :UInt64;
      isRejected @19 :Bool;
      repairId @20 :UInt64;
    }
    heartbeat :group {
      commitIndex @21 :UInt64;
    }
    heartbeatResponse :group {
      repairId @22 :UInt64;
    }
    snapshotChunk :group {
      index @23 :UInt64;
      indexTerm @24 :UInt64;
      offset @25 :UInt64;          # bytes
      totalBytes @26 :UInt64;
      members @27 :GroupMembers;
      data @28 :Data;
    }
    snapshotResponse :group {
      index @29 :UInt64;
      offset @30 :UInt64;          # bytes
      isInstalled @31 :Bool;
    }
    takeOver @32 :Void;
  }
}

struct GroupMembers {
  voters @0 :List(Int64);
  oldVoters @1 :List(Int64);
  learners @2 :List(Int64);
}

struct BrokerItem {
  union {
    remoteCommand @0 :RemoteCommand;
    gossip @1 :Gossip;
    clusterQuestion @2 :ClusterQuestion;
    clusterAnswer @3 :ClusterAnswer;
  }
}

struct ClusterQuestion {
  number @0 :Int64;  # of the sender's; 0 wants no answer
  request @1 :ClusterRequest;
}

struct ClusterAnswer {
  number @0 :Int64;
  document @1 :Document;
  reason @2 :Text;  # why not; "" otherwise
}

struct RemoteCommand {
  partitionId @0 :Int64;
  sourcePartitionId @1 :Int64;
  intent @2 :UInt16;     # value type << 8 | intent
  key @3 :Key;
  value @4 :UInt32;      # place in the message's values, from 1
}

struct Gossip {
  sender @0 :Int64;
  members @1 :List(MemberState);
  isQuestion @2 :Bool;
  contact @3 :Text;
  plans @4 :List(ClusterPlan);
}

struct MemberState {
  nodeId @0 :Int64;
  incarnation @1 :Int64;  # epoch ms
  version @2 :Int64;
  clusterEndpoint @3 :Text;
  clientEndpoint @4 :Text;
  software @5 :Text;
  isLeaving @6 :Bool;
  replicas @7 :List(ReplicaState);
  instance @8 :Int64;
  planEpoch @9 :Int64;
  planStep @10 :Int64;
  planDigest @11 :Int64;
}

struct ReplicaState {
  partitionId @0 :Int64;
  term @1 :Int64;
  leader @2 :Int64;
  role @3 :Text;
  position @4 :Int64;
  isHealthy @5 :Bool = true;
  hasRoom @6 :Bool = true;
}

struct ReplicaPlacement {
  nodeId @0 :Int64;
  priority @1 :Int64;
  isLearner @2 :Bool;
}

struct PartitionPlacement {
  partitionId @0 :Int64;
  replicas @1 :List(ReplicaPlacement);
}

struct ClusterConfiguration {
  brokers @0 :List(Int64);
  partitions @1 :List(PartitionPlacement);
}

struct ClusterPlan {
  epoch @0 :Int64;
  step @1 :Int64;
  author @2 :Int64;
  current @3 :ClusterConfiguration;
  target @4 :ClusterConfiguration;
  wish @5 :Int64;
}
