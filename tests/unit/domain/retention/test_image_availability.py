"""Whether images can still be pulled: what is said of them, what Ready makes of it, and that it starts and ends nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.api.release_status import HistoryEntry, ImageChange, Pin, PinnedImage, ReleaseStatus, Rollout
from ecs_release.domain.artifacts.registry_images import Finding, Presence
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Access, Service
from ecs_release.domain.environments.targets import resolve_target
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from ecs_release.domain.retention import image_availability
from ecs_release.domain.rules.new_attempt import may_begin_now
from tests.builders.conditions import ready_and_stalled
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, service, task
from tests.builders.facts import changed
from tests.builders.objects import environment, project
from tests.builders.scenarios import FORMER, NOTHING, RUNS, WANTED, attempt_due, attempt_under_way, deployed

T, U, A, G, X = Presence.TAGGED, Presence.UNTAGGED, Presence.ARCHIVED, Presence.GONE, Presence.UNREADABLE


def said(given_: Facts) -> tuple[str, str, str]:
    found = image_availability.availability_condition(given_, Draft.of(given_.status))
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("wanted", "former", "status", "reason", "words"),
    [
        (T, T, "True", "Resolved", ""),
        (U, T, "True", "ArtifactAtRisk", "bbbbbbbbbbbb (container app) has no tag"),
        (T, U, "True", "ArtifactAtRisk", "aaaaaaaaaaaa (container app, before) has no tag"),
        (G, T, "False", "ArtifactGone", "bbbbbbbbbbbb (container app) is not in 111122223333.dkr.ecr.eu-west-1.amazonaws.com any more"),
        (A, T, "False", "ArtifactGone", "archived"),
        (G, G, "False", "ArtifactGone", "bbbbbbbbbbbb"),
        (G, None, "False", "ArtifactGone", "bbbbbbbbbbbb"),
        (T, G, "False", "RollbackTargetGone", "A rollback would return to it"),
        (U, A, "False", "RollbackTargetGone", "archived"),
        (X, T, "Unknown", "NotObserved", "refused"),
        (X, G, "False", "RollbackTargetGone", "aaaaaaaaaaaa"),
        (None, None, "True", "Resolved", ""),
        (None, T, "True", "Resolved", ""),
    ],
)
def test_what_is_said(wanted: Presence | None, former: Presence | None, status: str, reason: str, words: str) -> None:
    found = said(deployed(wanted, former))
    assert found[:2] == (status, reason)
    assert words in found[2] and bool(words) == bool(found[2])


@pytest.mark.parametrize(
    ("wanted", "former", "before", "reason"),
    [
        (None, None, "ArtifactGone", "ArtifactGone"),
        (T, None, "ArtifactGone", "ArtifactGone"),
        (T, T, "ArtifactGone", "Resolved"),
        (None, None, "Resolved", "Resolved"),
        (G, None, "ArtifactAtRisk", "ArtifactGone"),
        (None, T, "RollbackTargetGone", "RollbackTargetGone"),
    ],
)
def test_what_a_new_process_has_not_looked_up_yet_stays_as_it_was_said(
    wanted: Presence | None, former: Presence | None, before: str, reason: str
) -> None:
    assert said(deployed(wanted, former, before=before))[1] == reason


def test_what_was_said_of_other_digests_does_not_stay() -> None:
    given_ = deployed(None, None, before="ArtifactGone")
    draft = Draft.of(given_.status)
    draft.pin = Pin(images=[PinnedImage(container="app", digest=OTHER)])
    assert image_availability.availability_condition(given_, draft).reason == "Resolved"


def test_a_tag_that_could_not_be_held_is_said() -> None:
    assert said(changed(deployed(), keep_problem="denied")) == ("True", "KeepTagFailed", "denied")
    assert said(changed(deployed(U), keep_problem="denied"))[1] == "ArtifactAtRisk"


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [
        (RUNS, G, ("True", "Succeeded", "False")),
        (NOTHING, T, ("True", "NothingRunning", "False")),
        (NOTHING, U, ("True", "NothingRunning", "False")),
        (NOTHING, X, ("True", "NothingRunning", "False")),
        (NOTHING, G, ("False", "ArtifactGone", "True")),
        (NOTHING, A, ("False", "ArtifactGone", "True")),
        (service(deployment(2)), G, ("False", "ArtifactGone", "True")),
        (service(deployment(2)), T, ("Unknown", "Verifying", "False")),
        (service(deployment(3), tasks=(task(3, OTHER),)), G, ("False", "Drifted", "True")),
    ],
)
def test_only_with_nothing_running_it_is_not_ready(seen: Service, wanted: Presence, expected: tuple[str, str, str]) -> None:
    assert ready_and_stalled(decide(deployed(wanted, seen=seen))) == expected


@pytest.mark.parametrize(("seen", "status"), [(RUNS, "True"), (NOTHING, "False")])
def test_who_holds_says_so_too(seen: Service, status: str) -> None:
    given_ = deployed(G, seen=seen)
    found = decide(changed(given_, spec={"suspend": True}))
    assert ready_and_stalled(found) == (status, "Suspended", "False")


def test_an_event_warns_once() -> None:
    first = decide(deployed(G))
    assert [(e.type, e.reason) for e in first.events if e.reason == "ArtifactGone"] == [("Warning", "ArtifactGone")]
    assert [e for e in decide(deployed(G, before="ArtifactGone")).events if e.reason == "ArtifactGone"] == []
    assert [e for e in decide(deployed()).events if e.type == "Warning"] == []


@pytest.mark.parametrize(("presence", "begins"), [(None, True), (T, True), (U, True), (X, True), (G, False), (A, False)])
def test_no_attempt_begins_with_what_is_gone(presence: Presence | None, begins: bool) -> None:
    decision = decide(attempt_due(findings={WANTED: Finding(presence)} if presence else {}))
    assert (decision.status.rollout is not None) is begins
    if not begins:
        assert ready_and_stalled(decision) == ("False", "ArtifactGone", "True") and decision.status.plan is not None


def test_when_an_attempt_may_begin_now_at_once() -> None:
    given_ = attempt_due()
    assert may_begin_now(given_)
    assert not may_begin_now(deployed())
    assert not may_begin_now(changed(given_, spec={"suspend": True}))
    window = {"name": "freeze", "kind": "Deny", "startTime": NOW - timedelta(days=1), "endTime": NOW + timedelta(days=1), "reason": "r"}
    assert not may_begin_now(changed(given_, environment=environment(windows=[window])))


@pytest.mark.parametrize(
    ("rollout", "history", "former"),
    [
        ([("app", OLD, False)], [], {"app": OLD}),
        ([("app", NEW, False)], [[("app", OTHER, False)], [("app", OLD, False)]], {"app": OTHER}),
        ([("log", OLD, True)], [], {}),
        ([("app", "sha256:" + "e" * 64, False)], [[("app", OLD, False)]], {"app": OLD}),
        ([("app", None, False)], [], {}),
    ],
)
def test_what_a_rollback_would_return_to(rollout: list[Any], history: list[list[Any]], former: dict[str, str]) -> None:
    """A platform's own digest of the wanted list is no other image."""

    def images(changes: list[Any]) -> list[ImageChange]:
        return [ImageChange(container=c, from_digest=d, unlisted=u or None) for c, d, u in changes]

    pin = Pin(images=[PinnedImage(container="app", digest=NEW, platform_digests=["sha256:" + "e" * 64])])
    entries = [HistoryEntry(attempt_id=str(n), images=images(h)) for n, h in enumerate(history)]
    status = ReleaseStatus(rollout=Rollout(attempt_id="a", images=images(rollout)), history=entries)
    assert image_availability.former_digests(pin, status) == former


