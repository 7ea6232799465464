"""How old an observation is, by clocks that may differ."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.pages.observation import Sweep, why_unobserved
from tests.unit.cli.kubectl.objects import NOW

ALLOWED = timedelta(minutes=3)


@pytest.mark.parametrize(
    ("ago_s", "stale", "why"),
    [
        (0, False, ""),
        (180, False, ""),
        (181, True, "not observed for 3m1s: it is not known what runs there now"),
        # Clocks of two machines are never quite the same.
        (-60, False, ""),
        (-61, True, "observed 61s from now, so clocks differ: it is not known how old that is"),
        (-86_400, True, "observed 24h from now, so clocks differ: it is not known how old that is"),
    ],
)
def test_an_observation_that_is_yet_to_come_proves_no_more_than_an_old_one(ago_s: float, stale: bool, why: str) -> None:
    sweep = Sweep(NOW - timedelta(seconds=ago_s), ALLOWED)
    assert (sweep.is_stale(NOW), sweep.is_ahead(NOW)) == (stale, ago_s < -60)
    assert why_unobserved(sweep, "staging", NOW) == why


def test_what_was_never_observed_is_not_ahead() -> None:
    assert (Sweep(None, ALLOWED).is_stale(NOW), Sweep(None, ALLOWED).is_ahead(NOW)) == (True, False)
    assert why_unobserved(Sweep(None, ALLOWED), "staging", NOW) == "not observed yet: it is not known what runs there now"
    assert why_unobserved(None, "staging", NOW) == "there is no Environment staging"
