# Entries of the log, the twins of grevy/protocol/record.py.
#
# An entry holds its records by column: record i is recordTypes[i], intents[i], keys[i],
# values[valueIndexes[i] - 1]. A list of numbers is read by pycapnp in one call, so that columns cost
# a third of what a list of structs does. Values and documents lie in tables of their own, because
# the events of an element's life carry the same value and a command's document comes back in what
# follows from it.

@0xeb759b3d38c0a419;

using Document = import "values.capnp".Document;
using Key = import "values.capnp".Key;
using Value = import "values.capnp".Value;

struct Entry {
  partitionId @0 :UInt16;
  timestamp @1 :Int64;        # epoch ms
  firstPosition @2 :Int64;    # position of record 0; record i has firstPosition + i
  commandPosition @3 :Int64;  # of the command that the entry is the outcome of
  valueTypes @4 :UInt64;      # bit n: the entry has a record of value type n; for filters

  recordTypes @5 :List(UInt8);     # 0 event, 1 command, 2 rejection
  intents @6 :List(UInt16);        # value type << 8 | intent, both Zeebe's numbers
  keys @7 :List(Key);
  valueIndexes @8 :List(UInt32);   # from 1
  rejections @9 :List(Rejection);  # sparse: most records are none

  values @10 :List(Value);
  documents @11 :List(Data);

  replies @12 :List(Reply);
  keyCounter @13 :Int64;   # keys that the partition has given out, after this entry
  activations @14 :Int64;  # elements activated so far by the chain of commands
}

struct Rejection {
  record @0 :UInt32;  # place in the columns, from 0
  type @1 :Int8;      # Zeebe's number
  reason @2 :Text;
}

struct Reply {
  request @0 :RequestId;
  answer @1 :Answer;
}

struct RequestId {
  clientId @0 :Data;  # 16 random bytes
  number @1 :Int64;
}

struct Answer {
  intent @0 :UInt16;              # as in Entry.intents
  key @1 :Key;
  value @2 :UInt32;               # place in the frame's values, from 1; 0: none
  rejectionType @3 :Int8 = -1;    # Zeebe's number; -1: no rejection
  rejectionReason @4 :Text;
}
