"""Rare situations of a cluster that a column of runs must reach."""

from __future__ import annotations

from tests.sim.marks import Mark


class ClusterMark(Mark):
    """The situations."""

    KILLED_IN_FLIGHT = "a leader is killed with commands that are not committed"
    DEPOSED_IN_FLIGHT = "a leader leads no longer, with commands that are not committed"
    NEVER_SERVED = "a leader leads no longer before it serves"
    KILLED_IN_CHECKPOINT = "a broker is killed while it copies its state"
    KILLED_IN_INSTALLATION = "a broker is killed while a snapshot is installed"
    INSTALLED = "a snapshot is installed"
    WIPED = "a broker comes back with empty disks"
    ALL_DOWN = "all brokers are down"
    DISK_FAILED = "a broker ends, since its disk has failed"
    DAMAGED = "a broker finds damage, and is repaired by the others"
    CLOCK_BEHIND = "a leader's clock is behind the log's time"
    CLOCK_STEPPED = "a leader's clock is set back while it leads"
    REPEATED_IN_FLIGHT = "a request comes again before it is committed"
    REPEATED_ANSWERED = "a request comes again, and has its first answer"
    ANSWERED_ELSEWHERE = "a request that one broker was asked is answered by another"
    SENT_ON = "a client is sent on by who does not lead"
    SENT_AGAIN = "a command to another partition is sent again"
    REFUSED_AGAIN = "a command of another partition comes again, and is refused"
    TIMED_OUT = "a worker keeps a job too long"
    LATE_COMPLETION = "a worker completes a job that is not its own any more"
    YIELDED = "a worker vanishes, and its jobs are given to others"
    PUBLISHED_TWICE = "a message is published twice, and refused"
    CANCELLED = "an instance is cancelled while things go wrong"
    DEPLOYED_AGAIN = "a process is deployed while things go wrong"
    EXPORT_FAILED = "an exporter fails"
    EXPORTER_SLOW = "an exporter takes long"
    EXPORTER_RESTARTED = "an exporter's process ends, and another one begins"
    EXPORTED_AGAIN = "records come to an exporter again"
    ACKNOWLEDGED_LATE = "an exporter acknowledges later than it exports"
    EXPORTER_MOVES = "an exporter goes on at another broker"
    READER_SLOW = "a reader takes long, and falls behind"
    GAP_TOLD = "a reader is told that records are gone"
    OLD_LIFE = "a message comes that was sent to an earlier life of its receiver"
    STALE = "a link holds messages for long, and gives them out"
