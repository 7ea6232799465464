"""The real process dies at its calls, its wires misbehave, and everything that it was doing comes to the same end: a part of `make soak`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.terraform import terraform
from tests.reliability.calls import CLOCK, CrashPoint, Phase, is_read
from tests.reliability.crash_points import Ground, ground, play, points
from tests.reliability.disturbances import DISTURBANCES
from tests.reliability.scenarios import SCENARIOS
from tests.reliability.upgrades import RELEASES, TIME_SCALE, UPGRADES

_CRASHES = 1
FAST_S = 540
_WITH_BAD_WIRES = ("release", "EnvironmentTag", "promotion")


@pytest.fixture(scope="module")
def on() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture(scope="module")
def slow() -> Iterator[Ground]:
    with ground(TIME_SCALE) as made:
        yield made


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_alike_however_the_process_dies(on: Ground, name: str) -> None:
    chance = random.Random(name)
    quiet = play(on, SCENARIOS[name])
    assert quiet.violations == [] and quiet.died == 0
    # How often a status is written depends on what is read when; other changes are made as often each time.
    certain = [p for p in points(quiet.calls, chance) if not is_read(p.call) and p.number == 1]
    for point in chance.sample(certain, _CRASHES):
        played = play(on, SCENARIOS[name], point)
        assert played.violations == [], str(point)
        assert played.died == 1, str(point)


@pytest.mark.parametrize("name", _WITH_BAD_WIRES)
def test_a_scenario_ends_alike_however_its_wires_misbehave(on: Ground, name: str) -> None:
    played = play(on, SCENARIOS[name], faults=sum(name.encode()))
    assert played.violations == [] and played.met.total() > 0, played.met


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_release_ends_alike_whatever_happens_in_the_middle_of_it(on: Ground, name: str) -> None:
    played = play(on, SCENARIOS["release"], disturbance=DISTURBANCES[name])
    assert (played.struck, played.violations) == (1, [])


@pytest.mark.parametrize("name", UPGRADES)
def test_releases_end_alike_though_operator_and_crds_are_replaced(slow: Ground, name: str) -> None:
    played = play(slow, RELEASES, disturbance=UPGRADES[name])
    assert (played.struck, played.violations) == (1, [])


def test_what_was_resolved_by_a_clock_that_was_fast_is_deployed_once(on: Ground) -> None:
    """The attempt begins before its pin was resolved, as it seems, for AWS's time was not known then: it is of that pin all the same."""
    with on.place() as (place, operator):
        place.service("v1")
        place.environment()
        place.project()
        place.push("v2")

        def misdate() -> None:
            later = (datetime.now(UTC) + timedelta(seconds=FAST_S)).isoformat()
            patch = json.dumps({"status": {"pin": {"resolvedTime": later}}})
            place.kubectl("patch", "release", "web", "--subresource=status", "--type=merge", "-p", patch)

        with operator.running(environment={CLOCK: str(FAST_S)}):
            place.release("v2", suspend=True)
            place.wait("Suspended")
            operator.restart({CLOCK: ""}, misdate)
            place.release("v2")
            place.wait("Succeeded")
            status = place.stays("Succeeded")
        assert [h["outcome"] for h in status["history"]] == ["Succeeded"]
        assert status["history"][0]["startTime"] < status["pin"]["resolvedTime"]
        assert len(place.updates()) == 1 and operator.ends == []


def test_somebody_elses_deployment_is_waited_for_by_clocks_that_are_wrong(on: Ground) -> None:
    """It is seconds old. By the clock of the second process it has been under way for three times the deadline since the first one saw it."""
    with on.place() as (place, operator):
        place.service("v1", circuit_breaker=False)
        place.environment(rollout={"progressDeadlineSeconds": FAST_S // 2})
        place.project()
        place.push("v2")
        place.push("unhealthy.v3", "v3")
        place.deploy("v3")
        with operator.running(environment={CLOCK: str(-FAST_S)}):
            place.release("v2")
            place.wait("AwaitingSteady")
            operator.restart({CLOCK: str(FAST_S)})
            # Ready says what the first one has found until the second one has looked: it sees what is asked for now.
            place.push("v4")
            place.release("v4")
            place.wait("AwaitingSteady")
            place.stays("AwaitingSteady")
            assert place.updates() == []
            place.deploy("v1")
            place.wait("Succeeded")
        assert len(place.updates()) == 1 and operator.ends == []


def test_a_base_that_is_new_is_not_rolled_out_by_a_clock_that_is_fast(on: Ground) -> None:
    """Whoever registered it may be about to deploy it: it has to be there for a while."""
    with on.place() as (place, operator):
        place.service("v1")
        place.environment(rollout={"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": FAST_S // 2})
        place.project()
        place.push("v2")
        with operator.running(environment={CLOCK: str(FAST_S)}):
            place.release("v2")
            place.wait("Succeeded")
            terraform(place, "v2")
            place.wait("BaseRevisionOutdated")
            place.stays("BaseRevisionOutdated")
        assert len(place.updates()) == 1 and operator.ends == []


def test_a_death_is_met_in_each_phase(on: Ground) -> None:
    for phase in Phase:
        point = CrashPoint("KubernetesCluster.write_status", 1, phase)
        played = play(on, SCENARIOS["adoption"], point)
        assert (played.died, played.violations) == (1, []), str(point)
