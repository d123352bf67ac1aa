"""Every limit of Grevy: its name with its unit, and why it is what it is. What reaches one gets an
error that names it.
"""

from __future__ import annotations

from typing import Final

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A variable document of a command. Zeebe: 4 MiB a message."""

MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A message on a socket: a document of the greatest size, the rest of a request, and room for what
is batched with it.
"""

ENTRY_BYTES_MAX: Final = 64 * 1024 * 1024
"""An entry of the log. A command's document appears a few times in what follows from it; the reader
allocates no more.
"""

SERVER_MESSAGE_BYTES_MAX: Final = ENTRY_BYTES_MAX + MESSAGE_BYTES_MAX
"""A message from a broker: a record push carries an entry whole, however large it is."""

BROKER_MESSAGE_BYTES_MAX: Final = ENTRY_BYTES_MAX + MESSAGE_BYTES_MAX
"""A message between brokers: an entry of the greatest size is replicated whole, with what else
there is to say.
"""

LIST_ITEMS_MAX: Final = 65_536
"""Items in any list of an entry or a message; far more than a batch makes. Empty items cost a
sender nothing.
"""

KEY_FILE_BYTES_MAX: Final = 1024 * 1024
"""A file of CURVE keys: a list of some ten thousand clients."""

SEGMENT_BYTES: Final = 128 * 1024 * 1024
"""A file of the log: large, so that there are few; small enough that compaction gives space back in
pieces. Zeebe: 128 MiB.
"""

RESOURCE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A file in a deployment; the same as a message in Zeebe."""

BATCH_STEPS_MAX: Final = 100
"""Internal steps in one entry before the rest goes on as a command of its own, so that others get
their turn. Zeebe: 100.
"""

BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Values in one entry, estimated by their documents, before the rest goes on as a command of its
own.
"""

ACTIVATIONS_MAX: Final = 10_000
"""Elements that one client command may activate without a wait in between; more is a loop, and
becomes an incident.
"""

JOBS_PER_ACTIVATION_MAX: Final = 1_000
"""Jobs that one activation hands out, whatever the worker asks for."""

JOB_PUSH_BYTES_MAX: Final = 4 * 1024 * 1024
"""Variables in one activation of jobs; what would not fit stays activatable. Zeebe: a message, 4
MiB.
"""

JOB_PUSH_BYTES_AIM: Final = 1024 * 1024
"""Variables in a push that holds the jobs of several steps, about: so much goes into one message,
and the worker begins with it while the next one is written.
"""

ERROR_MESSAGE_CHARS_MAX: Final = 10_000
"""A worker's error message; longer ones are cut. Zeebe: 10,000."""

VALIDATION_REPORT_BYTES_MAX: Final = 12 * 1024
"""The text that lists the faults of a deployment. Zeebe: 12 KiB."""

NAME_CHARS_MAX: Final = 4_096
"""Job types, message names, correlation keys, element ids: names, not documents."""

XML_DEPTH_MAX: Final = 100
"""Elements inside each other in a BPMN or DMN file; modelers stay below 30."""

XML_ELEMENTS_MAX: Final = 50_000
"""Elements in a BPMN file; the largest known models have some thousands, with their diagrams."""

XML_ATTRIBUTE_BYTES_MAX: Final = 64 * 1024
"""One attribute of a BPMN or DMN file: a long FEEL expression has a few KiB."""

XML_ATTRIBUTES_MAX: Final = 100
"""Attributes of one element of a BPMN or DMN file; the parser needs quadratic time for them."""

MODEL_FEEL_CHARS_MAX: Final = 256 * 1024
"""All different FEEL expressions of a BPMN file: some thousands; 20 µs a character to compile."""

DMN_ELEMENTS_MAX: Final = 200_000
"""Elements in a DMN file: a rule of a decision table has two for each cell, so 5,000 rules of four
have 50,000.
"""

DMN_FEEL_CHARS_MAX: Final = 512 * 1024
"""All different FEEL expressions of a DMN file but for constants and tests against them, which are
read at once; 10 µs a character to parse.
"""

DMN_STEPS_MAX: Final = 1_000_000
"""Steps of FEEL in one evaluation of a decision with all that it requires, cells of rules that are
tried among them: some 400 ms at the worst.
"""

DMN_EVALUATIONS_MAX: Final = 1_000
"""Decisions that one evaluation reports. One that several others require is reported for each of
them, as in Zeebe, so that their number can double with each level.
"""

DMN_RESULT_BYTES_MAX: Final = 4 * 1024 * 1024
"""Inputs and outputs that one evaluation reports, as JSON; the result is a value of the log."""

REQUESTS_REMEMBERED: Final = 8_192
"""Answers kept for each client: as many requests may be in flight and still be repeated safely."""

LATE_ANSWERS_REMEMBERED: Final = 1_024
"""Answers kept for each client beside those: of requests that waited for the result of an instance
while the client made that many others. Beyond that the oldest requests are forgotten.
"""

