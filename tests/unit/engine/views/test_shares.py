"""A namespace's share of the hour: half of it at once, and never all of it."""

from __future__ import annotations

from ecs_release.engine.views.shares import Shares


def test_half_at_once_and_the_rest_over_the_hour() -> None:
    shares, now, made = Shares(500), 0.0, list[float]()
    while now < 7200:
        now += shares.ready_in_s("shop", now)
        shares.note("shop", 1, now)
        made.append(now)
    assert sum(at == 0 for at in made) == 250
    assert all(made[i + 500] - made[i] >= 3599 for i in range(len(made) - 500)), "it is no faster than the sink's limits"
    assert sum(at < 1800 for at in made) <= 250 + 126
    assert shares.ready_in_s("mall", 1.0) == 0


def test_a_sink_without_a_limit_of_hours_has_no_shares() -> None:
    shares = Shares(0)
    shares.note("shop", 1000, 0.0)
    assert shares.ready_in_s("shop", 0.0) == 0


def test_what_was_spent_an_hour_ago_is_forgotten() -> None:
    shares = Shares(10)
    for number in range(1000):
        shares.note(f"n{number}", 10, float(number))
    assert shares.ready_in_s("n999", 999.0) > 0
    shares.note("shop", 1, 10_000.0)
    assert list(shares._spent) == ["shop"]
