"""Whether anything is due, and whether an attempt may begin, by a Release's status as it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import Intent, LastReady, Pin, PinnedImage, ReadyImage, ReleaseStatus, Rollout
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.due import is_at_rest, may_begin, pin_in_force
from tests.builders.ecs import NEW, NOW, OLD
from tests.builders.objects import release

SOURCE = source_hash(release().spec.source)
IMAGES = [PinnedImage(container="app", digest=NEW)]
PIN = Pin(source_hash=SOURCE, resolved_time=NOW, images=IMAGES)
OTHER = Pin(source_hash="other", resolved_time=NOW + timedelta(seconds=1), images=[PinnedImage(container="app", digest=OLD)])
READY = LastReady(source_hash=SOURCE, time=NOW, images=[ReadyImage(container="app", digest=NEW)])


def rollout(outcome: str | None = "Succeeded", **more: Any) -> Rollout:
    return Rollout(
        attempt_id="a", source_hash=SOURCE, start_time=NOW, outcome=outcome, images=[{"container": "app", "to_digest": NEW}], **more
    )


def web(retry: str = "", **status: Any) -> Release:
    return release(annotations={"ecs-release.dev/retry": retry} if retry else {}, status=ReleaseStatus(pin=PIN, **status))


@pytest.mark.parametrize(
    ("given", "at_rest", "begins"),
    [
        (web(), False, True),
        (web(rollout=rollout()), True, False),
        (web(rollout=rollout("RolledBack")), True, False),
        (web(rollout=rollout("Abandoned")), False, True),
        (web(last_ready=READY), True, False),
        (web(rollout=rollout(None)), True, False),
        (web(rollout=rollout(None, intent=Intent(action="UpdateService"))), False, False),
        (web("1", rollout=rollout("RolledBack")), False, True),
        (web("1", rollout=rollout("RolledBack"), last_handled_retry="1"), True, False),
        (web("1", rollout=rollout(None)), False, False),
    ],
)
def test_what_is_due(given: Release, at_rest: bool, begins: bool) -> None:
    pin = pin_in_force(given)
    assert pin is not None
    assert is_at_rest(given, pin) is at_rest
    assert may_begin(given, pin) is begins


def test_a_new_source_ends_what_is_under_way() -> None:
    assert may_begin(web(rollout=rollout(None)), OTHER)
    assert not is_at_rest(web(rollout=rollout()), None)


@pytest.mark.parametrize(("outcome", "begins"), [("Succeeded", True), (None, False)])
def test_drift_is_corrected_only_while_no_attempt_is_under_way(outcome: str | None, begins: bool) -> None:
    assert may_begin(web(rollout=rollout(outcome)), PIN, may_correct=True) is begins


def test_the_pin_of_another_source_is_not_in_force() -> None:
    assert pin_in_force(release(status=ReleaseStatus(pin=OTHER))) is None
    assert pin_in_force(release()) is None
