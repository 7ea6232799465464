"""Too few tasks: how long, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ecs_release.domain.verification.health import Health, HealthRules, recorded, resumed, track
from tests.builders.ecs import NOW, deployment, service

RULES = HealthRules()


def tracked(*looks: tuple[float, int, int], least: int = 100, restarts: bool = False) -> list[bool]:
    """Take looks of (seconds, running, desired); tell after each whether too few tasks are reported.

    `restarts`: each look is another process's, which knows what status has recorded.
    """
    health, told = Health(), []
    for at, runs, desired in looks:
        found = service(deployment(2), desired=desired, minimum_healthy_percent=least)
        health = track(health, replace(found, running=runs), NOW + timedelta(seconds=at), RULES)
        told.append(health.unhealthy)
        if restarts:
            health = resumed(recorded(health))
    return told


@pytest.mark.parametrize(
    ("what", "looks", "reported"),
    [
        ("too few for five minutes", [(0, 2, 2), (60, 1, 2), (300, 1, 2), (361, 1, 2)], [False, False, False, True]),
        ("it flickers: Spot", [(60 * n, 2 - n % 2, 2) for n in range(20)], [False] * 20),
        ("it grows faster than tasks start", [(60 * n, 2 + n, 3 + n) for n in range(20)], [False] * 20),
        ("scaled up and down", [(60 * n, 2, (2, 9)[n % 2]) for n in range(20)], [False] * 20),
        ("scaled out, and nothing comes", [(0, 2, 2), (60, 2, 9), (200, 2, 9), (361, 2, 9)], [False, False, False, True]),
        ("scaled out again, and nothing came", [(0, 2, 9), (100, 2, 10), (200, 2, 11), (301, 2, 12)], [False, False, False, True]),
        ("nothing of one", [(0, 0, 1), (301, 0, 1)], [False, True]),
        ("clears after a minute", [(0, 0, 1), (301, 0, 1), (310, 1, 1), (340, 1, 1), (371, 1, 1)], [False, True, True, True, False]),
        ("a flicker does not clear it", [(0, 0, 1), (301, 0, 1), (310, 1, 1), (320, 0, 1), (380, 1, 1)], [False, True, True, True, True]),
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_too_few_tasks(what: str, looks: list[tuple[float, int, int]], reported: list[bool], restarts: bool) -> None:
    assert tracked(*looks, restarts=restarts) == reported, what


@pytest.mark.parametrize(("running", "reported"), [(2, False), (0, True)])
def test_without_a_record_enough_tasks_are_healthy_at_once(running: int, reported: bool) -> None:
    health = track(resumed(None), replace(service(deployment(2)), running=running), NOW, RULES)
    assert (recorded(health) is not None) is reported
    assert not health.unhealthy


def test_a_service_at_rest_is_not_recorded() -> None:
    assert recorded(track(Health(), replace(service(deployment(2)), running=2), NOW, RULES)) is None
