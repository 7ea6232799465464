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
from ecs_release.domain.views.services import ENDED, IDLE, ShownService
from ecs_release.domain.views.shown import Shown
from ecs_release.domain.views.verdicts import Verdict
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
        # No task runs that could prove it.
        ({"outcome": "NothingRunning", "kind": "Release"}, "inactive", "idle"),
        ({"outcome": "NothingRunning", "kind": "Release", "is_proven": True}, "success", "success"),
        ({"outcome": "Succeeded", "idle": ("batch",), "is_idle": True}, "inactive", "idle"),
        ({"outcome": "RolledBack", "cause": "Rollback", "idle": ("batch",), "is_idle": True}, "inactive", "idle"),
        # What runs of it was proven.
        ({"outcome": "Succeeded", "idle": ("batch",)}, "success", "success"),
        ({"outcome": "Failed", "idle": ("batch",)}, "failure", "failure"),
        # Nobody saw a failure.
        ({"outcome": "TargetChanged", "kind": "Release"}, "inactive", "unseen"),
        ({"outcome": "Abandoned", "kind": "Release"}, "inactive", "unseen"),
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


CREATED = View(id="github/set-1", parts=[ViewPart(name="deployment", key="k", receipt="1")])
ANNOUNCED = View(id="github/set-1", parts=[ViewPart(name="deployment", key="k")])


@pytest.mark.parametrize(
    ("commit", "is_latest", "view", "is_there"),
    [
        (COMMIT, True, None, True),
        (COMMIT, False, ANNOUNCED, True),
        # Of a promotion, or a tag, the commit is known only while it is the latest.
        ("", False, CREATED, True),
        ("", True, CREATED, True),
        ("", False, ANNOUNCED, False),
        ("", True, None, False),
        (COMMIT, False, None, False),
    ],
)
def test_a_deployment_that_was_created_is_changed_to_the_end(commit: str, is_latest: bool, view: View | None, is_there: bool) -> None:
    ended = one(commit=commit, is_latest=is_latest, is_replaced=True, outcome="Succeeded")
    found = [p.content["state"] for p in github.document(ended, PLACE, "acme/store", (), (), view)]
    assert found == (["inactive"] if is_there else [])


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


def test_a_comment_names_ten_services_and_says_how_many_more() -> None:
    evidence = Evidence(container="app", reason="x" * 2000, link="https://console.aws.amazon.com/" + "y" * 1900)
    services = tuple(ShownService(f"service-{n:02}", "Failed", evidence=(evidence,) * 3) for n in range(50))
    text = github.document(one(outcome="Failed", services=services), PLACE, "acme/store", (7,))[1].content["text"]
    named = [line for line in text.splitlines() if "`service-" in line]
    assert len(named) == 20 and named[-1].startswith("- `service-09`, container `app`: `") and len(text) < 60_000
    assert text.splitlines()[-1] == "- and 40 services more"


def test_what_runs_nothing_is_not_called_live() -> None:
    deployment, comment = github.document(
        one(outcome="Succeeded", message="2 services are Ready", idle=("batch",), is_idle=True), PLACE, "acme/store", (7,)
    )
    assert comment.content["label"] == ""
    assert comment.content["text"].splitlines()[0] == "**Set, but not live** in `prod`: ReleaseSet `shop/front-prod`"
    assert comment.content["text"].splitlines()[-2:] == ["- `Succeeded` `2 services are Ready`", "- nothing runs of `batch`"]
    assert deployment.content["status"] == "Succeeded; nothing runs of batch; 2 services are Ready"


def test_a_service_of_which_nothing_runs_is_named_beside_those_that_are_live() -> None:
    deployment, comment = github.document(
        one(outcome="Succeeded", message="2 services are Ready", idle=("batch",)), PLACE, "acme/store", (7,)
    )
    assert comment.content["text"].splitlines()[0] == "**Live** in `prod`: ReleaseSet `shop/front-prod`"
    assert comment.content["text"].splitlines()[-1] == "- nothing runs of `batch`"
    assert deployment.content["status"] == "Succeeded; nothing runs of batch; 2 services are Ready"


def test_a_comment_says_what_nobody_saw() -> None:
    unseen = one(kind="Release", outcome="TargetChanged", message="the Project leads elsewhere")
    text = github.document(unseen, PLACE, "acme/store", (7,))[1].content["text"]
    assert text.splitlines()[0] == "**Nobody saw how it ended** in `prod`: Release `shop/front-prod`"
    assert text.splitlines()[-1] == "- `TargetChanged` `the Project leads elsewhere`"


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


FORMER = "1a2b3c4" + "0" * 33


