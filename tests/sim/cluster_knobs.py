"""How hard a cluster's run is, drawn for each seed (see `knobs`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")
NEVER: Final = 0
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class ClusterKnobs:
    """The options of one run; `..._every_us` is the mean time between two events of a kind, `NEVER`
    for none.
    """

    partitions: int = 2
    orders: int = 20
    order_pause_us: int = 100_000
    work_us: int = 20_000
    job_timeout_ms: int = 2_000
    carelessness: float = 0.0
    impatience: float = 0.0
    """How often a request is sent again without any need."""
    doubles: float = 0.0
    """How often a message is published twice."""
    cancels: float = 0.0
    deployments: float = 0.0
    """How often there is a new version with an order."""
    reader_pause_us: int = 0
    diligence: float = 0.5
    """How often an exporter acknowledges at once what it has exported."""
    acknowledge_after_ms: int = NEVER
    """How much later it does otherwise."""
    export_fails: float = 0.0
    """How often a call of the exporter fails, several times in a row."""
    export_us: int = 0
    """How long a call takes, during which nothing else comes to the exporter."""
    exporter_ends_every_us: int = NEVER
    exporter_after_us: int = 0
    """When the exporter is there for the first time."""
    fault_us: int = 10_000_000
    flush_us: int = 1_000
    checkpoint_us: int = 1_000
    slow_broker: int = 0
    """Whose flushes take much longer; 0 for nobody's."""
    segment_bytes: int = 65_536
    checkpoint_period_s: float = 300.0
    skew_ms: tuple[int, int, int] = (0, 0, 0)
    drift: float = 0.0
    clock_every_us: int = NEVER
    """Somebody's clock is set, or stands from then on."""
    clock_step_ms: int = 5_000
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    delay_us: int = 500
    late_us: int = 2_000_000
    is_ordered: bool = True
    cut_every_us: int = NEVER
    cut_us: int = 2_000_000
    crash_every_us: int = NEVER
    down_us: int = 500_000
    power_cut: float = 0.5
    storm: float = 0.0
    """Share of the crashes that are followed by another one soon."""
    crash_all_every_us: int = NEVER
    wipe: float = 0.0
    damage: float = 0.0
    pause_every_us: int = NEVER
    pause_us: int = 1_000_000
    upgrade_every_us: int = NEVER
    """A broker is begun again with another version: the next one, or, sometimes, the one before."""
    transfer_every_us: int = NEVER
    disconnect_every_us: int = NEVER
    disk_error_every_us: int = NEVER

    def lines(self) -> str:
        """All options, one a line."""
        return "\n".join(f"  {name} = {value}" for name, value in asdict(self).items())


def draw_cluster_knobs(rng: Random) -> ClusterKnobs:
    """The options of a run."""

    def pick(*values: T) -> T:
        return rng.choice(values)

    def sometimes(chance: float, *values: T, otherwise: T) -> T:
        return rng.choice(values) if rng.random() < chance else otherwise

    return ClusterKnobs(
        partitions=pick(1, 2, 2),
        orders=pick(10, 20, 40),
        order_pause_us=pick(20_000, 200_000, 400_000),
        work_us=pick(2_000, 50_000, 500_000),
        job_timeout_ms=pick(500, 2_000, 10_000),
        carelessness=sometimes(0.5, 0.1, 0.3, otherwise=0.0),
        impatience=sometimes(0.4, 0.05, 0.3, otherwise=0.0),
        doubles=sometimes(0.3, 0.3, otherwise=0.0),
        cancels=sometimes(0.3, 0.1, 0.5, otherwise=0.0),
        deployments=sometimes(0.2, 0.1, otherwise=0.0),
        reader_pause_us=sometimes(0.3, 10_000, 300_000, otherwise=0),
        diligence=pick(0.5, 0.5, 0.05, 0.0),
        acknowledge_after_ms=sometimes(0.4, 20, 2_000, otherwise=NEVER),
        export_fails=sometimes(0.4, 0.02, 0.3, otherwise=0.0),
        export_us=sometimes(0.3, 5_000, 300_000, otherwise=0),
        exporter_after_us=sometimes(0.4, 4_000_000, 8_000_000, otherwise=0),
        exporter_ends_every_us=sometimes(0.3, 500_000, 3_000_000, otherwise=NEVER),
        fault_us=pick(5_000_000, 10_000_000, 20_000_000),
        flush_us=pick(100, 2_000, 10_000, 50_000),
        checkpoint_us=pick(100, 10_000, 200_000),
        slow_broker=sometimes(0.3, 1, 2, 3, otherwise=0),
        segment_bytes=pick(4_096, 16_384, 65_536),
        checkpoint_period_s=sometimes(0.7, 0.2, 1.0, 3.0, otherwise=300.0),
        skew_ms=(0, pick(0, 0, -4_000, HOUR_MS), pick(0, 0, 3_000, -500, -HOUR_MS)),
        drift=sometimes(0.3, 0.0002, 0.1, otherwise=0.0),
        clock_every_us=sometimes(0.3, 1_000_000, 4_000_000, otherwise=NEVER),
        clock_step_ms=pick(100, 5_000, HOUR_MS),
        lost=sometimes(0.5, 0.01, 0.1, 0.3, otherwise=0.0),
        doubled=sometimes(0.4, 0.05, 0.5, otherwise=0.0),
        late=sometimes(0.4, 0.01, 0.1, 0.3, otherwise=0.0),
        delay_us=pick(100, 1_000, 10_000, 50_000),
        late_us=pick(50_000, 500_000, 5_000_000),
        is_ordered=rng.random() < 0.75,
        cut_every_us=sometimes(0.6, 1_000_000, 3_000_000, otherwise=NEVER),
        cut_us=pick(300_000, 2_000_000, 5_000_000),
        crash_every_us=sometimes(0.7, 500_000, 2_000_000, 5_000_000, otherwise=NEVER),
        down_us=pick(10_000, 500_000, 4_000_000),
        power_cut=pick(0.0, 0.5, 1.0),
        storm=sometimes(0.3, 0.3, 0.8, otherwise=0.0),
        crash_all_every_us=sometimes(0.2, 2_000_000, 5_000_000, otherwise=NEVER),
        wipe=sometimes(0.3, 0.2, 1.0, otherwise=0.0),
        damage=sometimes(0.3, 0.2, 1.0, otherwise=0.0),
        pause_every_us=sometimes(0.3, 1_000_000, 5_000_000, otherwise=NEVER),
        pause_us=pick(100_000, 1_000_000, 5_000_000, 15_000_000),
        upgrade_every_us=sometimes(0.3, 1_500_000, 4_000_000, otherwise=NEVER),
        transfer_every_us=sometimes(0.4, 500_000, 3_000_000, otherwise=NEVER),
        disconnect_every_us=sometimes(0.4, 300_000, 2_000_000, otherwise=NEVER),
        disk_error_every_us=sometimes(0.2, 1_000_000, 5_000_000, otherwise=NEVER),
    )