@pytest.mark.parametrize(
    ("image", "registry_id", "region", "own_role"),
    [
        (None, "111122223333", "eu-west-1", True),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1", "111122223333", "eu-west-1", True),
        ("nginx:1", "111122223333", "eu-west-1", True),
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/shop/web:1", "444455556666", "us-east-1", False),
    ],
)
def test_it_is_looked_up_where_tasks_pull_from(image: str | None, registry_id: str, region: str, own_role: bool) -> None:
    role = "arn:aws:iam::111122223333:role/registry"
    target = resolve_target(environment(artifacts={"roleARN": role}), project(), "web")
    found = image_availability.repository(target, "shop/web", image)
    assert (found.registry_id, found.region) == (registry_id, region)
    assert found.access == (target.registry_access if own_role else target.access)
    assert isinstance(found.access, Access)


SEEN = [
    RUNS, NOTHING, service(deployment(2)), service(deployment(3), tasks=(task(3, OTHER),)),
    service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD))),
    service(deployment(1), deployment(2, status="INACTIVE", state="FAILED"), tasks=(task(1, OLD),), failed_deployments=frozenset({"ecs-svc/2"})),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    seen=st.sampled_from(SEEN), wanted=st.sampled_from([None, *Presence]), former=st.sampled_from([None, *Presence]),
    kind=st.sampled_from([deployed, attempt_under_way, attempt_due]), keep=st.sampled_from(["", "denied"]),
)  # fmt: skip
def test_it_never_changes_a_verdict_and_starts_nothing(
    seen: Service, wanted: Presence | None, former: Presence | None, kind: Any, keep: str
) -> None:
    plain: Facts = changed(kind(), seen=seen, artifacts=(WANTED, FORMER), findings={})
    found = {a: Finding(p) for a, p in ((WANTED, wanted), (FORMER, former)) if p is not None}
    without, with_ = decide(plain), decide(changed(plain, findings=found, keep_problem=keep))
    assert with_.act == without.act
    before = plain.status.rollout
    assert with_.status.rollout in (without.status.rollout, before), "it only keeps an attempt from beginning"
    if with_.status.rollout == without.status.rollout:
        assert find(with_.status.conditions, "Deployed") == find(without.status.conditions, "Deployed")
        assert with_.status.history == without.status.history
    if seen.running_tasks and with_.status.rollout == without.status.rollout:
        assert ready_and_stalled(with_) == ready_and_stalled(without)
