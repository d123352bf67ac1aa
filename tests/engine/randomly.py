"""Random block-structured processes, and random paths through them.

A process is a nest of blocks; each block is entered at one node and left at one node, so that every
process can end. What a path does next is drawn from what the records say is open: jobs, messages
that are waited for, timers, incidents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from hypothesis import strategies as st
from tests.engine.decisions import calling, graph, literal
from tests.engine.models import ProcessBuilder, error_ref, message_ref, timer

JOB_TYPES = ("a", "b")
LEAVES_MAX = 8
LEAVES = (
    "task",
    "mapped",
    "script",
    "stuck",
    "decision",
    "unsure",
    "manual",
    "throw",
    "timer",
    "message",
    "receive",
    "error",
)
NESTS = ("sequence", "choice", "fork", "events")
GUARDS = ("guarded by error", "guarded by timer", "guarded by message")

_NEXT = literal("next", "if last = null then 1 else last + 1", requires="last")
_UNSURE = literal("unsure", 'if is defined(fixed) then 1 else assert(x, x = "no")')
DECISIONS = graph("g", _NEXT, literal("last", "x"), _UNSURE)
OTHER_DECISIONS = graph("g", literal("next", "2"))
"""What business rule tasks of random processes call: the one now, the other then."""

Ends = tuple[str, str]
"""The node to enter a block by, and the node to leave it by."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a process.

    Of the inner ones of a guarded sub-process the second is what its boundary event leads to.
    """

    kind: str
    inner: tuple[Block, ...] = ()


def processes() -> st.SearchStrategy[str]:
    """BPMN files of a process `p`."""
    leaves = st.builds(Block, st.sampled_from(LEAVES))
    return st.recursive(leaves, _nests, max_leaves=LEAVES_MAX).map(write)


def random_process(rng: Random) -> str:
    """The same, as the seed decides."""
    return write(_random_block(rng, rng.randint(1, LEAVES_MAX)))


def _random_block(rng: Random, leaves: int) -> Block:
    """A block with so many leaves, at most one of them more where it needs two."""
    if leaves == 1 and rng.random() < 0.8:
        return Block(rng.choice((*LEAVES, "task", "task", "task", "mapped")))
    kind = rng.choice((*NESTS, *NESTS, "sub-process", *GUARDS))
    if kind == "sub-process":
        return Block(kind, (_random_block(rng, leaves),))
    first = rng.randint(1, max(1, leaves - 1))
    inner = (_random_block(rng, first), _random_block(rng, max(1, leaves - first)))
    return Block(kind, inner)


def _nests(inner: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    one, two = st.tuples(inner), st.tuples(inner, inner)
    return st.one_of(
        st.builds(Block, st.sampled_from(NESTS), two),
        st.builds(Block, st.just("sub-process"), one),
        st.builds(Block, st.sampled_from(GUARDS), two),
    )


def write(block: Block) -> str:
    """The BPMN file of a nest."""
    builder = ProcessBuilder("p")
    start = builder.start()
    entry, leave = _Writer(builder).write(block)
    builder.chain(start, entry)
    builder.chain(leave, builder.end())
    return builder.xml()


class _Writer:
    """Writes blocks with a builder."""

    def __init__(self, builder: ProcessBuilder) -> None:
        self._builder = builder
        self._types = 0
        self._nests: dict[str, Callable[[Block], Ends]] = {
            "sequence": self._sequence,
            "choice": self._choice,
            "fork": self._fork,
            "events": self._events,
            "sub-process": self._sub_process,
            **dict.fromkeys(GUARDS, self._guarded),
        }

    def write(self, block: Block) -> Ends:
        if block.kind in self._nests:
            return self._nests[block.kind](block)
        if block.kind == "error":
            return self._error()
        node = self._leaf(block.kind)
        return node, node

    def _leaf(self, kind: str) -> str:
        builder, node = self._builder, self._builder.new_id(kind)
        match kind:
            case "task":
                return builder.task(node, self._job_type())
            case "mapped":
                return builder.task(
                    node,
                    self._job_type(),
                    '<zeebe:ioMapping><zeebe:input source="=x" target="seen"/>'
                    '<zeebe:output source="=seen" target="out.seen"/></zeebe:ioMapping>',
                )
            case "script":
                return builder.script(node, "=if x = null then 1 else x + 1", "x")
            case "stuck":
                return builder.script(
                    node, '=if is defined(fixed) then 1 else assert(x, x = "no")', "y"
                )
            case "decision":
                return builder.node("businessRuleTask", node, calling("next", "x"))
            case "unsure":
                return builder.node("businessRuleTask", node, calling("unsure", "y"))
            case "timer":
                return builder.node("intermediateCatchEvent", node, timer("PT10S"))
            case "message":
                return builder.node("intermediateCatchEvent", node, self._message(node))
            case "receive":
                return builder.node("receiveTask", node, messageRef=builder.message(node, '="key"'))
            case "manual":
                return builder.node("manualTask", node)
            case _:
                return builder.node("intermediateThrowEvent", node)

    def _sequence(self, block: Block) -> Ends:
        ends = [self.write(inner) for inner in block.inner]
        for (_, leave), (entry, _) in pairwise(ends):
            self._builder.flow(leave, entry)
        return ends[0][0], ends[-1][1]

    def _choice(self, block: Block) -> Ends:
        builder = self._builder
        split, merge = self._gateways("exclusiveGateway")
        first, *others = [self.write(inner) for inner in block.inner]
        builder.flow(split, first[0], "=x != null and x &gt; 1")
        builder.flow(first[1], merge)
        for entry, leave in others:
            builder.flow(split, entry, "=true")
            builder.flow(leave, merge)
        return split, merge

    def _fork(self, block: Block) -> Ends:
        split, merge = self._gateways("parallelGateway")
        for entry, leave in [self.write(inner) for inner in block.inner]:
            self._builder.chain(split, entry)
            self._builder.chain(leave, merge)
        return split, merge

    def _events(self, block: Block) -> Ends:
        """The first of a timer and a message decides what goes on."""
        builder = self._builder
        split = builder.node("eventBasedGateway", builder.new_id("events"))
        merge = builder.node("exclusiveGateway", builder.new_id("merge"))
        catches = (self._leaf("timer"), self._leaf("message"))
        for catch, inner in zip(catches, block.inner, strict=True):
            entry, leave = self.write(inner)
            builder.chain(split, catch, entry)
            builder.chain(leave, merge)
        return split, merge

    def _sub_process(self, block: Block) -> Ends:
        scope = self._scope(block.inner[0])
        return scope, scope

    def _guarded(self, block: Block) -> Ends:
        """A sub-process with a boundary event; if it interrupts, both ways meet again."""
        builder = self._builder
        scope = self._scope(block.inner[0])
        boundary = builder.new_id("boundary")
        definition = {
            "guarded by error": lambda: error_ref(builder.error("oops")),
            "guarded by timer": lambda: timer("PT30S"),
            "guarded by message": lambda: self._message(boundary),
        }[block.kind]()
        is_calm = block.kind == "guarded by message"
        attributes = {"attachedToRef": scope} | ({"cancelActivity": "false"} if is_calm else {})
        builder.node("boundaryEvent", boundary, definition, **attributes)
        way = self.write(block.inner[1])
        if not is_calm:
            return scope, self._met(scope, boundary, way)
        builder.chain(boundary, way[0])  # a path more, so it must not lead into a join
        builder.chain(way[1], builder.end(builder.new_id("end")))
        return scope, scope

    def _error(self) -> Ends:
        """A sub-process that ends with an error, which is caught."""
        builder = self._builder
        error = builder.error("own")
        builder.open_scope()
        inner = builder.start(builder.new_id("start"))
        builder.chain(inner, builder.end(builder.new_id("end"), error_ref(error)))
        scope = builder.close_scope(builder.new_id("sub"))
        boundary = builder.new_id("boundary")
        builder.node("boundaryEvent", boundary, error_ref(error), attachedToRef=scope)
        manual = self._leaf("manual")
        return scope, self._met(scope, boundary, (manual, manual))

    def _met(self, scope: str, boundary: str, way: Ends) -> str:
        builder = self._builder
        merge = builder.node("exclusiveGateway", builder.new_id("merge"))
        builder.chain(boundary, way[0])
        builder.chain(way[1], merge)
        builder.chain(scope, merge)
        return merge

    def _scope(self, block: Block) -> str:
        builder = self._builder
        builder.open_scope()
        start = builder.start(builder.new_id("start"))
        entry, leave = self.write(block)
        builder.chain(start, entry)
        builder.chain(leave, builder.end(builder.new_id("end")))
        return builder.close_scope(builder.new_id("sub"))

    def _gateways(self, tag: str) -> Ends:
        builder = self._builder
        return builder.node(tag, builder.new_id("split")), builder.node(
            tag, builder.new_id("merge")
        )

    def _message(self, node: str) -> str:
        return message_ref(self._builder.message(node, '="key"'))

    def _job_type(self) -> str:
        self._types += 1
        return JOB_TYPES[self._types % len(JOB_TYPES)]