def line(name: str, images: str = COMMIT, previous: str = FORMER, **more: Any) -> dict[str, Any]:
    """A service of a set that was started; digests are by hash."""
    pins = {
        field: [{"container": "app", "repository": "store", "digest": f"sha256:{of}", "releaseHash": of}]
        for field, of in (("images", images), ("previous", previous))
        if of
    }
    return {"name": name, "state": "Ready", "startTime": "2026-01-01T12:00:01Z", **pins, **more}


@pytest.mark.parametrize(
    ("cause", "services", "commit"),
    [
        ("Requested", [line("web"), line("api")], COMMIT),
        ("Requested", [line("web"), line("api", COMMIT[:12])], COMMIT),
        ("Requested", [line("web"), line("api", "abcdef0")], ""),
        # A service that left keeps the images that it had.
        ("Requested", [line("web"), line("old", "abcdef0", state="Left")], COMMIT),
        ("Rollback", [line("web", wants="Previous"), line("api", wants="Previous")], FORMER),
        # It had not begun, or runs the same images.
        ("Rollback", [line("web", wants="Previous"), line("api", startTime=None)], FORMER),
        ("Rollback", [line("web", wants="Previous"), line("api", FORMER)], FORMER),
        # What ran before is not known, so that it stays as it is.
        ("Rollback", [line("web", wants="Previous"), line("api", previous="")], ""),
        ("Rollback", [line("web", previous="")], ""),
        # A retry goes forward again.
        ("Retry", [line("web"), line("api")], COMMIT),
    ],
)
def test_the_commit_of_the_latest_deployment_set(cause: str, services: list[dict[str, Any]], commit: str) -> None:
    its_set = {"history": history({"id": "s", "cause": cause, "hash": "as in staging"}), "services": services}
    release_set = ReleaseSet.model_validate(release_set_object(status=its_set))
    assert [found.commit for found in shown.deployment_sets(release_set, [], "default")] == [commit]


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
        # After a failure what runs is wanted again, and found.
        (
            (
                {"attemptID": "c", "cause": "Adopted", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:1"}]},
                {"attemptID": "b", "outcome": "RolledBack", "images": [{"container": "app", "toDigest": "sha256:2"}]},
                {"attemptID": "a", "outcome": "Succeeded", "images": [{"container": "app", "toDigest": "sha256:1"}]},
            ),
            [("b", False, True), ("a", False, False)],
        ),
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


def conditions(ready: str, reconciling: str, reason: str) -> list[dict[str, Any]]:
    kinds = (("Ready", ready, "why"), ("Reconciling", reconciling, ""))
    return [{"type": t, "status": s, "reason": reason, "message": m, "lastTransitionTime": "2026-01-01T12:00:00Z"} for t, s, m in kinds]


@pytest.mark.parametrize(
    ("ready", "reconciling", "reason", "web", "waiting_for"),
    [
        ("Unknown", "True", "RollingOut", "Progressing", ""),
        ("False", "True", "AwaitingWindow", "Waiting", "why"),
        ("False", "False", "Suspended", "Pending", "why"),
        ("True", "False", "Suspended", "Ready", "why"),
        ("Unknown", "False", "Observing", "Waiting", "why"),
        ("True", "False", "Observing", "Ready", "why"),
        # A call of one is refused, or one is unhealthy: nothing further starts.
        ("False", "False", "RejectedByAWS", "Failed", "why"),
        ("False", "False", "TasksUnhealthy", "Failed", "why"),
        ("True", "False", "Succeeded", "Ready", ""),
    ],
)
def test_what_does_not_go_on_is_queued_and_says_why(ready: str, reconciling: str, reason: str, web: str, waiting_for: str) -> None:
    said = conditions(ready, reconciling, reason)
    status = {"conditions": said, "history": history({"id": "a"}), "services": [{"name": "web", "state": web}]}
    (found,) = shown.deployment_sets(ReleaseSet.model_validate(release_set_object(status=status)), [], "default")
    assert (found.waiting_for, github.state_of(found)) == (waiting_for, "queued" if waiting_for else "in_progress")
    attempt = {"attemptID": "a", "pinID": "p1", "sourceHash": source_hash(SOURCE), "startTime": "2026-01-01T12:00:00Z"}
    of_release = {"conditions": said, "pin": {"id": "p1", "sourceHash": source_hash(SOURCE)}, "rollout": attempt, "history": [attempt]}
    release = Release.model_validate(release_object(status=of_release, source=SOURCE.to_kubernetes()))
    (found,) = shown.attempts(release, "front", "default")
    assert found.waiting_for == waiting_for
    if reason in ("Suspended", "Observing"):
        assert [s.state for s in found.services] == ["Ready" if ready == "True" else "Waiting"]


def test_a_set_of_which_one_service_has_failed_is_under_way_while_others_are() -> None:
    services = [{"name": "web", "state": "Failed"}, {"name": "api", "state": "Progressing"}]
    status = {"conditions": conditions("False", "False", "RolledBack"), "history": history({"id": "a"}), "services": services}
    (found,) = shown.deployment_sets(ReleaseSet.model_validate(release_set_object(status=status)), [], "default")
    assert github.state_of(found) == "in_progress"


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


STOOD = {"attemptID": "a", "pinID": "p1", "outcome": "NothingRunning"}


@pytest.mark.parametrize(
    ("entries", "last_ready", "idle"),
    [
        ([STOOD], None, ("web",)),
        ([{**STOOD, "outcome": "Succeeded"}], None, ()),
        # It has been proven since, on the same pin.
        ([STOOD], {"pinID": "p1", "time": "2026-01-01T12:05:00Z"}, ()),
        # That was before, or of another pin.
        ([STOOD], {"pinID": "p1", "time": "2026-01-01T11:00:00Z"}, ("web",)),
        ([STOOD], {"pinID": "p0", "time": "2026-01-01T12:05:00Z"}, ("web",)),
        # What was done after its end says nothing about it.
        ([{**STOOD, "startTime": "2026-01-01T12:20:00Z"}, {**STOOD, "outcome": "Succeeded"}], None, ()),
        # It had its attempt before, and needed none.
        ([{**STOOD, "startTime": "2026-01-01T10:00:00Z"}], None, ("web",)),
    ],
)
@pytest.mark.parametrize("newer", [(), ({"id": "t", "startTime": "2026-01-01T12:15:00Z"},)])
def test_of_which_services_of_a_set_nothing_runs(
    newer: tuple[dict[str, Any], ...], entries: list[dict[str, Any]], last_ready: dict[str, Any] | None, idle: tuple[str, ...]
) -> None:
    child = release_object(status={"history": history(*entries), **({"lastReady": last_ready} if last_ready else {})})
    its_set = {
        "history": history(*newer, {"id": "s", "outcome": "Succeeded", "completionTime": "2026-01-01T12:10:00Z"}),
        "services": [{"name": "web", "state": "Ready"}],
    }
    release_set = ReleaseSet.model_validate(release_set_object(status=its_set))
    *_, found = shown.deployment_sets(release_set, [Release.model_validate(child)], "default")
    assert found.idle == idle
    assert (found.is_idle, found.is_good) == (bool(idle), not idle)
    left = ReleaseSet.model_validate(release_set_object(status={**its_set, "services": [{"name": "web", "state": "Left"}]}))
    assert shown.deployment_sets(left, [Release.model_validate(child)], "default")[-1].idle == ()
    # Beside another of its services that runs.
    other = release_object(name="mail-production", spec={"service": "mail"}, status={"history": history({**STOOD, "outcome": "Succeeded"})})
    both = ReleaseSet.model_validate(
        release_set_object(status={**its_set, "services": [{"name": n, "state": "Ready"} for n in ("web", "mail")]})
    )
    *_, found = shown.deployment_sets(both, [Release.model_validate(child), Release.model_validate(other)], "default")
    assert (found.idle, found.is_idle, found.is_good) == (idle, False, True)


@pytest.mark.parametrize("ready", ["NothingRunning", "Suspended"])
def test_a_service_of_which_nothing_runs_is_not_shown_as_running(ready: str) -> None:
    said = (("Ready", "True", ready), ("InSync", "Unknown", "NothingRunning"))
    found = [{"type": t, "status": s, "reason": r, "lastTransitionTime": "2026-01-01T12:00:00Z"} for t, s, r in said]
    child = Release.model_validate(release_object(status={"conditions": found}))
    its_set = {"history": history({"id": "s"}), "services": [{"name": "web", "state": "Ready"}]}
    (one_set,) = shown.deployment_sets(ReleaseSet.model_validate(release_set_object(status=its_set)), [child], "default")
    assert [s.state for s in one_set.services] == [IDLE]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("Succeeded", "Ready"),
        ("NothingRunning", IDLE),
        ("RolledBack", "Failed"),
        ("Superseded", ENDED),
        ("TargetChanged", ENDED),
    ],
)
def test_a_service_stands_as_its_attempt_ended_while_something_newer_is_asked_for(outcome: str, state: str) -> None:
    release = Release.model_validate(release_object(status={"history": history({"attemptID": "a", "outcome": outcome})}))
    assert [s.state for s in shown.attempts(release, "front", "default")[0].services] == [state]


@pytest.mark.parametrize(("time", "verdict"), [("2026-01-01T12:05:00Z", Verdict.LIVE), ("2026-01-01T11:00:00Z", Verdict.NOTHING_RUNS)])
def test_an_attempt_that_ran_nothing_is_live_once_it_is_proven(time: str, verdict: Verdict) -> None:
    release = Release.model_validate(release_object(status={"history": history(STOOD), "lastReady": {"pinID": "p1", "time": time}}))
    assert shown.attempts(release, "front", "default")[0].verdict is verdict


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
