# What clients and brokers say to each other, the twins of grevy/protocol/messages.py.
#
# Each frame on a socket is one ClientMessage or ServerMessage with as many requests, replies and
# pushes as there were at hand, and with the tables of values and documents that they speak of
# (see record.capnp).

@0xa87d1a9fb7f29703;

using Document = import "values.capnp".Document;
using Key = import "values.capnp".Key;
using Value = import "values.capnp".Value;
using Answer = import "record.capnp".Answer;

struct ClientMessage {
  clientId @0 :Data;  # 16 random bytes
  requests @1 :List(Request);
  values @2 :List(Value);
  documents @3 :List(Data);
}

struct Request {
  union {
    command @0 :CommandRequest;
    topology @1 :TopologyRequest;
    status @2 :StatusRequest;
    openJobSubscription @3 :OpenJobSubscription;
    openRecordSubscription @4 :OpenRecordSubscription;
    addCredit @5 :AddCredit;
    acknowledgeRecords @6 :AcknowledgeRecords;
    closeSubscription @7 :CloseSubscription;
    heartbeat @8 :Heartbeat;
    cluster @9 :ClusterRequest;
  }
}

struct CommandRequest {
  number @0 :Int64;
  partitionId @1 :Int64;
  intent @2 :UInt16;  # value type << 8 | intent
  key @3 :Key;
  value @4 :UInt32;   # place in the message's values, from 1
}

struct TopologyRequest {
  number @0 :Int64;
}

struct StatusRequest {
  number @0 :Int64;
}

struct ClusterRequest {
  number @0 :Int64;
  kind @1 :UInt8;
  add @2 :List(Int64);       # node ids
  addresses @3 :List(Text);  # cluster addresses of those, "" for one that is known
  remove @4 :List(Int64);    # node ids
  replicationFactor @5 :Int64;
  isTrial @6 :Bool;
}

struct OpenJobSubscription {
  subscription @0 :Int64;
  partitionId @1 :Int64;
  type @2 :Text;
  worker @3 :Text;
  timeout @4 :Int64;  # ms
  fetchVariables @5 :List(Text);
  credit @6 :Int64;
}

struct OpenRecordSubscription {
  subscription @0 :Int64;
  partitionId @1 :Int64;
  fromPosition @2 :Int64;
  valueTypes @3 :List(UInt8);
  credit @4 :Int64;
  exporterId @5 :Text;
}

struct AddCredit {
  subscription @0 :Int64;
  credit @1 :Int64;
}

struct AcknowledgeRecords {
  subscription @0 :Int64;
  position @1 :Int64;
  metadata @2 :Data;
}

struct CloseSubscription {
  subscription @0 :Int64;
}

struct Heartbeat {
  settled @0 :Int64;
}

struct ServerMessage {
  items @0 :List(ServerItem);
  values @1 :List(Value);
  documents @2 :List(Data);
}

struct ServerItem {
  union {
    commandReply @0 :CommandReply;
    errorReply @1 :ErrorReply;
    topologyReply @2 :TopologyReply;
    statusReply @3 :StatusReply;
    jobPush @4 :JobPush;
    recordPush @5 :RecordPush;
    subscriptionOpened @6 :SubscriptionOpened;
    subscriptionClosed @7 :SubscriptionClosed;
  }
}

struct CommandReply {
  number @0 :Int64;
  answer @1 :Answer;
}

struct ErrorReply {
  number @0 :Int64;
  code @1 :UInt8;
  message @2 :Text;
  retryAfterMs @3 :Int64;
}

struct PartitionInfo {
  partitionId @0 :Int64;
  leader @1 :Text;  # client endpoint; "" while there is none
  term @2 :Int64;
}

struct ReplicaInfo {
  partitionId @0 :Int64;
  role @1 :Text;
  term @2 :Int64;
  position @3 :Int64;
  isHealthy @4 :Bool = true;
}

struct BrokerInfo {
  nodeId @0 :Int64;
  endpoint @1 :Text;  # client endpoint
  version @2 :Text;
  isAlive @3 :Bool;
  replicas @4 :List(ReplicaInfo);
}

struct TopologyReply {
  number @0 :Int64;
  clusterId @1 :Text;
  version @2 :Text;
  partitions @3 :List(PartitionInfo);
  brokers @4 :List(BrokerInfo);
  replicationFactor @5 :Int64 = 1;
}

struct StatusReply {
  number @0 :Int64;
  status @1 :Document;
}

struct ActivatedJob {
  key @0 :Key;
  type @1 :Text;
  worker @2 :Text;
  retries @3 :Int64;
  deadline @4 :Int64;
  activation @5 :Int64;
  customHeaders @6 :Document;
  variables @7 :Document;
  elementId @8 :Text;
  elementInstanceKey @9 :Key;
  bpmnProcessId @10 :Text;
  processDefinitionVersion @11 :Int64;
  processDefinitionKey @12 :Key;
  processInstanceKey @13 :Key;
}

struct JobPush {
  subscription @0 :Int64;
  jobs @1 :List(ActivatedJob);
}

struct RecordPush {
  subscription @0 :Int64;
  entries @1 :List(Data);  # frames of record.capnp:Entry, as they lie in the log
  upTo @2 :Int64;
}

struct SubscriptionOpened {
  subscription @0 :Int64;
  position @1 :Int64;
  metadata @2 :Data;
}

struct SubscriptionClosed {
  subscription @0 :Int64;
  code @1 :UInt8;
  message @2 :Text;
}