LARGE_ANSWER_BYTES_MIN: Final = 1024
"""Answers of at least that are counted by their bytes: results of instances and decisions, reports
of deployments. All others are bounded by their number, to 9 MiB a client at the very most and one
usually.
"""

LARGE_ANSWERS_BYTES_MAX: Final = 256 * 1024 * 1024
"""Large answers that a partition keeps, of all clients: 8,192 of 32 KiB each. Beyond that the
oldest are forgotten, but not that there was one: a request that comes again has no second effect.
"""

CLIENTS_REMEMBERED: Final = 10_000
"""Clients whose answers are kept; beyond that the longest silent one is forgotten."""

CODEC_SHAPES_CACHED: Final = 4_096
"""Combinations of names (ids of processes and elements, job types) that the codec keeps for each
kind of struct: those of some hundred processes. When there are more, all are made again, 5 µs each.
"""

CODEC_SHAPE_BYTES_MAX: Final = 512
"""Larger structs, with unusually long names, are prepared anew each time, so that the cache takes
some 4 MiB a kind of struct at the very most.
"""

CODEC_PIECE_ITEMS_MAX: Final = 32
"""Structs that are packed in one call. An entry has some 10 values; longer pieces come again less
often and save little.
"""

CODEC_WHOLE_ITEMS_MAX: Final = 4
"""Requests or replies of a message that is written whole; those of more come in too many mixtures.
"""

CODEC_IMPRINTS_CACHED: Final = 1_024
"""Lists that the codec has read and knows again, for each kind of list: some 3 KiB each, 10 more
for the first with its heads. When there are more, these are read by pycapnp, and now and then all
are forgotten and learned anew.
"""

CODEC_IMPRINT_ITEMS_MAX: Final = 32
"""Structs of a list that is known again; longer ones are rarely like another."""

CODEC_COURSES_CACHED: Final = 1_024
"""Sequences of record types, intents and places of values that the codec knows again in an entry,
some 1 KiB each: those of some hundred processes. What is not known is made, 10 µs an entry.
"""

CODEC_COURSE_RECORDS_MAX: Final = 64
"""Records of an entry that is known so; longer ones are rarely like another."""

CODEC_SPLITTERS_CACHED: Final = 512
"""Sequences of kinds of structs that the codec keeps prepared for each kind of list: 20 KiB each at
the very most. When there are more, all are made again, 10 µs a struct.
"""

CODEC_MOLDS_CACHED: Final = 1_024
"""Runs of structs that the codec keeps prepared for each kind of list: the steps of some hundred
processes, 10 KiB each at the usual sizes. When there are more, all are made again, 100 µs each.
"""

JSON_DEPTH_MAX: Final = 200
"""Arrays and objects inside each other in a variable document; deeper ones break the recursion of
many readers.
"""

FEEL_TEXT_CHARS_MAX: Final = 64 * 1024
"""One FEEL expression; the longest that people write have a few KiB."""

FEEL_NESTING_MAX: Final = 80
"""Brackets, functions and `if`s inside each other in a FEEL expression. Each level costs some
frames of Python's stack.
"""

FEEL_CALL_DEPTH_MAX: Final = 160
"""Heights of the FEEL functions that are running inside each other, summed: what evaluation may use
of Python's stack.
"""

FEEL_STEPS_MAX: Final = 500_000
"""Steps of one FEEL evaluation, see `feel.budget`: some 200 ms at the worst. Zeebe ends one after 5
s.
"""

FEEL_LIST_ITEMS_MAX: Final = 100_000
"""Items of a list, turns of a loop, numbers in a range that FEEL makes."""

FEEL_NUMBER_CHARS_MAX: Final = 1_000
"""A number as text, in an expression or for `number()`; Zeebe's JSON has no longer ones either.
What is calculated has 34 digits.
"""

FEEL_STRING_CHARS_MAX: Final = 1024 * 1024
"""A string that FEEL makes."""

FEEL_RESULT_WEIGHT_MAX: Final = 4 * 1024 * 1024
"""What an evaluation gives: its values counted one each, plus the characters of its strings. A
document takes no more.
"""

FEEL_WARNINGS_MAX: Final = 100
"""Warnings kept of one evaluation; a filter over a long list would give the same one thousands of
times.
"""

FEEL_REGEX_CHARS_MAX: Final = 1_000
"""A pattern of `matches`, `replace`, `split`, `extract`."""

FEEL_REGEX_WORK_MAX: Final = 50_000_000
"""Length of the text to the power of the pattern's repetitions: the worst case of a backtracking
matcher, some 500 ms.
"""

EXPORTER_PAUSE_MS_MIN: Final = 50
"""The first pause before a failed call of an exporter is repeated; it doubles with each failure."""

