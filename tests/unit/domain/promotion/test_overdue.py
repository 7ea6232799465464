"""What waits for its promotion, since when, and when that is said: tables of what ran there and here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.promotion import OVERDUE, UNPROVEN, WAITING, AwaitedPromotion
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, Pin, PinnedImage, ReleaseStatus, Rollout, Running
from ecs_release.domain.decision.commit_rules import Answers, Question
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts, UpstreamState
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.commits import Relation, Unknown, UnknownReason
from ecs_release.domain.promotion.overdue import Awaited, awaited, questions
from tests.builders.facts import changed, facts
from tests.builders.objects import environment, release, target

# A Wednesday. Deployments are named by the hour at which they ended: v9 at nine.
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
RULE: dict[str, Any] = {"from": {"name": "staging"}, "overdueAfterSeconds": 7200}
OFFICE = {"from": "09:00", "to": "17:00"}


def digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def commit(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def hour(name: str) -> datetime:
    return NOW.replace(hour=0) + timedelta(hours=float(name.strip("va")))


def entry(name: str, outcome: str = "Succeeded", **more: Any) -> HistoryEntry:
    """An attempt that ended at the hour in its name; `v9=v3` ended at nine and deployed v3."""
    time, _, what = name.partition("=")
    return HistoryEntry.model_validate(
        {
            "attemptID": time, "outcome": outcome, "startTime": hour(time), "completionTime": hour(time),
            "images": [{"container": "app", "toDigest": digest(what or time), "toHash": commit(what or time)}],
        } | more
    )  # fmt: skip


def pin(name: str, **image: Any) -> Pin:
    usual = {"container": "app", "digest": digest(name), "releaseHash": commit(name), "pushedTime": hour(name)}
    return Pin(images=[PinnedImage.model_validate(usual | image)])


def entries(names: str) -> list[HistoryEntry]:
    """Newest first; one that begins with ! was rolled back by ECS."""
    return [entry(n.removeprefix("!"), "RolledBack" if n.startswith("!") else "Succeeded") for n in names.split()]


def there(history: str, wants: str = "", **status: Any) -> Release:
    """The Release in staging: what it wants is the newest of its history that was proven."""
    found = entries(history)
    newest = next((e.attempt_id for e in found if e.outcome == "Succeeded"), "v9")
    usual = {"pin": pin(wants or newest), "history": found, "summary": {"hash": wants or newest}}
    status_ = ReleaseStatus.model_validate(usual | status)
    return release("web-staging", status=status_, service="web", environmentRef={"name": "staging"})


def running(*names: str, desired: int = 2, hashes: bool = True, container: str = "app") -> Running:
    shown = [{"digest": digest(n), "tasks": 1, "releaseHash": commit(n) if hashes else None} for n in names]
    return Running.model_validate(
        {"runningCount": len(names) and desired, "desiredCount": desired, "containers": [{"name": container, "digests": shown}]}
    )


def given(
    history: str, runs: str = "v1", *, here: str = "", wants: str = "", rule: Mapping[str, Any] = RULE, before: Any = None,
    state: UpstreamState = UpstreamState.PROVEN, **more: Any,
) -> Facts:  # fmt: skip
    """Facts of a Release in production that runs `runs`, whose history is `here`, and what staging has proven."""
    first, *others = runs.split("+")
    status = ReleaseStatus(pin=pin(first), running=running(first, *others), history=entries(here or first), promotion=before)
    place = environment("prod", promotion=rule)
    known = {Question(commit(a), commit(b)): answer for (a, b), answer in more.pop("relations", {}).items()}
    asked = frozenset(Question(commit(a), commit(b)) for a, b in more.pop("asking", ()))
    return changed(
        facts(environment=place, target=target(place), now=NOW),
        status=status, there=there(history, wants, **more.pop("staging", {})), state=state, relations=Answers(None, known, asked), **more,
    )  # fmt: skip


def decided(of: Facts, runs: Running | None = None, **draft: Any) -> Awaited:
    made = Draft.of(of.status)
    for name, value in draft.items():
        setattr(made, name, value)
    return awaited(of, made, runs if runs is not None else of.status.running, is_ours=True)


def waits(since: str, state: str = OVERDUE, **more: Any) -> AwaitedPromotion:
    usual = {"environment": "staging", "sinceTime": hour(since), "dueTime": hour(since) + timedelta(hours=2), "state": state}
    told = {"toldTime": hour(since) + timedelta(hours=2), "told": 1} if state == OVERDUE else {}
    return AwaitedPromotion.model_validate(usual | told | more)


AHEAD, BEHIND, SAME = Relation(ahead=1, behind=0), Relation(ahead=0, behind=3), Relation(ahead=0, behind=0)
NOT_KNOWN = Unknown(UnknownReason.COMMIT_NOT_FOUND, "no such commit")

WAITS: list[tuple[str, Facts, str | None]] = [
    ("the same runs here", given("v9", "v9"), None),
    ("another runs here", given("v9 v1"), "v9"),
    ("nothing that ran there ran here", given("v9"), "v9"),
    ("what is replaced there every hour waits since the first", given("v11 v10 v9 v1"), "v9"),
    ("promoted halfway: since what came after", given("v11 v10 v9 v1", "v10"), "v11"),
    ("what ECS rolled back there is not proven", given("!v11 v9 !v8 v1"), "v9"),
    ("all that came after what runs here was rolled back", given("!v11 !v10 v9", "v9"), None),
    ("taken back there to what runs here", given("v11=v9 v10 v9", "v9", wants="v9"), None),
    ("taken back there to what runs here, and mended", given("v11 v10=v9 v9.5 v9", "v9"), "v11"),
    ("taken back there behind what runs here", given("v11=v9 v10 v9", "v10", wants="v9"), None),
    ("tried there, taken back, and tried again: newer than what runs here", given("v11=v10 v9.5=v9 v9.2=v10 v9", "v9", wants="v10"), "v11"),
    ("taken back there behind what never ran here", given("v11=v8 v10 v8 v1", "v1", wants="v8"), "v8"),
    ("promoted, and taken back here: since then", given("v8 v1", "v1", here="v11=v1 v9=v8 v1"), "v11"),
    ("promoted, and rolled back here by ECS", given("v8 v1", "v1", here="!v9=v8 v1"), "v8"),
    ("some tasks still run what ran before", given("v9 v1", "v9+v1"), "v9"),
    ("several digests of one hash", given("v9 v1", relations={}, staging={"pin": pin("v9", releaseHash=commit("v1"))}), None),
    ("several digests of a hash that is only claimed", given("v9 v1", staging={"pin": pin("v9", releaseHash=f"claimed:{commit('v1')}")}), "v9"),
    ("the digest of a platform of what is wanted there", given("v9", "a8", staging={"pin": pin("v9", platformDigests=[digest("a8")])}), None),
    ("an ancestor of what runs here", given("v9 v1", "a8", relations={("v9", "a8"): BEHIND}), None),
    ("the commit that runs here, by its full hash", given("v9 v1", "a8", relations={("v9", "a8"): SAME}), None),
    ("ahead of what runs here", given("v9 v1", "a8", relations={("v9", "a8"): AHEAD}), "v1"),
    ("some of what came before is contained here", given("v9 v8 v7", "a8", relations={("v9", "a8"): AHEAD, ("v8", "a8"): BEHIND}), "v9"),
    ("diverged from what runs here", given("v9 v1", "a8", relations={("v9", "a8"): Relation(1, 1), ("v1", "a8"): SAME}), "v9"),
    ("the graph does not know", given("v9 v1", "v1", relations={("v9", "v1"): NOT_KNOWN}), "v9"),
    ("what somebody's clock says is in the future", given("v15 v1"), "v12"),
    ("the history there does not tell: what was said before", given("v11 v10", before=waits("v7")), "v7"),
    ("the history there tells: what was said before is over", given("v11 v10 v9", "v10", before=waits("v7")), "v11"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "since"), [row[1:] for row in WAITS], ids=[row[0] for row in WAITS])
def test_since_when_it_waits(of: Facts, since: str | None) -> None:
    found = decided(of).status
    assert (found.since_time if found else None) == (hour(since) if since else None)


def due(since: str, rule: Mapping[str, Any] = RULE, before: AwaitedPromotion | None = None, now: datetime = NOW, **more: Any) -> Awaited:
    return decided(given(f"{since} v1", rule={**RULE, **rule}, before=before, now=now, **more))


OFFICE_RULE = {"workingHours": OFFICE}
NEXT_DAY = timedelta(days=1)
DUE: list[tuple[str, Awaited, str, timedelta | None, int | None]] = [
    ("a moment before", due("v10", now=NOW - timedelta(seconds=1)), WAITING, timedelta(seconds=1), None),
    ("it is said once it is due", due("v10"), OVERDUE, NEXT_DAY, 1),
    ("it is said late", due("v9"), OVERDUE, NEXT_DAY, 1),
    ("it was said", due("v9", before=waits("v9")), OVERDUE, timedelta(hours=23), 1),
    ("a day later it is said again", due("v9", before=waits("v9"), now=NOW + timedelta(hours=23)), OVERDUE, NEXT_DAY, 2),
    ("no sooner", due("v9", before=waits("v9"), now=NOW + timedelta(hours=22, minutes=59)), OVERDUE, timedelta(minutes=1), 1),
    ("it was said of something else that waited", due("v9", before=waits("v8")), OVERDUE, NEXT_DAY, 1),
    ("it was said by a clock that is ahead", due("v9", before=waits("v9", toldTime=NOW + timedelta(days=9))), OVERDUE, NEXT_DAY, 1),
    ("it never is", due("v9", {"overdueAfterSeconds": None}), WAITING, None, None),
    ("only working time counts", due("v8", OFFICE_RULE, now=NOW.replace(hour=10)), WAITING, timedelta(hours=1), None),
    ("it is overdue at night, and said in the morning", due("v15", OFFICE_RULE, now=NOW.replace(hour=20)), OVERDUE, timedelta(hours=13), None),
    ("it is said in the morning", due("v15", OFFICE_RULE, now=NOW.replace(day=2, hour=9)), OVERDUE, NEXT_DAY, 1),
    ("of a Friday it is said again on Monday",
     due("v9", OFFICE_RULE, now=NOW.replace(day=3)), OVERDUE, timedelta(days=2, hours=21), 1),
    ("an unknown zone: never, and the Environment says why", due("v9", {"workingHours": OFFICE | {"timeZone": "Europe/Nowhere"}}), WAITING, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("found", "state", "after", "told"), [row[1:] for row in DUE], ids=[row[0] for row in DUE])
def test_when_it_is_overdue_and_said(found: Awaited, state: str, after: timedelta | None, told: int | None) -> None:
    """`after` is how long after now there is something to say next; of a row without a time of its own now is noon."""
    assert found.status is not None and (found.status.state, found.status.told) == (state, told)
    assert (found.next is None) is (after is None)


NEXT = [
    ("when it is due", due("v11"), NOW + timedelta(hours=1)),
    ("a day later", due("v10"), NOW + NEXT_DAY),
    ("a day after it was said", due("v9", before=waits("v9")), NOW.replace(hour=11) + NEXT_DAY),
    ("when work begins", due("v15", OFFICE_RULE, now=NOW.replace(hour=20)), NOW.replace(day=2, hour=9)),
    ("when work begins after a day that is none", due("v9", OFFICE_RULE, now=NOW.replace(day=3)), NOW.replace(day=6, hour=9)),
]


@pytest.mark.parametrize(("found", "then"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT])
def test_the_next_look_is_when_there_is_something_to_say(found: Awaited, then: datetime) -> None:
    assert found.next == then


def test_it_is_said_in_an_event_and_in_status() -> None:
    found = due("v9")
    status, (note,) = found.status, found.events
    assert status is not None and (status.environment, status.release, status.hash) == ("staging", "web-staging", "v9")
    assert [(i.container, i.digest, i.release_hash) for i in status.images or ()] == [("app", digest("v9"), commit("v9"))]
    assert (status.told_time, status.due_time) == (NOW, NOW.replace(hour=11))
    assert (note.type, note.reason) == ("Warning", "PromotionOverdue")
    assert (
        note.note
        == "v9 is proven to run in staging and not here. What is newer there waits for its promotion since 2026-07-01 09:00 UTC: promote it"
    )
    assert due("v9", before=status, now=NOW + timedelta(hours=1)).events == ()


BEFORE = waits("v8", hash="v8")
KEPT: list[tuple[str, Facts]] = [
    ("what runs there is being replaced", given("v9 v1", state=UpstreamState.MOVING, before=BEFORE)),
    ("what runs there cannot be read", given("v9 v1", state=UpstreamState.UNREAD, before=BEFORE)),
    ("what runs here cannot be read", given("v9 v1", unread=Retryable("throttled"), before=BEFORE)),
    ("where it goes is not known just now", given("v9 v1", environment=None, before=BEFORE)),
    ("whether what runs here contains it is being asked", given("v9 v1", asking=[("v9", "v1")], before=BEFORE)),
    ("a digest there may be one of a platform", given("v9 v1", staging={"pin": pin("v9", platforms="Unknown")}, before=BEFORE)),
]  # fmt: skip


@pytest.mark.parametrize("of", [row[1] for row in KEPT], ids=[row[0] for row in KEPT])
def test_what_is_not_known_is_not_judged(of: Facts) -> None:
    found = decided(of)
    assert found.status == BEFORE and found.events == ()
    assert decided(changed(of, status=of.status.model_copy(update={"promotion": None}))).status is None


def test_tasks_that_show_no_digest_say_nothing() -> None:
    of = given("v9 v1", before=BEFORE)
    silent = Running.model_validate({"runningCount": 1, "desiredCount": 1, "containers": [{"name": "app", "digests": [{"tasks": 1}]}]})
    assert decided(of, silent.model_copy(update={"containers": []})).status == BEFORE


GONE: list[tuple[str, Facts]] = [
    ("no Release of it goes there", given("v9 v1", state=UpstreamState.NONE, before=BEFORE)),
    ("both are level", given("v9 v1", state=UpstreamState.LEVEL, before=BEFORE)),
    ("the same runs here by now", given("v9 v1", "v9", before=BEFORE)),
    ("the Environment is promoted from nowhere any more", given("v9 v1", environment=environment("prod"), before=BEFORE)),
]


@pytest.mark.parametrize("of", [row[1] for row in GONE], ids=[row[0] for row in GONE])
def test_what_waits_no_longer_is_left_out(of: Facts) -> None:
    assert decided(of) == Awaited()


def test_another_s_service_waits_for_nothing() -> None:
    of = given("v9 v1", before=BEFORE)
    assert awaited(of, Draft.of(of.status), of.status.running, is_ours=False) == Awaited()


def test_another_environment_is_another_wait() -> None:
    found = decided(given("v11 v10", before=waits("v7", environment="test"))).status
    assert found is not None and (found.since_time, found.environment, found.told) == (hour("v10"), "staging", 1)


def test_what_is_not_proven_any_more_is_not_overdue_and_is_said_once_still() -> None:
    failed = decided(given("v9 v1", state=UpstreamState.UNPROVEN, before=waits("v9")))
    assert failed.status == waits("v9", UNPROVEN, toldTime=hour("v11"), told=1) and failed.next is None
    again = decided(given("v9 v1", before=failed.status))
    assert again.status is not None and (again.status.state, again.status.told, again.events) == (OVERDUE, 1, ())


def test_what_is_on_its_way_is_not_overdue() -> None:
    of = given("v9 v1")
    rollout = Rollout.model_validate({"attemptID": "a", "images": [{"container": "app", "toDigest": digest("v9")}]})
    found = decided(of, rollout=rollout)
    assert found.status is not None and (found.status.state, found.next, found.events) == (WAITING, None, ())
    other = rollout.model_copy(update={"images": [i.model_copy(update={"to_digest": digest("v8")}) for i in rollout.images or ()]})
    ended = rollout.model_copy(update={"outcome": "RolledBack"})
    for one in (other, ended):
        found = decided(of, rollout=one)
        assert found.status is not None and found.status.state == OVERDUE


def test_where_nothing_is_to_run_it_counts_what_would() -> None:
    assert decided(given("v9 v1", "v9"), running("v1", desired=0)).status is None
    found = decided(given("v9 v1", "v1"), running("v9", desired=0)).status
    assert found is not None and found.state == OVERDUE


def test_a_container_that_the_project_does_not_list_is_left_alone() -> None:
    """Where it lists none of them all count."""
    sidecar = {"container": "log", "digest": digest("v2")}
    both = pin("v9").model_copy(update={"images": [*(pin("v9").images or ()), PinnedImage.model_validate(sidecar)]})
    assert decided(given("v9 v1", "v9", staging={"pin": both})).status is None


def test_the_graph_is_asked_about_commits_once() -> None:
    of = given("v9 v8 !v7 v1", "v1")
    assert questions(of) == (Question(commit("v9"), commit("v1")), Question(commit("v8"), commit("v1")))
    assert questions(changed(of, there=None)) == ()
    assert questions(given("!v9", staging={"pin": pin("v9", releaseHash="latest")})) == ()
