"""Plans: their steps, what refuses them, and that they end in the target whoever crashes when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cluster.carrying_out import Carrying

from grevy.cluster import (
    ChangeMembers,
    ChangeRefused,
    HandOver,
    LedGroup,
    StepKind,
    View,
    Wait,
    apply_step,
    begin,
    cancel,
    distribute,
    first_plan,
    fixed,
    may_leave,
    newness_of,
    next_action,
    redistribute,
    replicas_wanted,
    steps_of,
    transfers_due,
    voters_of,
)
from grevy.protocol.gossip_messages import ClusterConfiguration, ClusterPlan
from grevy.protocol.raft_messages import GroupMembers


def change(
    configuration: ClusterConfiguration, brokers: list[int], factor: int, author: int = 1
) -> ClusterPlan:
    """A change of the brokers, with all of them alive."""
    target = redistribute(configuration, brokers, factor)
    alive = {*configuration.brokers, *brokers}
    return begin(first_plan(configuration), target, author=author, alive=alive)


def said(plan: ClusterPlan, leaders: dict[int, int] | None = None) -> list[str]:
    return [str(step) for step in steps_of(plan, leaders or {})]


def test_a_fourth_broker_comes_step_by_step() -> None:
    plan = change(distribute([1, 2, 3], 2, 3), [1, 2, 3, 4], 3)
    assert said(plan, {1: 1, 2: 2}) == [
        "add broker 4",
        "broker 4 joins partition 1 as a learner",
        "broker 4 becomes a voter of partition 1",
        "broker 2 leaves partition 1",
        "broker 3 has priority 2 in partition 1",
    ]


def test_a_broker_goes_step_by_step_and_hands_over_what_it_leads() -> None:
    before = fixed([1, 2, 3, 4], {1: [3, 1, 2], 2: [1, 2, 4]}, 3)
    plan = change(before, [1, 2, 4], 3)
    assert said(plan, {1: 3, 2: 1}) == [
        "broker 4 joins partition 1 as a learner",
        "broker 4 becomes a voter of partition 1",
        "broker 3 hands partition 1 over to broker 2",
        "broker 3 leaves partition 1",
        "broker 1 has priority 1 in partition 1",
        "broker 2 has priority 3 in partition 1",
        "remove broker 3",
    ]


SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))


@given(SIZES, st.sets(st.integers(1, 8), min_size=3), st.integers(1, 3), st.booleans())
def test_steps_lead_to_the_target_and_groups_never_shrink_below_it(
    sizes: tuple[int, int, int], brokers: set[int], factor: int, is_led: bool
) -> None:
    broker_count, partition_count, old_factor = sizes
    old_factor = min(old_factor, broker_count)
    before = distribute(list(range(1, broker_count + 1)), partition_count, old_factor)
    target = redistribute(before, sorted(brokers), factor)
    plan = ClusterPlan(2, 0, 1, before, target)
    leaders = {each.partition_id: min(voters_of(each)) for each in before.partitions}
    current = before
    steps = list(steps_of(plan, leaders if is_led else {}))
    for place, step in enumerate(steps):
        if step.kind is not StepKind.TRANSFER_LEADER:
            rest = steps_of(ClusterPlan(2, 0, 1, current, target))
            left = [each for each in steps[place:] if each.kind is not StepKind.TRANSFER_LEADER]
            assert is_led or list(rest) == left, "steps are the same, worked out later"
        current = apply_step(current, step)
        assert apply_step(current, step) == current
        for placement in current.partitions:
            assert (
                min(old_factor, factor) <= len(voters_of(placement)) <= max(old_factor, factor) + 1
            )
            assert {each.node_id for each in placement.replicas} <= set(current.brokers)
    assert current == target


CHANGES = [
    (distribute([1, 2, 3], 3, 3), [1, 2, 3, 4], 3),
    (distribute([1, 2, 3, 4], 4, 3), [1, 2, 4], 3),
    (distribute([1, 2, 3], 1, 3), [4, 5, 6], 3),
    (distribute([1, 2, 3], 3, 1), [1, 2, 3], 3),
    (distribute([1, 2, 3], 2, 3), [2, 3], 2),
    (distribute([1], 2, 1), [2], 1),
]


@pytest.mark.parametrize(("before", "brokers", "factor"), CHANGES)
def test_a_crash_at_each_point_delays_and_changes_nothing(
    before: ClusterConfiguration, brokers: list[int], factor: int
) -> None:
    """Before each action has its effect, and after it, before anybody hears of it."""
    plan = change(before, brokers, factor, author=before.brokers[0])
    everybody = {*before.brokers, *brokers}

    def carrying() -> Carrying:
        cluster = Carrying(first_plan(before), everybody)
        cluster.start(plan)
        return cluster

    calm = carrying()
    calm.run()
    calm.check_groups(plan.target)
    for point in range(2 * len(calm.done)):
        cluster = carrying()
        crash_at, is_after = divmod(point, 2)
        has_crashed = False
        while not cluster.is_done():
            node_id, other = (cluster.rng.choice(sorted(cluster.alive)) for _ in range(2))
            cluster.hear(node_id, other)
            action = cluster.action_of(node_id)
            acts = action is not None and not isinstance(action, Wait)
            if acts and len(cluster.done) == crash_at and not has_crashed:
                has_crashed = True
                if is_after:
                    cluster.carry_out(node_id, action)
                cluster.crash(node_id)
                continue
            cluster.carry_out(node_id, action)
        assert has_crashed
        cluster.check_groups(plan.target)


@settings(max_examples=25, deadline=None)
@given(SIZES, st.sets(st.integers(1, 7), min_size=3), st.integers(1, 3), st.integers(0, 1 << 32))
def test_plans_end_in_their_target_through_many_crashes(
    sizes: tuple[int, int, int], brokers: set[int], factor: int, seed: int
) -> None:
    broker_count, partition_count, old_factor = sizes
    before = distribute(
        list(range(1, broker_count + 1)), partition_count, min(old_factor, broker_count)
    )
    target = redistribute(before, sorted(brokers), factor)
    plan = begin(first_plan(before), target, author=1, alive={*before.brokers, *target.brokers})
    cluster = Carrying(first_plan(before), {*before.brokers, *brokers}, seed)
    cluster.start(plan)
    cluster.run(crash_chance=0.05)
    cluster.check_groups(target)


def test_a_dead_broker_is_replaced() -> None:
    before = distribute([1, 2, 3], 3, 3)
    alive = {1, 2, 4}
    cluster = Carrying(first_plan(before), {1, 2, 3, 4})
    cluster.kill(3)
    target = redistribute(before, [1, 2, 4], 3)
    cluster.start(begin(first_plan(before), target, author=1, alive=alive))
    cluster.run()
    cluster.check_groups(target)


def test_a_plan_stands_still_while_a_majority_would_be_lost_and_says_so() -> None:
    before = fixed([1, 2, 3, 4], {1: [1, 2, 3]}, 3)
    target = fixed([1, 2, 3, 4], {1: [2, 3, 4]}, 3)
    plan = begin(first_plan(before), target, author=1, alive={1, 2, 3, 4})
    current = before
    for step in list(steps_of(plan))[:2]:
        current = apply_step(current, step)
    half = ClusterPlan(2, 2, 1, current, target)
    group = LedGroup(1, GroupMembers((1, 2, 3, 4)))
    view = View(2, frozenset({2, 4}), frozenset({1, 2, 4}), (group,))
    assert next_action(half, view) == Wait(
        "broker 1 leaves partition 1: partition 1 would be without a majority: "
        "3 of brokers 1, 2, 3, 4 are needed, and there are 2, 4"
    )


def test_only_one_change_at_a_time() -> None:
    plan = change(distribute([1, 2, 3], 3, 3), [1, 2, 3, 4], 3)
    with pytest.raises(ChangeRefused, match="its next step is: add broker 4; wait for it, or"):
        begin(plan, plan.current, author=1, alive={1, 2, 3, 4})


def test_a_change_that_cannot_be_carried_out_is_refused() -> None:
    before = distribute([1, 2, 3], 3, 3)
    plan = first_plan(before)
    four = redistribute(before, [1, 2, 3, 4], 3)
    with pytest.raises(ChangeRefused, match=r"^add broker 4: broker 4 is not there$"):
        begin(plan, four, author=1, alive={1, 2, 3})
    with pytest.raises(ChangeRefused, match=r"^most brokers have to be there .* 2, 3 are not$"):
        begin(plan, four, author=1, alive={1, 4})
    two = redistribute(before, [1, 2], 2)
    with pytest.raises(ChangeRefused, match="partition 1 would be without a majority: 2 of"):
        begin(plan, two, author=1, alive={1, 3})


def test_a_change_is_cancelled_where_it_is() -> None:
    before = distribute([1, 2, 3], 3, 3)
    plan = change(before, [1, 2, 3, 4], 3)
    for done in range(1, len(list(steps_of(plan))) + 1):
        current = before
        for step in list(steps_of(plan))[:done]:
            current = apply_step(current, step)
        half = ClusterPlan(2, done, 1, current, plan.target)
        if current == plan.target:
            with pytest.raises(ChangeRefused, match="no change is under way"):
                cancel(half, author=1, alive={1, 2, 3})
            continue
        ended = cancel(half, author=2, alive={1, 2, 3})
        assert newness_of(ended) > newness_of(half)
        assert ended.target.brokers == current.brokers
        for placement in ended.target.partitions:
            assert len(placement.replicas) == 3
            assert not any(each.is_learner for each in placement.replicas)
        assert len(list(steps_of(ended))) <= 1


def test_nothing_is_begun_before_most_brokers_know() -> None:
    plan = change(distribute([1, 2, 3], 3, 3), [1, 2, 3, 4], 3)
    alone = View(1, frozenset({1, 2, 3, 4}), frozenset({1, 4}))
    assert next_action(plan, alone) == Wait("add broker 4: most brokers have to know of it first")
    assert next_action(plan, alone._replace(node_id=2)) is None, "the lowest id does it"


def test_a_learner_becomes_a_voter_when_its_log_is_complete() -> None:
    before = distribute([1, 2, 3], 1, 1)
    target = fixed([1, 2, 3], {1: [2]}, 1)
    plan = begin(first_plan(before), target, author=1, alive={1, 2, 3})
    joined = ClusterPlan(2, 1, 1, apply_step(before, next(steps_of(plan))), target)
    group = LedGroup(1, GroupMembers((1,), learners=(2,)))
    view = View(1, frozenset({1, 2, 3}), frozenset({1, 2, 3}), (group,))
    assert next_action(joined, view) == Wait(
        "broker 2 becomes a voter of partition 1: its log is not complete yet"
    )
    action = next_action(joined, view._replace(led=(group._replace(caught_up=frozenset({2})),)))
    assert action == ChangeMembers(1, GroupMembers((1, 2)))


def test_a_leader_hands_over_to_the_living() -> None:
    before = fixed([1, 2, 3], {1: [1, 2, 3]}, 3)
    plan = ClusterPlan(2, 0, 1, before, fixed([1, 2, 3], {1: [2, 3]}, 2))
    view = View(1, frozenset({1, 3}), frozenset({1, 2, 3}), (LedGroup(1, GroupMembers((1, 2, 3))),))
    assert next_action(plan, view) == HandOver(1, 3)


def test_who_joins_has_a_replica_to_be_filled_and_who_has_left_needs_none() -> None:
    before = distribute([1, 2, 3], 1, 1)
    plan = begin(first_plan(before), fixed([1, 2, 3], {1: [2]}, 1), author=1, alive={1, 2, 3})
    assert [replicas_wanted(plan, each) for each in (1, 2, 3)] == [(1,), (1,), ()]
    done = ClusterPlan(2, 3, 1, plan.target, plan.target)
    assert [replicas_wanted(done, each) for each in (1, 2, 3)] == [(), (1,), ()]


def test_a_removed_broker_may_leave_when_others_know() -> None:
    configuration = distribute([1, 2, 3], 3, 2)
    plan = ClusterPlan(3, 9, 1, configuration, configuration)
    assert not may_leave(plan, 4, {4, 1})
    assert may_leave(plan, 4, {4, 1, 3})
    assert not may_leave(plan, 3, {1, 2, 3})


def test_who_should_lead_is_told_to() -> None:
    configuration = distribute([1, 2, 3], 3, 3)
    leaders = {1: 1, 2: 1, 3: 1}
    due = transfers_due(configuration, leaders, {1, 2, 3})
    assert [str(step) for step in due] == [
        "broker 1 hands partition 2 over to broker 2",
        "broker 1 hands partition 3 over to broker 3",
    ]
    assert [str(step) for step in transfers_due(configuration, leaders, {1, 2})] == [
        "broker 1 hands partition 2 over to broker 2"
    ]
    assert transfers_due(configuration, {1: 1, 2: 2}, {1, 2, 3}) == ()


@pytest.mark.parametrize("seed", range(20))
def test_two_that_decide_at_once_come_to_the_same(seed: int) -> None:
    """Two halves each think that they may; what was done of one plan, the other takes back."""
    before = distribute([1, 2, 3, 4], 3, 3)
    first = first_plan(before)
    everybody = {1, 2, 3, 4, 5, 6}
    one = begin(first, redistribute(before, [1, 2, 3, 4, 5], 3), author=1, alive=everybody)
    two = begin(first, redistribute(before, [1, 2, 4, 6], 3), author=2, alive=everybody)
    cluster = Carrying(first, everybody, seed)
    cluster.start(one)
    for _ in range(seed * 2):
        cluster.turn([1, 3, 4, 5])
    cluster.start(two)
    cluster.run(crash_chance=0.02)
    assert cluster.newest().target in (one.target, two.target)
    cluster.check_groups(cluster.newest().target)


def test_a_leader_writes_down_what_its_group_is() -> None:
    """Whatever the plan says of it: then the steps bring it to what it should be."""
    before = distribute([1, 2, 3, 4], 1, 3)
    cluster = Carrying(first_plan(before), {1, 2, 3, 4})
    cluster.groups[1] = GroupMembers((2, 3, 4), learners=(1,))
    cluster.leaders[1] = 4
    for _ in range(100):
        cluster.turn([1, 2, 3, 4])
    cluster.run()
    cluster.check_groups(before)


def test_a_group_that_is_changing_is_left_alone() -> None:
    """In a joint phase, neither what it is nor what comes next can be told yet."""
    before = fixed([1, 2, 3], {1: [1]}, 1)
    plan = begin(first_plan(before), fixed([1, 2, 3], {1: [2]}, 1), author=1, alive={1, 2, 3})
    group = LedGroup(1, GroupMembers((1, 3), old_voters=(1,)))
    view = View(1, frozenset({1, 2, 3}), frozenset({1, 2, 3}), (group,))
    assert next_action(plan, view) == Wait(
        "broker 2 joins partition 1 as a learner: the group is changing"
    )