EXPORTER_PAUSE_MS_MAX: Final = 10_000
"""The longest pause before a failed call of an exporter is repeated: how long a healed target is
still left alone.
"""

EXPORTER_METADATA_BYTES_MAX: Final = 64 * 1024
"""What an exporter may leave with a position. It lies in the state of every replica; a few counters
need some hundred bytes.
"""

EXPORTER_ERROR_CHARS_MAX: Final = 2_000
"""The text of an exporter's failure in its status; servers answer with whole documents."""

STATE_KEY_PART_BYTES_MAX: Final = 96
"""A text in a key of the state; what is longer is cut and told apart by a digest, so that four
fit into LMDB's 511 bytes.
"""

STATE_UNSTORED_ROWS_MAX: Final = 4_096
"""Committed rows kept in memory before they are stored together: some 10 ms of work."""

STATE_LEFT_ROWS_MAX: Final = 512
"""Committed rows that are stored already when a commit has made them fewer: what came has gone
again, so what is left will mostly stay, and it is one millisecond of work instead of ten.
"""

STATE_UNSTORED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Entries whose writes are kept in memory before they are stored: bounds what large variables
take.
"""

STATE_SKIPPED_ROWS_MAX: Final = 512
"""Deleted rows that scans pass (each 0.1 µs) before storing, which removes them, is the cheaper
way.
"""

CHECKPOINT_LOG_BYTES: Final = 64 * 1024 * 1024
"""Log after which the state is copied before its time: it bounds how much a start replays."""

STATE_AUDIT_RECORDS: Final = 100_000
"""After so many the replicas of a partition compare the hashes of their states. Reading one stores
what is unstored, some milliseconds: a small part of the seconds that so many records take.
"""

STATE_CACHE_KEYS_MAX: Final = 4_096
"""Keys of a table that are kept decoded beside those not stored yet: what some hundred process
instances touch.
"""

STATE_CACHED_VALUE_BYTES_MAX: Final = 4 * 1024
"""Larger values are decoded each time; the cache then has 16 MiB a table at the very most, and
one tenth of it usually.
"""

STATE_MAP_BYTES: Final = 64 * 1024 * 1024 * 1024
"""Address space for a partition's LMDB, not memory or disk; it doubles when it is full."""

CHECKPOINT_PIECE_BYTES: Final = 1024 * 1024
"""A piece of a checkpoint's image with a checksum of its own."""

START_FREE_BYTES_MIN: Final = 4 * 1024 * 1024
"""Room on its disk with which a broker starts; a large state needs more, and then says so."""

RAFT_VOTERS_MAX: Final = 7
"""Voters of a group: more make every commit slower and bear no more than three losses (etcd advises
at most 7).
"""

RAFT_REPLICAS_MAX: Final = 21
"""Voters, voters before a change and learners of a group, counted together: four memberships must
fit one slot of 512 bytes.
"""

IN_FLIGHT_MAX: Final = 20_000
"""Entries on their way to commit; beyond that requests are refused, so that memory and latency stay
bounded.
"""

DUE_COMMANDS_MAX: Final = 100
"""Scheduled commands of each kind in one turn, so that clients get theirs too."""

MESSAGE_EXPIRY_PERIOD_MS: Final = 60_000
"""How often buffered messages are looked through for expired ones, as in Zeebe. None is correlated
after its time, looked through or not.
"""

REFUSED_TIMERS_PER_MS: Final = 10
"""Timers that came due for elements stuck at their completion are passed again whenever timers are
asked for; with ten thousand of them that is once a second.
"""

PENDING_ENTRIES_MAX: Final = 100
"""Continued batches in one turn, for the same reason."""

RESEND_AFTER_MS: Final = 5_000
"""How long another partition has for its answer before it is sent the same again: far more than two
commits take, far less than people wait. Zeebe: 10 s.
"""

RESEND_PERIOD_MS: Final = 5_000
"""How often what is not answered is looked through. Zeebe: 30 s."""

RESENDS_MAX: Final = 100
"""Commands that are sent again in one turn, so that a partition that was away for long does not
keep others from theirs.
"""

CLOSED_KNOWN_MS: Final = 120_000
"""How long a closed subscription of another partition's instance stays known, so that a late
command does not open it again: far longer than one can be on its way.
"""

GRAPHS_JUST_READ: Final = 32
"""Requirement graphs of deployments kept until somebody evaluates them: compiling a large one takes
half a second.
"""

MODELS_CACHED: Final = 1_000
"""Compiled processes kept at hand; more are compiled again. Zeebe caches as many."""

BROKERS_MAX: Final = 100
"""Brokers of a cluster; gossip is made for 3 to 30."""

HOSTS_MAX: Final = 64
"""Processes of a broker: each has a connection to each host of each broker."""

REPLICATION_FACTOR_MAX: Final = 6
"""Replicas of a partition: a group has one voter more while a replica moves, and Raft's groups have
7 at most.
"""
