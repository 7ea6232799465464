"""Method EnvironmentTag: after which outcomes the tag goes back to where it was."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.release_status import ImageChange, Pin, PinnedImage
from ecs_release.domain.decision.decision import MoveTags
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, target
from tests.builders.scenarios import attempt_under_way, with_rollout

BY_TAG = environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.prod"})
IMAGES = [ImageChange(container="app", from_digest=OLD, to_digest=NEW, tag_digest=OLD)]


@pytest.mark.parametrize(
    ("before", "origin"),
    [
        ({"outcome": "Abandoned", "environment_tag": "Moved"}, OLD),
        ({"outcome": "DeadlineExceeded", "environment_tag": "Moved"}, OLD),
        # PutImage was announced, and whether it was carried out nobody knows but by the tag.
        ({"outcome": "Abandoned", "intent": {"action": "PutImage", "accepted_time": None}}, OLD),
        # It went well, or the tag is where somebody else wants it.
        ({"outcome": "Succeeded", "environment_tag": "Moved"}, NEW),
        ({"outcome": "RolledBack", "environment_tag": "TakenOver"}, NEW),
        ({"outcome": "Abandoned", "intent": {"action": "RegisterTaskDefinition"}}, NEW),
    ],
)
def test_a_tag_returns_to_before_all_attempts_that_moved_it_in_vain(before: dict[str, Any], origin: str) -> None:
    """One after another: what the earlier one moved it to was never proven."""
    third = Pin(id="third", source_hash="x", resolved_time=NOW, images=[PinnedImage(container="app", digest=OTHER)])
    seen = service(deployment(1), tasks=(task(1, OLD), task(1, OLD)))
    given = with_rollout(attempt_under_way(seen, attempt_id="b"), images=IMAGES, pin_id="second", **before)
    status = given.status.model_copy(update={"pin": third})
    found = changed(given, status=status, pin=third, environment=BY_TAG, target=target(BY_TAG), tags={"app": NEW},
                    running=task_definition(1, ":env.prod"))  # fmt: skip
    rollout = decide(found).status.rollout
    assert rollout is not None and rollout.attempt_id == "b" and rollout.images is not None
    assert [i.tag_digest for i in rollout.images] == [origin]


@pytest.mark.parametrize(
    ("outcome", "points_to", "returns"),
    [
        ("RolledBack", NEW, True),
        ("Aborted", NEW, True),
        ("TagMoved", NEW, True),
        ("Superseded", NEW, True),
        ("Superseded", OTHER, False),
        ("DeadlineExceeded", NEW, False),
        ("Succeeded", NEW, False),
    ],
)
def test_the_tag_returns_after_a_failure_if_nobody_moved_it(outcome: str, points_to: str, *, returns: bool) -> None:
    theirs = service(deployment(3), tasks=(task(3, OTHER), task(3, OTHER)))
    given = with_rollout(attempt_under_way(theirs), environment_tag="Moved", outcome=outcome, images=IMAGES)
    decision = decide(
        changed(given, environment=BY_TAG, target=target(BY_TAG), tags={"app": points_to}, running=task_definition(3, ":env.prod"))
    )
    assert isinstance(decision.act, MoveTags) == returns
