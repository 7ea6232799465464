"""Which commits an attempt brings: from which commit to which, what is recorded of them, and how long they took."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.ledger import Stage
from ecs_release.api.release_status import HistoryEntry, ImageChange, LastReady, Pin, PinnedImage, ReadyImage
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.pending_entries import entry_of, pending_entries
from ecs_release.domain.ports.commits import Commit, CommitRange, Relation, Span
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules.attempt_commits import asked, lead_time_s, span_of, summary
from tests.builders.ecs import NEW, NOW, OLD, OTHER, service, task
from tests.builders.facts import changed
from tests.builders.history import history_entry
from tests.builders.scenarios import BOTH, RUNS, attempt_due, attempt_under_way

ZERO, ONE, TWO, THREE = ("0" * 40, "1" * 40, "2" * 40, "3" * 40)
DIGESTS = {ZERO: "sha256:" + "0" * 64, ONE: OLD, TWO: NEW, THREE: OTHER}
HOUR = timedelta(hours=1)
BROUGHT = AttemptCommits(before=ZERO, after=TWO, added=2, first=ONE, last=TWO, first_time=NOW - HOUR, authors=1)


def change(before: str, after: str, container: str = "app", **more: Any) -> ImageChange:
    """An image of one commit takes the place of that of another; no digest, no hash."""
    hashes = {"from_hash": before or None, "to_hash": after or None}
    digests = {"from_digest": DIGESTS.get(before), "to_digest": DIGESTS.get(after)}
    return ImageChange(container=container, **digests | hashes | more)


def past(outcome: str | None, *images: ImageChange, **more: Any) -> HistoryEntry:
    return history_entry(f"{outcome}{len(images)}{images}"[:40], outcome, images=list(images), **more)


def ready_on(commit: str) -> LastReady:
    return LastReady(images=[ReadyImage(container="app", digest=DIGESTS[commit], release_hash=commit)])


@pytest.mark.parametrize(
    ("what", "images", "earlier", "last_ready", "expected"),
    [
        ("forward", [change(ONE, TWO)], [], None, Span(ONE, TWO)),
        ("by tags that are abbreviated", [change(ONE[:7], TWO[:12], from_digest=OLD, to_digest=NEW)], [], None, Span(ONE[:7], TWO[:12])),
        ("claimed", [change(f"claimed:{ONE}", f"claimed:{TWO}", from_digest=OLD, to_digest=NEW)], [], None, Span(ONE, TWO)),
        ("the same for all containers", [change(ONE, TWO), change(ONE, TWO, "api")], [], None, Span(ONE, TWO)),
        ("one does not change", [change(ONE, TWO), change(TWO, TWO, "api")], [], None, Span(ONE, TWO)),
        ("one is new", [change(ONE, TWO), change("", TWO, "api")], [], None, Span(ONE, TWO)),
        ("a sidecar is left alone", [change(ONE, TWO), change("", "", "log", unlisted=True, from_digest=OTHER)], [], None, Span(ONE, TWO)),
        ("from different commits", [change(ONE, TWO), change(ZERO, TWO, "api")], [], None, None),
        ("to different commits", [change(ONE, TWO), change(ONE, THREE, "api")], [], None, None),
        ("one came from who knows where", [change(ONE, TWO), change("", TWO, "api", from_digest=OTHER)], [], None, None),
        ("the same commit, built again", [change(ONE, ONE, to_digest=NEW)], [], None, None),
        ("one stays, and nobody knows its commit", [change(ONE, TWO), change("", "", "api", from_digest=OTHER, to_digest=OTHER)], [], None, Span(ONE, TWO)),
        ("no hash before", [change("", TWO, from_digest=OLD)], [], None, None),
        ("no hash after", [change(ONE, "", to_digest=NEW)], [], None, None),
        ("no commit's hash", [change(ONE, "v2", to_digest=NEW)], [], None, None),
        ("nothing ran", [change("", TWO)], [], None, None),
        ("nothing changes", [change(TWO, TWO)], [], None, None),
        ("the former one has failed, and its tasks run still", [change(TWO, THREE)], [past("Superseded", change(ONE, TWO))], None, Span(ONE, THREE)),
        ("it is under way", [change(TWO, THREE)], [past(None, change(ONE, TWO))], None, Span(ONE, THREE)),
        ("a retry", [change(TWO, TWO)], [past("DeadlineExceeded", change(ONE, TWO))], None, Span(ONE, TWO)),
        (
            "two have failed",
            [change(TWO, THREE)],
            [past("Superseded", change(ONE, TWO)), past("Aborted", change(ZERO, ONE)), past("Succeeded", change("", ZERO))],
            None,
            Span(ZERO, THREE),
        ),
        ("it went well before that", [change(TWO, THREE)], [past("Succeeded", change(ONE, TWO))], None, Span(TWO, THREE)),
        ("it was rolled back", [change(ONE, THREE)], [past("RolledBack", change(ONE, TWO))], None, Span(ONE, THREE)),
        ("scaled up since", [change(TWO, THREE)], [past("NothingRunning", change(ONE, TWO))], ready_on(TWO), Span(TWO, THREE)),
        (
            "tasks show the digest of a platform",
            [change(TWO, THREE, from_digest="sha256:" + "9" * 64)],
            [past("Superseded", change(ONE, TWO))],
            None,
            Span(ONE, THREE),
        ),
    ],
)  # fmt: skip
def test_from_which_commit_to_which(
    what: str, images: list[ImageChange], earlier: list[HistoryEntry], last_ready: LastReady | None, expected: Span | None
) -> None:
    assert span_of(images, earlier, last_ready) == expected, what


def commit(number: int, minutes: float | None, author: str = "Ana") -> Commit:
    return Commit(f"{number:040x}", f"commit {number}", author, NOW + timedelta(minutes=minutes) if minutes is not None else None)


@pytest.mark.parametrize(
    ("what", "relation", "of", "expected"),
    [
        (
            "by two people",
            Relation(0, 3),
            CommitRange(3, (commit(3, 3), commit(2, 2, "Ben"), commit(1, 1))),
            AttemptCommits(
                before=ZERO, after=ONE, added=3, first=f"{1:040x}", last=f"{3:040x}", first_time=NOW + timedelta(minutes=1), authors=2
            ),
        ),
        (
            "a clock was wrong, another has no time",
            Relation(0, 3),
            CommitRange(3, (commit(3, 3), commit(2, -9), commit(1, None))),
            AttemptCommits(
                before=ZERO, after=ONE, added=3, first=f"{2:040x}", last=f"{3:040x}", first_time=NOW + timedelta(minutes=-9), authors=1
            ),
        ),
        (
            "more than are listed",
            Relation(0, 251),
            CommitRange(251, (commit(251, 251), commit(250, 250))),
            AttemptCommits(before=ZERO, after=ONE, added=251, last=f"{251:040x}", authors=1),
        ),
        (
            "back",
            Relation(1, 0),
            CommitRange(1, (commit(1, 1),)),
            AttemptCommits(
                before=ZERO,
                after=ONE,
                added=0,
                removed=1,
                first=f"{1:040x}",
                last=f"{1:040x}",
                first_time=NOW + timedelta(minutes=1),
                authors=1,
            ),
        ),
        ("the same", Relation(0, 0), CommitRange(0, ()), None),
        ("an answer that contradicts itself", Relation(0, 2), CommitRange(0, ()), None),
    ],
)
def test_what_is_recorded(what: str, relation: Relation, of: CommitRange, expected: AttemptCommits | None) -> None:
    assert summary(Span(ZERO, ONE), relation, of) == expected, what


@pytest.mark.parametrize(
    ("what", "more", "earlier", "expected"),
    [
        ("went well", {}, [], 3600),
        ("late", {"outcome": "SucceededLate"}, [], 3600),
        ("a retry", {"cause": "Retry"}, [], 3600),
        ("a committer's clock was ahead", {"commit_range": BROUGHT.model_copy(update={"first_time": NOW + HOUR})}, [], 0),
        ("before anybody's time", {"commit_range": BROUGHT.model_copy(update={"first_time": datetime(1, 1, 1, tzinfo=UTC)})}, [], 2**31 - 1),
        ("failed", {"outcome": "RolledBack"}, [], None),
        ("nothing is proven", {"outcome": "NothingRunning"}, [], None),
        ("under way", {"outcome": None}, [], None),
        ("takes back", {"cause": "Rollback"}, [], None),
        ("corrects", {"cause": "DriftCorrection"}, [], None),
        ("goes back", {"commit_range": BROUGHT.model_copy(update={"added": 0, "removed": 2})}, [], None),
        ("the oldest is not known", {"commit_range": BROUGHT.model_copy(update={"first_time": None})}, [], None),
        ("not known", {"commit_range": None}, [], None),
        ("it ran here before", {}, [past("Succeeded", change(ONE, TWO))], None),
        ("it failed here before", {}, [past("RolledBack", change(ONE, TWO))], 3600),
    ],
)  # fmt: skip
def test_lead_time(what: str, more: dict[str, Any], earlier: list[HistoryEntry], expected: int | None) -> None:
    its = {"outcome": "Succeeded", "images": [change(ONE, TWO)], "commit_range": BROUGHT} | more
    entry = history_entry("b", **its)
    found = lead_time_s(entry, earlier)
    assert entry.model_copy(update={"lead_time_seconds": found}).to_kubernetes().get("leadTimeSeconds") == expected, what


# In a Release's life.


def due(**more: Any) -> Facts:
    """An attempt to go from commit 1, which runs, to 2 is due."""
    given = attempt_due(release_hashes={OLD: ONE, NEW: TWO}, **more)
    pin = Pin(source_hash=given.source_hash, resolved_time=NOW, images=[PinnedImage(container="app", digest=NEW, release_hash=TWO)])
    return changed(given, pin=pin, status=given.status.model_copy(update={"pin": pin}))


def under_way(**more: Any) -> Facts:
    """That attempt, under way."""
    given = attempt_under_way(release_hashes={OLD: ONE, NEW: TWO}, **more)
    entry = HistoryEntry(attempt_id="a", cause="Requested", images=[change(ONE, TWO)], start_time=NOW)
    rollout = given.status.rollout
    assert rollout is not None
    rollout = rollout.model_copy(update={"images": entry.images, "cause": "Requested"})
    return changed(given, status=given.status.model_copy(update={"history": [entry], "rollout": rollout}))


def latest(given: Facts, **spans: Any) -> HistoryEntry:
    return (decide(replace(given, **spans)).status.history or [])[0]


KNOWN = {Span(ONE, TWO): BROUGHT}


def test_it_is_asked_before_an_attempt_and_during_it_and_not_at_rest() -> None:
    assert asked(due()) == (Span(ONE, TWO),) == asked(under_way())
    noted = changed(under_way(), status=decide(replace(under_way(), spans=KNOWN)).status)
    assert asked(noted) == (), "it is known"
    done = changed(under_way(seen=RUNS), status=decide(under_way(seen=RUNS)).status)
    assert (done.status.history or [])[0].outcome == "Succeeded" and asked(done) == (), "too late: at rest nothing is asked"


def test_of_the_attempt_under_way_and_of_the_one_that_waits() -> None:
    given = under_way()
    pin = Pin(
        id="late", source_hash=given.source_hash, resolved_time=NOW, images=[PinnedImage(container="app", digest=OTHER, release_hash=THREE)]
    )
    seen = service(*BOTH.deployments, tasks=(task(2), task(2), task(1, OLD)))
    assert asked(changed(given, pin=pin, seen=seen)) == (Span(ONE, TWO), Span(ONE, THREE)), "what was never proven is not where it begins"


def test_it_is_noted_when_it_is_known_and_stays() -> None:
    assert latest(due(), spans=KNOWN).commit_range == BROUGHT, "as the attempt begins"
    assert latest(due()).commit_range is None and latest(due(), spans={Span(ZERO, TWO): BROUGHT}).commit_range is None
    begun = latest(under_way(), spans=KNOWN)
    assert (begun.commit_range, begun.lead_time_seconds) == (BROUGHT, None), "while it is under way"
    ended = latest(under_way(seen=RUNS), spans=KNOWN)
    assert (ended.outcome, ended.commit_range) == ("Succeeded", BROUGHT), "as it ends"
    assert ended.lead_time_seconds == 3600
    noted = changed(under_way(seen=RUNS), status=decide(replace(under_way(), spans=KNOWN)).status)
    assert (latest(noted).commit_range, latest(noted).lead_time_seconds) == (BROUGHT, 3600), "and from then on"


def test_nothing_waits_for_it_and_nothing_depends_on_it() -> None:
    for given in (due(), under_way(), under_way(seen=RUNS)):
        without, with_it = decide(given), decide(replace(given, spans=KNOWN))
        assert (without.act, without.events, without.again_s, without.fast) == (with_it.act, with_it.events, with_it.again_s, with_it.fast)
        same = {"commit_range": None, "lead_time_seconds": None}
        history = [e.model_copy(update=same) for e in with_it.status.history or ()]
        assert with_it.status.model_copy(update={"history": history}) == without.status


def test_only_the_end_in_the_ledger_has_it() -> None:
    given = replace(under_way(seen=RUNS), spans=KNOWN)
    status = decide(given).status
    found = {one.stage: entry_of(given, status, one) for one in pending_entries(given, status)}
    assert (found[Stage.START].commit_range, found[Stage.START].lead_time_seconds) == (None, None), "it may be written before it is known"
    assert (found[Stage.END].commit_range, found[Stage.END].lead_time_seconds) == (BROUGHT, 3600)
