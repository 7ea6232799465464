"""A deployment set as GitHub shows it: tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.api.commits import ProjectGit
from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.source import Source
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.sets.facts import set_source_hash
from ecs_release.domain.views import github, shown
from ecs_release.domain.views.shown import Shown, ShownService
from tests.builders.objects import environment, release_object, release_set_object

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
COMMIT = "5d6e7f8" + "0" * 33
PLACE = environment(
    notify={
        "github": {
            "credentials": "main",
            "repositories": [{"namespaces": ["shop"], "repositories": ["acme/store"]}],
            "environmentName": "{environment}/{serviceSet}",
            "pullRequests": {"label": "live: {environment}"},
        }
    }
)


def one(**more: Any) -> Shown:
    usual: dict[str, Any] = {
        "id": "set-1", "kind": "ReleaseSet", "namespace": "shop", "name": "front-prod", "uid": "u1", "project": "store", "service_set": "front",
        "environment": "prod", "installation": "default", "is_latest": True, "is_replaced": False, "start_time": AT, "commit": COMMIT,
    }  # fmt: skip
    return Shown(**{**usual, **more})


@pytest.mark.parametrize(
    ("more", "state", "comment"),
    [
        ({}, "in_progress", "in_progress"),
        ({"waiting_for": "window nights is closed"}, "queued", "queued"),
        ({"outcome": "Succeeded"}, "success", "success"),
        ({"outcome": "SucceededLate"}, "success", "success"),
        ({"outcome": "Succeeded", "is_latest": False}, "success", "success"),
        ({"outcome": "Succeeded", "is_latest": False, "is_replaced": True}, "inactive", "success"),
        ({"outcome": "Failed"}, "failure", "failure"),
        ({"outcome": "Failed", "is_latest": False, "is_replaced": True}, "failure", "failure"),
        ({"outcome": "RolledBack", "cause": "Rollback"}, "success", "success"),
        ({"outcome": "RolledBack", "cause": "Requested", "kind": "Release"}, "failure", "failure"),
        ({"outcome": "Aborted"}, "failure", "failure"),
        ({"outcome": "Superseded"}, "inactive", "superseded"),
        ({"is_latest": False}, "inactive", "in_progress"),
    ],
)
def test_states(more: dict[str, Any], state: str, comment: str) -> None:
    assert github.state_of(one(**more)) == state
    assert github.comment_state(one(**more)) == comment


def test_a_deployment() -> None:
    (part,) = github.document(one(outcome="Failed", message="web\nRolledBack " + "x" * 200), PLACE, "acme/store", ())
    assert part.name == "deployment" and not part.is_shared
    assert (part.content["ref"], part.content["environment"]) == (COMMIT, "prod/front")
    assert part.content["status"].startswith("Failed; web RolledBack x") and len(part.content["status"]) == 140
    assert github.document(one(commit=""), PLACE, "acme/store", ()) == ()


def test_keys() -> None:
    """A Deployment is one for each deployment set; a comment for each installation, Environment and pull request."""
    first, second = (github.document(one(id=an_id, uid=an_id), PLACE, "acme/store", (7,)) for an_id in ("a", "b"))
    assert first[0].key != second[0].key and first[1].key == second[1].key and first[1].is_shared
    others = [one(installation="x"), one(environment="x")]
    keys = {github.document(other, PLACE, "acme/store", (7,))[1].key for other in others}
    assert len(keys | {first[1].key, github.document(one(), PLACE, "acme/other", (7,))[1].key}) == 4


def test_a_comment_says_how_it_ended_and_why() -> None:
    evidence = Evidence(container="app", exit_code=1, reason="Essential container in task exited", link="https://console.aws.amazon.com/l")
    web = ShownService("web", "RolledBack", evidence=(evidence,))
    failed = one(outcome="Failed", message="web RolledBack", services=(web,), requested_by="ben", description="faster")
    comment = github.document(failed, PLACE, "acme/store", (7,))[1]
    assert comment.content["text"].splitlines() == [
        "**Failed** in `prod`: ReleaseSet `shop/front-prod`",
        "- commit: `5d6e7f800000`",
        "- requested by: `ben`",
        "- why: `faster`",
        "- `Failed` `web RolledBack`",
        "- `web`, container `app`, exit code 1: `Essential container in task exited` ([log or task in AWS](<https://console.aws.amazon.com/l>))",
    ]
    assert comment.content["label"] == ""
    live = github.document(one(outcome="Succeeded", completion_time=AT), PLACE, "acme/store", (7,))[1]
    assert live.content["label"] == "live: prod" and "- since: `2026-01-01T12:00:00Z`" in live.content["text"]


def test_text_of_people_mentions_nobody() -> None:
    hostile = "@acme/admins `closes #1` <!-- ecs-release end --> [x](https://evil.example)\n# title\n" + "y" * 65536
    said = one(outcome="Failed", message=hostile, requested_by=hostile, description=hostile, reason=hostile, applied_by=hostile)
    text = github.document(said, PLACE, "acme/store", (7,))[1].content["text"]
    lines = text.splitlines()
    assert len(text) < 3000 and all(line.startswith(("**Failed**", "- ")) for line in lines)
    for line in lines[2:]:
        assert line.count("``") >= 2 and line.index("``") < line.index("@acme")


def history(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"startTime": "2026-01-01T12:00:00Z", "cause": "Requested", **entry} for entry in entries]


def test_deployment_sets_of_a_set() -> None:
    status = {
        "history": history({"id": "c"}, {"id": "b", "outcome": "Failed"}, {"id": "a", "outcome": "Succeeded", "hash": "1a2b3c4"}),
        "services": [
            {"name": "web", "state": "Progressing", "images": [{"container": "app", "releaseHash": COMMIT}]},
            {"name": "old", "origin": "Kept", "images": [{"container": "app", "releaseHash": "abcdef0"}]},
        ],
    }
    found = shown.deployment_sets(ReleaseSet.model_validate(release_set_object(status=status)), [], "default")
    assert [(s.id, s.is_latest, s.is_replaced, s.commit) for s in found] == [
        ("c", True, False, COMMIT),
        ("b", False, False, ""),
        ("a", False, False, "1a2b3c4"),
    ]
    assert [s.name for s in found[0].services] == ["web", "old"] and found[1].services == ()


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # What was adopted is no deployment.
        (({"attemptID": "a", "cause": "Adopted", "outcome": "Succeeded"},), []),
        (({"attemptID": "b"}, {"attemptID": "a", "outcome": "Succeeded"}), [("b", True, False), ("a", False, False)]),
        (
            ({"attemptID": "b", "outcome": "Succeeded"}, {"attemptID": "a", "outcome": "Succeeded"}),
            [("b", True, False), ("a", False, True)],
        ),
        # Another tag of what runs already: the attempt that brought it still runs.
        (
            (
                {"attemptID": "b", "cause": "Adopted", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:1"}]},
                {"attemptID": "a", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:1"}]},
            ),
            [("a", True, False)],
        ),
        # Somebody else deployed something newer by hand, and it was adopted.
        (
            (
                {"attemptID": "b", "cause": "Adopted", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:2"}]},
                {"attemptID": "a", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:1"}]},
            ),
            [("a", False, True)],
        ),
        (({"attemptID": "a", "outcome": "ReappearedOlder"},), []),
    ],
)
def test_attempts_of_a_release(entries: tuple[dict[str, Any], ...], expected: list[tuple[str, bool, bool]]) -> None:
    release = Release.model_validate(release_object(status={"history": history(*entries)}))
    assert [(s.id, s.is_latest, s.is_replaced) for s in shown.attempts(release, "front", "default")] == expected


SOURCE = Source(release_hash="bbbbbbb")
WAITS = [
    {"type": t, "status": s, "reason": "AwaitingWindow", "message": "closed"} for t, s in (("Ready", "False"), ("Reconciling", "True"))
]


@pytest.mark.parametrize(
    ("pin", "source", "outcome", "waiting_for", "service"),
    [
        ("p1", SOURCE, "", "closed", ("Waiting", "closed")),
        ("p1", SOURCE, "Succeeded", "", ("Waiting", "closed")),
        # A newer source waits, or a tag that was moved: what is under way goes on.
        ("p1", Source(release_hash="ccccccc"), "", "", ("Progressing", "so far")),
        ("p2", SOURCE, "", "", ("Progressing", "so far")),
        ("p2", SOURCE, "Succeeded", "", ("Ready", "so far")),
        ("p2", SOURCE, "RolledBack", "", ("Failed", "so far")),
    ],
)
def test_what_something_newer_waits_for_is_not_said_of_the_latest_attempt(
    pin: str, source: Source, outcome: str, waiting_for: str, service: tuple[str, str]
) -> None:
    attempt = {"attemptID": "a", "pinID": "p1", "sourceHash": source_hash(SOURCE), "startTime": "2026-01-01T12:00:00Z"}
    ended = {"outcome": outcome} if outcome else {}
    status = {
        "phase": "Waiting",
        "conditions": [{**c, "lastTransitionTime": "2026-01-01T12:00:00Z"} for c in WAITS],
        "pin": {"id": pin, "sourceHash": source_hash(SOURCE)},
        "rollout": {**attempt, **ended},
        "history": history({**attempt, **ended, "message": "so far"}),
    }
    release = Release.model_validate(release_object(status=status, source=source.to_kubernetes()))
    (found,) = shown.attempts(release, "front", "default")
    assert (found.waiting_for, [(s.state, s.message) for s in found.services]) == (waiting_for, [service])


@pytest.mark.parametrize(("source", "waiting_for"), [({"releaseHash": "bbbbbbb"}, "closed"), ({"releaseHash": "ccccccc"}, "")])
def test_what_a_newer_source_of_a_set_waits_for_is_not_said_of_the_latest_deployment_set(source: dict[str, str], waiting_for: str) -> None:
    wanted = set_source_hash(ReleaseSet.model_validate(release_set_object()).spec)
    status = {
        "conditions": [{**c, "lastTransitionTime": "2026-01-01T12:00:00Z"} for c in WAITS],
        "history": history({"id": "a", "sourceHash": wanted}),
    }
    release_set = ReleaseSet.model_validate(release_set_object(status=status, source=source))
    assert [one.waiting_for for one in shown.deployment_sets(release_set, [], "default")] == [waiting_for]


@pytest.mark.parametrize(
    ("began", "spans", "evidence", "message"),
    [
        ("2026-01-01T12:00:00Z", [("aaaaaaa", "bbbbbbb")], 1, "a crash"),
        # What a deployment set before brought, and why it failed.
        ("2026-01-01T11:59:59Z", [], 0, ""),
    ],
)
def test_what_a_child_did_before_is_not_said_of_the_latest_deployment_set(
    began: str, spans: list[tuple[str, str]], evidence: int, message: str
) -> None:
    image = {"container": "app", "fromDigest": "d1", "fromHash": "aaaaaaa", "toDigest": "d2", "toHash": "bbbbbbb"}
    attempt = {"attemptID": "a", "startTime": began, "outcome": "RolledBack", "images": [image]}
    failed = {"type": "Ready", "status": "False", "reason": "RolledBack", "message": "a crash", "lastTransitionTime": began}
    child = release_object(
        status={
            "history": history(attempt),
            "rollout": {**attempt, "evidence": [{"task": "t", "container": "app"}]},
            "conditions": [failed],
        }
    )
    its_set = {"history": history({"id": "s", "startTime": "2026-01-01T12:00:00.4Z"}), "services": [{"name": "web", "state": "Pending"}]}
    release_set = ReleaseSet.model_validate(release_set_object(status=its_set))
    (found,) = shown.deployment_sets(release_set, [Release.model_validate(child)], "default")
    assert [(s.before, s.after) for s in found.spans] == spans
    assert [(len(s.evidence), s.message) for s in found.services] == [(evidence, message)]


@pytest.mark.parametrize(
    ("entries", "spans"),
    [
        (({"commitRange": {"before": "a" * 40, "after": "b" * 40, "added": 2}},), [("a" * 40, "b" * 40)]),
        (({"commitRange": {"before": "a" * 40, "after": "b" * 40, "added": 0, "removed": 2}},), []),
        (
            ({"images": [{"container": "app", "fromDigest": "d1", "fromHash": "aaaaaaa", "toDigest": "d2", "toHash": "bbbbbbb"}]},),
            [("aaaaaaa", "bbbbbbb")],
        ),
        # What an attempt before had brought, and was never proven, is brought now.
        (
            (
                {"images": [{"container": "app", "fromDigest": "d2", "fromHash": "bbbbbbb", "toDigest": "d3", "toHash": "ccccccc"}]},
                {
                    "outcome": "Superseded",
                    "images": [{"container": "app", "fromDigest": "d1", "fromHash": "aaaaaaa", "toDigest": "d2", "toHash": "bbbbbbb"}],
                },
            ),
            [("aaaaaaa", "ccccccc")],
        ),
        (({"images": [{"container": "app", "fromDigest": "d1", "fromHash": "aaaaaaa", "toDigest": "d1", "toHash": "aaaaaaa"}]},), []),
    ],
)
def test_spans(entries: tuple[dict[str, Any], ...], spans: list[tuple[str, str]]) -> None:
    made = [{"attemptID": str(n), **entry} for n, entry in enumerate(entries)]
    release = Release.model_validate(release_object(status={"history": history(*made)}))
    assert [(s.before, s.after) for s in shown.attempts(release, "front", "default")[0].spans] == spans


def test_addresses_of_pull_requests() -> None:
    """Where the comments of this deployment set are: other documents have others."""
    view = View(id="github/set-1", place="acme/store", parts=[ViewPart(name=name) for name in ("deployment", "pull/12", "pull/7")])
    other = View(id="github/set-2", place="acme/store", parts=[ViewPart(name="pull/9")])
    git = ProjectGit(url="https://github.example.com/Acme/Store.git")
    found = tuple(f"https://github.example.com/acme/store/pull/{number}" for number in (7, 12))
    assert github.pull_requests(one(), (other, view), git) == found
    assert github.pull_requests(one(), (other,), git) == github.pull_requests(one(), (view,), None) == ()
