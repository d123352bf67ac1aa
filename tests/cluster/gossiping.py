"""Brokers that gossip in the simulated world. A machine has an endpoint; what runs there, under
which node id, the test decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec
from tests.sim.network import SimNetwork, SimPort, Weather
from tests.sim.world import World

from grevy.cluster import (
    Gossiper,
    GossipSettings,
    Letter,
    Liveness,
    MembershipConflict,
    leaders_of,
    newness_of,
)
from grevy.protocol.gossip_messages import ClusterPlan, Gossip, MemberState, ReplicaState

MS_US = 1_000
ROUND_MS = 250
POLL_MS = 50
"""How often a broker's loop asks for what is due."""


def endpoint(machine: int) -> str:
    return f"machine-{machine}:26601"


class Frame(msgspec.Struct):
    """What is sent: here as JSON."""

    cluster_id: str
    gossip: Gossip


class Process:
    """A broker that runs on a machine."""

    def __init__(self, sim: GossipSim, machine: int, settings: GossipSettings) -> None:
        self.sim = sim
        self.machine = machine
        self.settings = settings
        self.is_dead = False
        self.error: MembershipConflict | None = None
        clock = sim.world.clock
        date_ms = clock.now_ms() + sim.skew_ms.get(machine, 0)
        plan = sim.plans.get(machine)
        self.gossiper = Gossiper(settings, sim.world.entropy, date_ms, plan)
        self._port: SimPort = sim.network.join(machine, self._receive)
        sim.world.after(sim.world.rng.randrange(POLL_MS * MS_US), self._poll)

    @property
    def now_ms(self) -> int:
        return self.sim.now_ms

    def alive(self) -> set[int]:
        return set(self.gossiper.alive(self.now_ms))

    def liveness(self, node_id: int) -> Liveness | None:
        for broker in self.gossiper.brokers(self.now_ms):
            if broker.state.node_id == node_id:
                return broker.liveness
        return None

    def state_of(self, node_id: int) -> MemberState:
        brokers = self.gossiper.brokers(self.now_ms)
        return next(each.state for each in brokers if each.state.node_id == node_id)

    def leader_of(self, partition_id: int) -> tuple[int, int]:
        return leaders_of(self.gossiper.brokers(self.now_ms)).get(partition_id, (0, 0))

    def set_replicas(self, *replicas: ReplicaState) -> None:
        self.send(self.gossiper.set_replicas(replicas, self.now_ms))

    def adopt(self, plan: ClusterPlan) -> None:
        self.sim.plans[self.machine] = plan
        self.send(self.gossiper.adopt(plan, self.now_ms))

    def leave(self) -> None:
        self.send(self.gossiper.leave(self.now_ms))
        self.stop()

    def stop(self) -> None:
        """The process is gone."""
        self.is_dead = True
        if self.sim.processes.get(self.machine) is self:
            self.sim.network.leave(self.machine)
            del self.sim.processes[self.machine]

    def send(self, letters: Iterable[Letter]) -> None:
        for letter in letters:
            frame = msgspec.json.encode(Frame(self.settings.cluster_id, letter.gossip))
            self.sim.sent += 1
            self._port.send(self.sim.machine_at(letter.endpoint), frame)

    def _poll(self) -> None:
        if self.is_dead:
            return
        if self.machine not in self.sim.stopped:
            self.send(self.gossiper.tick(self.now_ms))
            offered = self.gossiper.offered_plan
            if offered is not None:
                self.adopt(offered)
        self.sim.world.after(POLL_MS * MS_US, self._poll)

    def _receive(self, _sender: int, message: bytes) -> None:
        if self.is_dead or self.machine in self.sim.stopped:
            return
        frame = msgspec.json.decode(message, type=Frame)
        try:
            self.send(self.gossiper.receive(frame.cluster_id, frame.gossip, self.now_ms))
        except MembershipConflict as error:
            self.error = error
            self.stop()


class GossipSim:
    """Machines, and the brokers that run on them."""

    def __init__(self, seed: int, weather: Weather | None = None) -> None:
        self.world = World(seed)
        self.network = SimNetwork(self.world, weather)
        self.processes: dict[int, Process] = {}
        self.plans: dict[int, ClusterPlan] = {}
        """What is on the machines' disks."""
        self.skew_ms: dict[int, int] = {}
        self.stopped: set[int] = set()
        """Machines whose processes are stopped for a while (SIGSTOP)."""
        self.sent = 0

    @property
    def now_ms(self) -> int:
        return self.world.clock.elapsed_us // MS_US

    def machine_at(self, where: str) -> int:
        return int(where.partition(":")[0].removeprefix("machine-"))

    def start(
        self,
        machine: int,
        contacts: Sequence[int],
        *,
        node_id: int = 0,
        cluster_id: str = "grevy",
        software: str = "0.2.0",
        known: Sequence[int] = (),
    ) -> Process:
        """Start a broker, by default under the machine's number."""
        settings = GossipSettings(
            cluster_id=cluster_id,
            node_id=node_id or machine,
            cluster_endpoint=endpoint(machine),
            client_endpoint=f"machine-{machine}:26600",
            software=software,
            contacts=tuple(map(endpoint, contacts)),
            known=tuple(map(endpoint, known)),
            round_ms=ROUND_MS,
        )
        process = Process(self, machine, settings)
        self.processes[machine] = process
        return process

    def start_all(self, count: int, contacts: Sequence[int]) -> None:
        for machine in range(1, count + 1):
            self.start(machine, contacts)

    def run(self, ms: int) -> None:
        self.world.run(self.world.clock.elapsed_us + ms * MS_US)

    def rounds_until_all_know(self, rounds_max: int) -> int:
        """Rounds until every process counts exactly the processes that run as alive."""
        everybody = {each.settings.node_id for each in self.processes.values()}
        for count in range(rounds_max + 1):
            if all(each.alive() == everybody for each in self.processes.values()):
                return count
            self.run(ROUND_MS)
        seen = {machine: sorted(each.alive()) for machine, each in self.processes.items()}
        raise AssertionError(f"after {rounds_max} rounds: {seen}")

    def have_one_plan(self) -> bool:
        plans = {newness_of(each.gossiper.plan) for each in self.processes.values()}
        return len(plans) == 1

    def split(self, *groups: Sequence[int]) -> None:
        """Cut the network: only members of one group hear each other."""
        self.network.heal()
        for number, group in enumerate(groups):
            for other in groups[number + 1 :]:
                for one in group:
                    for two in other:
                        self.network.cut(one, two)
                        self.network.cut(two, one)

    def after_ms(self, ms: int, process: Process, *replicas: ReplicaState) -> None:
        """Let a process have these replicas from a moment on."""
        self.world.after(ms * MS_US, partial(process.set_replicas, *replicas))
