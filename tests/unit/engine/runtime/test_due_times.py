"""Times of keys: what is due comes in order, once, and what was set before is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecs_release.engine.runtime.due_times import DueTimes

STEPS = st.lists(st.tuples(st.sampled_from(["set", "discard", "take"]), st.integers(0, 5), st.integers(0, 9)), max_size=60)


@given(STEPS)
def test_it_is_as_if_all_were_looked_at(steps: list[tuple[str, int, int]]) -> None:
    times: DueTimes[int] = DueTimes()
    known: dict[int, float] = {}
    for step, key, at in steps:
        if step == "set":
            times.set(key, at)
            known[key] = at
        elif step == "discard":
            times.discard(key)
            known.pop(key, None)
        else:
            taken = times.take(at)
            first = min(known.values(), default=float("inf"))
            assert (taken is None) is (first > at)
            if taken is not None:
                assert known.pop(taken) == first
        assert len(times) == len(known)
        assert times.next == min(known.values(), default=float("inf"))
        assert times.of(key) == known.get(key, float("inf"))
        due = [k for k, at_ in sorted(known.items(), key=lambda item: item[1]) if at_ <= at]
        assert [known[k] for k in times.first(at, 3)] == [known[k] for k in due[:3]]
        assert set(times.first(at, 9)) == set(due)


def test_of_equal_times_the_first_that_was_set_comes_first_and_stays_there() -> None:
    times: DueTimes[str] = DueTimes()
    for key in "cab":
        times.set(key, 1)
    times.set("c", 2)
    times.set("c", 1)
    assert times.first(1, 2) == ["a", "b"] == times.first(1, 2)
    assert [times.take(1) for _ in range(4)] == ["a", "b", "c", None]


def test_times_that_were_replaced_do_not_pile_up() -> None:
    times: DueTimes[str] = DueTimes()
    for n in range(1000):
        times.set("a", 1_000_000 - n)
        times.set("b", n)
    assert len(times._heap) < 200
    assert (times.take(1_000_000), times.take(1_000_000), times.take(1_000_000)) == ("b", "a", None)
