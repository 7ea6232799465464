"""What tasks prove: digests are compared with the wanted one and its platforms', as far as those are known."""

from __future__ import annotations

import pytest

from ecs_release.domain.ecs.service import Service
from ecs_release.domain.verification.proof import ImageDigests, Match, first_task_mismatch, match_service, why_unproven
from tests.builders.ecs import NEW, OLD, OTHER, deployment, service, task

ALL, SOME = ImageDigests(frozenset({NEW})), ImageDigests(frozenset({NEW}), complete=False)


@pytest.mark.parametrize(
    ("wanted", "digest", "expected"),
    [
        (ALL, NEW, Match.YES),
        (ALL, OTHER, Match.NO),
        (ALL, "", Match.UNKNOWN),
        (ALL, None, Match.UNKNOWN),
        (SOME, NEW, Match.YES),
        (SOME, OTHER, Match.UNKNOWN),
        (SOME, "", Match.UNKNOWN),
    ],
)
def test_what_is_not_known_to_be_none_is_no_difference(wanted: ImageDigests, digest: str | None, expected: Match) -> None:
    assert wanted.match(digest) is expected


@pytest.mark.parametrize(
    ("what", "seen", "wanted", "expected", "why"),
    [
        ("all show it", service(deployment(2), tasks=(task(2), task(2))), SOME, Match.YES, ""),
        ("another one", service(deployment(2), tasks=(task(2), task(2, OTHER))), ALL, Match.NO, "1 of 2 running tasks show other digests"),
        ("perhaps a platform's", service(deployment(2), tasks=(task(2), task(2, OTHER))), SOME, Match.UNKNOWN, "ECR has not told yet"),
        ("no digest", service(deployment(2), tasks=(task(2, ""),)), SOME, Match.UNKNOWN, "ECS does not report the digests of 1 of 1"),
    ],
)
def test_a_service_is_compared_as_far_as_platforms_are_known(
    what: str, seen: Service, wanted: ImageDigests, expected: Match, why: str
) -> None:
    accepted = {"app": wanted}
    assert match_service(seen, accepted) is expected, what
    assert why in why_unproven(seen, accepted) and bool(why) is bool(why_unproven(seen, accepted))


def test_the_first_task_proves_what_the_tag_meant() -> None:
    seen = service(deployment(2), tasks=(task(1, OLD), task(2, OTHER)))
    assert "moved" in first_task_mismatch(seen, "ecs-svc/2", {"app": ALL})
    assert first_task_mismatch(seen, "ecs-svc/2", {"app": SOME}) == ""
    assert first_task_mismatch(seen, "ecs-svc/9", {"app": ALL}) == ""
    assert first_task_mismatch(service(deployment(2), tasks=(task(2, NEW),)), "ecs-svc/2", {"app": ALL}) == ""
