"""What a status tells has happened, as notifications: always the same ones, with the same ids, and as the schema says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.drift_status import LastDrift
from ecs_release.api.generate import notification_schema
from ecs_release.api.notification import Notification, NotificationType, schema
from ecs_release.api.promotion import AwaitedPromotion
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, ImageChange, Links, ReleaseStatus, Rollout
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry
from ecs_release.domain.notifications.notifications import Origin, release_notifications, set_notifications
from ecs_release.domain.notifications.outcome_measures import OUTCOMES
from ecs_release.domain.ports.commits import Commit
from tests.builders import objects
from tests.builders.ecs import ARN, NEW, NOW, OLD
from tests.builders.history import history_entry

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"
VALIDATOR = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
PLACE = Origin("default", objects.environment(target={"cluster": "main", "serviceName": "{service}"}), "all")
MINUTE = timedelta(minutes=1)


def release(status: ReleaseStatus | None = None, **meta: Any) -> Release:
    return objects.release(status=status, projectRef={"name": "shop"}, source={"releaseHash": "v2"}, meta={"uid": "u1", **meta})


def entry(attempt: str = "a1", outcome: str | None = None, **more: Any) -> HistoryEntry:
    people = {"hash": "v2", "requested_by": "ann", "applied_by": "argo", "message": outcome}
    return history_entry(attempt, outcome, **people | more)


def status(*history: HistoryEntry, **more: Any) -> ReleaseStatus:
    return ReleaseStatus(history=list(history) or None, **more)


def new_notifications(release: Release, before: ReleaseStatus | None, after: ReleaseStatus, place: Origin) -> tuple[Notification, ...]:
    """List the notifications of what happened to a Release between two statuses, oldest first."""
    known = {n.id for n in release_notifications(release.model_copy(update={"status": before}), place)}
    return tuple(n for n in release_notifications(release.model_copy(update={"status": after}), place) if n.id not in known)


def words(found: tuple[Notification, ...]) -> list[str]:
    return [n.type.removeprefix("dev.ecs-release.").removesuffix(".v1") for n in found]


_END = {
    "Succeeded": "succeeded", "SucceededLate": "succeeded", "OvertakenSameDigests": "succeeded", "NothingRunning": "succeeded",
    "RolledBack": "rolled-back", "RolloutFailed": "failed", "DeadlineExceeded": "failed", "TagMoved": "failed", "Aborted": "failed",
    "Superseded": "failed", "Abandoned": "failed", "TargetChanged": "failed", "ReappearedOlder": "failed", "OfAnotherVersion": "failed",
}  # fmt: skip


@pytest.mark.parametrize(("outcome", "word"), _END.items())
def test_an_attempt_is_told_of_when_it_begins_and_when_it_ends(outcome: str, word: str) -> None:
    under_way, ended = status(entry(took=90)), status(entry(outcome=outcome))
    assert words(new_notifications(release(), None, under_way, PLACE)) == ["deployment.started"]
    assert words(new_notifications(release(), under_way, ended, PLACE)) == [f"deployment.{word}"]
    assert new_notifications(release(), ended, ended, PLACE) == ()


COMMITS = AttemptCommits(before="0" * 40, after="2" * 40, added=2, first="1" * 40, last="2" * 40, first_time=NOW - MINUTE, authors=1)


def test_what_goes_out_is_listed_as_far_as_it_is_known() -> None:
    """Numbers are in status, commits are not; texts of committers are harmless, and cut."""
    listed = [Commit("2" * 40, "pages\x1b[31m " + "x" * 200, "A" * 70 + "\u202e", None), Commit("1" * 40, "first", "Ana", NOW - MINUTE)]
    place = replace(PLACE, listed=lambda commits: listed if commits == COMMITS else ())
    done = entry(outcome="Succeeded", commit_range=COMMITS, lead_time_seconds=60)
    started, succeeded = (n.data for n in release_notifications(release(status(done)), place))
    assert (started.commit_range, started.lead_time_seconds) == (COMMITS, None) and succeeded.lead_time_seconds == 60
    newest, oldest = succeeded.commits or ()
    assert newest.subject.startswith("pages\\x1b[31m xxx") and len(newest.subject) == 120 and newest.subject.endswith("…")
    assert len(newest.author) == 60 and newest.committed_time is None
    assert (oldest.hash, oldest.subject, oldest.author, oldest.committed_time) == ("1" * 40, "first", "Ana", NOW - MINUTE)
    without = [n.data for n in release_notifications(release(status(done)), PLACE)]
    assert [d.commits for d in without] == [None, None] and without[1].commit_range == COMMITS
    assert [d.commits for d in (n.data for n in release_notifications(release(status(entry(outcome="Succeeded"))), place))] == [None, None]


def test_every_outcome_has_its_word() -> None:
    assert {str(o) for o in OUTCOMES} - set(_END) == set()


def test_an_outcome_that_is_refined_is_told_where_its_word_changes() -> None:
    failed = status(entry(outcome="DeadlineExceeded", ago=60))
    assert words(new_notifications(release(), failed, status(entry(outcome="RolloutFailed")), PLACE)) == []
    assert words(new_notifications(release(), failed, status(entry(outcome="RolledBack")), PLACE)) == ["deployment.rolled-back"]
    assert words(new_notifications(release(), failed, status(entry(outcome="SucceededLate")), PLACE)) == ["deployment.succeeded"]


def rollout(outcome: str, took: timedelta) -> Rollout:
    return Rollout(attempt_id="a1", outcome=outcome, start_time=NOW - took, completion_time=NOW)


@pytest.mark.parametrize(
    ("its_entry", "its_rollout", "told"),
    [
        (entry(outcome="Succeeded", took=0, cause="Adopted"), rollout("Succeeded", timedelta()), 0),
        # A set that goes back finds its former images running; tags told how it went in another life of the cluster.
        (entry(outcome="Succeeded", took=0, cause="Rollback"), rollout("Succeeded", timedelta()), 0),
        (entry(outcome="RolledBack", took=0, deployment_id=None), rollout("RolledBack", timedelta()), 0),
        (entry(outcome="Succeeded", took=0, cause="Rollback"), None, 0),
        (entry(outcome="RolledBack", took=0, deployment_id=None), None, 0),
        # AWS refuses the revision within the second.
        (entry(outcome="RolloutFailed", took=0, deployment_id=None), rollout("RolloutFailed", timedelta(milliseconds=300)), 2),
        (entry(outcome="RolloutFailed", took=0, deployment_id=None), None, 2),
    ],
)
def test_what_was_no_rollout_is_not_told_of(its_entry: HistoryEntry, its_rollout: Rollout | None, told: int) -> None:
    assert len(release_notifications(release(status(its_entry, rollout=its_rollout)), PLACE)) == told


def test_ids_stay_and_are_those_of_the_status_as_it_is_read_back() -> None:
    written = status(
        entry("a2", "RolledBack"),
        entry("a1", "Succeeded", ago=600),
        last_drift=LastDrift(start_time=NOW - 2 * MINUTE, end_time=NOW - MINUTE),
    )
    read = ReleaseStatus.model_validate(written.to_kubernetes())
    found = release_notifications(release(read), PLACE)
    assert found == release_notifications(release(written), PLACE)
    assert [n.id for n in found] == [
        "u1.a1.started", "u1.a1.succeeded", "u1.20260504t115800.drifted", "u1.a2.started", "u1.20260504t115800.in-sync", "u1.a2.rolled-back",
    ]  # fmt: skip


def test_a_drift_is_told_of_with_what_runs_instead_of_what() -> None:
    drift = LastDrift(deployment_id="ecs-svc/9", message="app runs v9 instead of v2", start_time=NOW)
    runs = {
        "taskDefinition": f"{ARN}:task-definition/web:9", "changedBy": {"arn": "arn:aws:iam::1:user/bob", "userAgent": "console"},
        "containers": [{"name": "app", "digests": [{"digest": OLD, "tasks": 2, "releaseHash": "v9"}]}, {"name": "log"}],
    }  # fmt: skip
    pin = {"images": [{"container": "app", "digest": NEW, "releaseHash": "v2"}]}
    after = ReleaseStatus.model_validate({"running": runs, "pin": pin, "lastDrift": drift.to_kubernetes()})
    (told,) = new_notifications(release(), status(), after, PLACE)
    assert (told.type, told.time, told.subject) == (NotificationType.DRIFTED, NOW, "release/shop/web")
    data = told.data.to_kubernetes()
    assert data["images"] == [{"container": "app", "fromDigest": NEW, "fromHash": "v2", "toDigest": OLD, "toHash": "v9"}]
    assert (data["deploymentID"], data["changedBy"]["userAgent"], data["message"]) == ("ecs-svc/9", "console", drift.message)
    over = after.model_copy(update={"last_drift": drift.model_copy(update={"end_time": NOW + MINUTE})})
    (told,) = new_notifications(release(), after, over, PLACE)
    assert (told.type, told.data.start_time, told.data.completion_time) == (NotificationType.IN_SYNC, NOW, NOW + MINUTE)


def test_everything_that_is_known_is_in_it() -> None:
    its_status = ReleaseStatus.model_validate(
        {
            "target": {"accountID": "111122223333", "region": "eu-west-2", "cluster": "other", "serviceARN": f"{ARN}:service/other/web"},
            "history": [entry(outcome="Succeeded", url="https://x/1", revision="abc", ticket="T-1", description="why").to_kubernetes()],
            "rollout": Rollout(attempt_id="a1", links=Links(service="https://console/service"), start_time=NOW - MINUTE).to_kubernetes(),
        }
    )
    owner = {"kind": "ReleaseSet", "name": "all-prod", "uid": "s1", "controller": True}
    started, ended = release_notifications(release(its_status, ownerReferences=[owner]), PLACE)
    assert json.loads(ended.to_json()) == {
        "specversion": "1.0", "id": "u1.a1.succeeded", "source": "//ecs-release.dev/default/prod", "subject": "release/shop/web",
        "type": "dev.ecs-release.deployment.succeeded.v1", "time": "2026-05-04T12:00:00Z", "datacontenttype": "application/json",
        "data": {
            "installation": "default", "environment": "prod", "kind": "Release", "namespace": "shop", "name": "web", "uid": "u1",
            "project": "shop", "serviceSet": "all", "service": "web", "releaseSet": "all-prod",
            "target": {"accountID": "111122223333", "region": "eu-west-2", "cluster": "other", "serviceARN": f"{ARN}:service/other/web"},
            "attemptID": "a1", "hash": "v2", "cause": "Requested", "outcome": "Succeeded", "message": "Succeeded",
            "images": [{"container": "app", "fromDigest": OLD, "toDigest": NEW}], "requestedBy": "ann", "appliedBy": "argo",
            "description": "why",
            "url": "https://x/1", "revision": "abc", "ticket": "T-1", "deploymentID": "ecs-svc/2",
            "startTime": "2026-05-04T11:58:30Z", "completionTime": "2026-05-04T12:00:00Z", "links": {"service": "https://console/service"},
        },
    }  # fmt: skip
    begun = started.data
    assert (begun.outcome, begun.message, begun.completion_time) == (None, None, None), "nobody knows when it begins how it will end"


def a_set(*history: SetHistoryEntry) -> ReleaseSet:
    spec = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "v2"}}
    its_status = ReleaseSetStatus.model_validate({"services": [{"name": "web"}, {"name": "api"}]}).model_copy(
        update={"history": list(history)}
    )
    return ReleaseSet.model_validate({"metadata": {"name": "all-prod", "namespace": "shop", "uid": "s1"}, "spec": spec}).model_copy(
        update={"status": its_status}
    )


def test_a_deployment_set_is_told_of_as_one() -> None:
    took = {"start_time": NOW - 3 * MINUTE, "completion_time": NOW - 2 * MINUTE}
    back = {"start_time": NOW - 2 * MINUTE, "completion_time": NOW, "cause": "Rollback"}
    found = set_notifications(
        a_set(SetHistoryEntry(id="d2", outcome="RolledBack", **back), SetHistoryEntry(id="d1", outcome="Failed", **took)), PLACE
    )
    assert [n.id for n in found] == ["s1.d1.set-started", "s1.d1.set-failed", "s1.d2.set-started", "s1.d2.set-rolled-back"]
    assert words(found)[-1] == "deployment-set.rolled-back"
    assert (found[0].subject, found[0].data.services, found[0].data.release_set) == ("releaseset/shop/all-prod", ["web", "api"], None)
    assert all(not list(VALIDATOR.iter_errors(json.loads(n.to_json()))) for n in found)


def test_what_goes_out_with_a_set_is_listed() -> None:
    place = replace(PLACE, listed=lambda commits: (Commit("2" * 40, "second", "Ben", NOW),) if commits == COMMITS else ())
    known = SetHistoryEntry(id="d2", start_time=NOW - MINUTE, completion_time=NOW, outcome="Succeeded", commit_range=COMMITS)
    unknown = SetHistoryEntry(id="d1", start_time=NOW - 3 * MINUTE, completion_time=NOW - 2 * MINUTE, outcome="Succeeded")
    *first, _, succeeded = [n.data for n in set_notifications(a_set(known, unknown), place)]
    assert succeeded.commit_range == COMMITS and [c.subject for c in succeeded.commits or ()] == ["second"]
    assert [(d.commit_range, d.commits) for d in first] == [(None, None)] * 2


# Anything that a status may hold.

# Bounds are the models' own tests' business: what is long is only slow to make here.
_word, _text, _arn = st.text(min_size=1, max_size=64), st.text(max_size=128), st.text(max_size=128)
_digest = st.sampled_from([OLD, NEW])
_time = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


_images = st.lists(
    st.builds(
        ImageChange,
        container=_word,
        from_digest=maybe(_digest),
        to_digest=maybe(_digest),
        from_hash=maybe(_word),
        unlisted=maybe(st.just(True)),
    ),
    max_size=20,
)
_entries = st.builds(
    HistoryEntry, attempt_id=st.from_regex(r"\A[0-9]{8}t[0-9]{6}-[0-9a-f]{6}\Z"), cause=maybe(_word), outcome=maybe(st.sampled_from(list(_END))),
    message=maybe(_text), window=maybe(_text), hash=maybe(_word), images=maybe(_images), task_definition=maybe(_arn), deployment_id=maybe(_word),
    requested_by=maybe(_word), applied_by=maybe(_word),
    description=maybe(_text), url=maybe(_arn), revision=maybe(_word), ticket=maybe(_word),
    start_time=maybe(_time), completion_time=maybe(_time),
)  # fmt: skip
_drifts = st.builds(LastDrift, deployment_id=maybe(_word), message=maybe(_text), start_time=maybe(_time), end_time=maybe(_time))


@given(history=st.lists(_entries, max_size=3), last_drift=maybe(_drifts))
def test_whatever_a_status_holds_is_told_as_the_schema_says(history: list[HistoryEntry], last_drift: LastDrift | None) -> None:
    found = release_notifications(release(ReleaseStatus(history=history, last_drift=last_drift), uid="0" * 36), PLACE)
    for one in found:
        text = one.to_json()
        assert text.isascii()
        assert len(one.id) <= 128
        VALIDATOR.validate(json.loads(text))
    assert found == release_notifications(release(ReleaseStatus(history=history, last_drift=last_drift), uid="0" * 36), PLACE)
    assert [n.time for n in found] == sorted(n.time for n in found)


def test_the_largest_fits_into_a_message() -> None:
    """Amazon SNS and EventBridge take 256 KiB. Digests, names of containers and hashes are ASCII; an astral character takes 12 bytes."""
    image = {"container": "c" * 255, "from_digest": OLD, "to_digest": NEW, "from_hash": "h" * 128, "to_hash": "h" * 128}
    wide = "\U0001f680"
    texts = {
        "message": 1024,
        "window": 1024,
        "description": 1024,
        "url": 2048,
        "requested_by": 256,
        "applied_by": 256,
        "revision": 256,
        "ticket": 256,
    }
    large = entry(
        outcome="RolloutFailed",
        images=[ImageChange(**image)] * 20,
        task_definition="t" * 2048,
        commit_range=COMMITS,
        **{n: wide * size for n, size in texts.items()},
    )
    place = replace(PLACE, listed=lambda _: [Commit("c" * 40, wide * 200, wide * 200, NOW)] * 20)
    assert max(len(n.to_json()) for n in release_notifications(release(status(large)), place)) < 250_000


def test_the_schema_finds_what_is_wrong() -> None:
    (good, *_) = (json.loads(n.to_json()) for n in release_notifications(release(status(entry())), PLACE))
    VALIDATOR.validate(good)
    for wrong in ({"type": "x"}, {"id": ""}, {"data": {}}, {"time": 1}, {"data": good["data"] | {"images": None}}):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(good | wrong)


def test_the_published_schema_is_up_to_date() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert (REFERENCE / "notification.schema.json").read_text() == notification_schema(), "run make generate"


def test_every_type_is_documented() -> None:
    text = (REFERENCE / "notifications.md").read_text()
    assert [str(kind) for kind in NotificationType if f"`{kind}`" not in text] == []


def test_an_overdue_promotion_is_said_with_what_runs_here_and_what_waits() -> None:
    waits = AwaitedPromotion.model_validate(
        {
            "environment": "staging", "hash": "v3", "state": "Overdue", "sinceTime": NOW - 3 * MINUTE, "toldTime": NOW, "told": 2,
            "images": [{"container": "app", "digest": NEW, "releaseHash": "v3"}],
        }
    )  # fmt: skip
    runs = {"containers": [{"name": "app", "digests": [{"digest": OLD, "tasks": 2, "releaseHash": "v2"}]}]}
    (found,) = release_notifications(release(status(running=runs, promotion=waits)), PLACE)
    VALIDATOR.validate(found.to_kubernetes())
    data = found.data
    assert (found.type, found.time) == (NotificationType.OVERDUE, NOW)
    assert (data.promoted_from, data.hash, data.reminder, data.start_time) == ("staging", "v3", 2, NOW - 3 * MINUTE)
    assert [(i.from_hash, i.from_digest, i.to_hash, i.to_digest) for i in data.images or ()] == [("v2", OLD, "v3", NEW)]
    (third,) = release_notifications(release(status(promotion=waits.model_copy(update={"told": 3}))), PLACE)
    assert third.id != found.id and third.id.endswith(".overdue.3")
    silent = waits.model_copy(update={"told_time": None, "told": None})
    assert release_notifications(release(status(promotion=silent)), PLACE) == ()
