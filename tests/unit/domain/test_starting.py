"""What is warned of when an attempt begins, and what is waited for."""

from __future__ import annotations

import pytest

from ecs_release.domain.ecs.service import Service
from ecs_release.domain.rules.at_rest import is_moving
from ecs_release.domain.rules.new_attempt import no_rollback
from tests.builders.ecs import deployment, service

GUARDED = {"circuit_breaker": True, "rollback": True}


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (service(deployment(1), **GUARDED), ""),
        (service(deployment(1, state=None), **GUARDED), ""),
        (service(deployment(1)), "no deployment circuit breaker"),
        (service(deployment(1), circuit_breaker=True), "does not roll back"),
        (service(deployment(1, state="FAILED"), **GUARDED), "nothing to return to"),
    ],
)
def test_a_deployment_that_ecs_would_not_roll_back_is_warned_of(seen: Service, why: str) -> None:
    assert why in no_rollback(seen)
    assert bool(no_rollback(seen)) == bool(why)


@pytest.mark.parametrize(
    ("seen", "moves"),
    [
        (service(deployment(1)), False),
        (service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE")), True),
        (service(deployment(2, state="FAILED")), False),
        (service(deployment(2, state=None), deployment(1, status="ACTIVE", state=None)), True),
        (service(deployment(1, state=None)), False),
        (service(), False),
    ],
)
def test_whether_ecs_has_finished(seen: Service, moves: bool) -> None:
    assert is_moving(seen) is moves
