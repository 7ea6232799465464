"""Method EnvironmentTag: after which outcomes the tag goes back to where it was."""

from __future__ import annotations

import pytest

from ecs_release.api.release_status import ImageChange
from ecs_release.domain.decision.decision import MoveTags
from ecs_release.domain.release.decide import decide
from tests.builders.ecs import NEW, OLD, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, target
from tests.builders.scenarios import attempt_under_way, with_rollout

BY_TAG = environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.prod"})
IMAGES = [ImageChange(container="app", from_digest=OLD, to_digest=NEW, tag_digest=OLD)]


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
