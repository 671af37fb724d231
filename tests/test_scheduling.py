"""Scheduling: what is needed comes before, the longest way first, and never more at once than there is room for."""

import pytest

from mobile_export.errors import ConversionError
from mobile_export.scheduling import Room, Schedule, Task


def task(name: str, *after: Task, **options: object) -> Task:
    return Task(name, print, after=after, **options)


def simulated(tasks: list[Task], room: Room) -> tuple[dict[str, float], float, list[set[str]]]:
    """When each task starts, when all have ended, and what ran side by side, as if each took as long as it costs."""
    schedule = Schedule(tasks, room)
    ends: dict[Task, float] = {}
    starts, together, now = {}, [], 0.0
    while ends or not schedule.is_done:
        while (next_one := schedule.take(ends)) is not None:
            starts[next_one.name], ends[next_one] = now, now + next_one.cost
            together.append({other.name for other in ends})
        first = min(ends, key=lambda one: ends[one])
        now = ends.pop(first)
        schedule.done(first, None)
    return starts, now, together


def test_what_is_needed_comes_before() -> None:
    a = task("a")
    b = task("b", a)
    c = Task("c", print, (1, b))
    starts, end, _ = simulated([a, b, c, task("d")], Room(8))
    assert starts == {"a": 0, "d": 0, "b": 1, "c": 2}
    assert end == 3


def test_results_stand_in_the_place_of_tasks() -> None:
    a = task("a")
    b = Task("b", print, (1, a, "x"))
    schedule = Schedule([a, b], Room(1))
    assert schedule.take([]) is a
    assert schedule.take([]) is None
    schedule.done(a, "what a gave")
    assert schedule.take([]) is b
    assert schedule.arguments(b) == (1, "what a gave", "x")


def test_the_longest_way_is_begun_first() -> None:
    short, first = task("short", cost=4.0), task("first", cost=1.0)
    second = task("second", first, cost=5.0)
    starts, _, _ = simulated([short, first, second], Room(1))
    assert starts == {"first": 0, "second": 1, "short": 6}
    assert simulated([short, first, second], Room(2))[1] == 6


def test_equal_ways_are_begun_in_order() -> None:
    starts, _, _ = simulated([task("b"), task("a"), task("c")], Room(1))
    assert list(starts) == ["b", "a", "c"]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_no_more_than_jobs(jobs: int) -> None:
    _, end, together = simulated([task(name) for name in "abcdef"], Room(jobs))
    assert max(map(len, together)) == jobs
    assert end == 6 / jobs


def test_tasks_that_take_much_memory_do_not_meet() -> None:
    tasks = [task(name, memory=memory) for name, memory in {"a": 6, "b": 6, "c": 4, "d": 1}.items()]
    starts, end, together = simulated(tasks, Room(8, memory=10))
    assert not any({"a", "b"} <= group for group in together)
    assert starts["c"] == 0  # passes by what does not fit
    assert end == 2
    assert simulated(tasks, Room(8))[1] == 1


def test_a_task_larger_than_all_memory_runs_with_no_other() -> None:
    starts, _, together = simulated([task("giant", memory=100), task("a", memory=1)], Room(8, memory=10))
    assert starts == {"giant": 0, "a": 1}
    assert all(len(group) == 1 for group in together)


def test_alone_is_alone_and_comes_when_nothing_else_can() -> None:
    write = task("write")
    timed = task("time", write, alone=True, cost=50)
    other = task("other", alone=True)
    tasks = [write, timed, other, task("check", timed), *(task(name, cost=3.0) for name in "abc")]
    starts, _, together = simulated(tasks, Room(2))
    for group in together:
        assert group.isdisjoint({"time", "other"}) or len(group) == 1
    assert starts["time"] == max(starts[name] for name in "abc") + 3
    assert starts["other"] > starts["check"] > starts["time"]


def test_what_needs_a_task_that_failed_fails_with_it_and_nothing_else() -> None:
    a, b = task("a"), task("b")
    c = task("c", a)
    d = task("d", a, c)
    e = task("e", b)
    schedule = Schedule([a, b, c, d, e], Room(2))
    assert {schedule.take([]), schedule.take([a])} == {a, b}
    error = ConversionError("no")
    schedule.done(a, error)
    schedule.done(b, None)
    assert schedule.take([]) is e
    assert schedule.is_done
    assert [schedule.results[one] for one in (a, c, d)] == [error] * 3


def test_a_task_that_stands_before_what_it_needs_is_a_bug() -> None:
    a = task("a")
    b = task("b", a)
    for tasks in ([b, a], [b]):
        with pytest.raises(ValueError, match=r"^b: what it needs does not stand before it$"):
            Schedule(tasks, Room(1))
