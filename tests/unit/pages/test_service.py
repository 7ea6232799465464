"""The page of a service in an environment: what it shows of a Release, and that no text becomes more than text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.pages.board_page import Age, Assets, Frame
from ecs_release.pages.history import Code
from ecs_release.pages.matrix import Column, entry
from ecs_release.pages.service import page
from ecs_release.pages.service.details import MOST_ATTEMPTS, OtherClaim, ServiceDetails, Surroundings, data, describe
from tests.builders.board_objects import LOG, PULL, REPOSITORY, hostile, rolled_back, rolling
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import NOW, REFUSED, WAITING, ago, release

CODE = Code(REPOSITORY, frozenset({"github.com"}))
FRAME = Frame(Assets("/s.css", "/s.js", "/i.svg"), "ben")
AROUND = Surroundings(Column("staging", "Staging of all", NOW), CODE, release_set="storefront-staging")


def described(body: dict[str, Any], around: Surroundings = AROUND) -> ServiceDetails:
    return describe(body, entry(body), around, NOW)


def read(body: dict[str, Any], around: Surroundings = AROUND, age: Age = Age(True, NOW)) -> Page:  # noqa: B008
    return Page(page.render(FRAME, described(body, around), age, "here"))


def test_digests_tasks_who_why_and_where_to_read_on() -> None:
    shown = read(rolled_back())
    for said in (
        "checkout in staging", "RolledBack", "ECS rolled back to checkout:3", "2/2 run", "Asked for by ben", "Applied by ci", "faster pages",
        "storefront-staging", "Staging of all", "sha256:" + "a" * 64, "in 2 tasks, not what is wanted", "not released: left as it is",
        "7e24bbd1668657800d16be8c9f9f5a9f", "Essential container in task exited", "/ecs/app app/app/7e24",
    ):  # fmt: skip
        assert said in shown.words, said
    for link in (
        PULL, LOG, f"{REPOSITORY}/commit/aaaaaaa", f"{REPOSITORY}/commit/bbbbbbb", f"{REPOSITORY}/compare/aaaaaaa...bbbbbbb",
        "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/staging/services/checkout",
        "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/staging/services/staging-checkout/events?region=eu-west-1",
        "/sets/shop/storefront-staging", "/?project=shop",
    ):  # fmt: skip
        assert link in shown.links, link


def test_the_history_has_outcome_duration_and_evidence_and_what_no_release_started() -> None:
    found = described(rolled_back()).history
    assert [(a.outcome, a.took, a.requested_by, a.number) for a in found] == [
        ("RolledBack", "4m", "ben", 42),
        ("Succeeded", "60m", "", None),
        ("Completed", "", "arn:aws:iam::111122223333:user/eve", None),
        ("Succeeded", "", "", None),
    ]
    assert [task.exit_code for task in found[0].failed_tasks] == [1]
    assert found[0].compare == f"{REPOSITORY}/compare/aaaaaaa...bbbbbbb"
    assert found[2].cause == "Foreign"


def test_what_the_ledger_has_comes_beside_and_what_the_status_says_of_an_attempt_is_newer() -> None:
    of_ledger = [
        {"attemptID": "3", "startTime": ago(minutes=9), "serviceSet": "x", "outcome": "", "evidence": [{"exitCode": 7}]},
        {"attemptID": "0", "startTime": ago(days=30), "completionTime": ago(days=29), "outcome": "Succeeded", "hash": "0" * 7},
    ]
    found = described(rolled_back(), Surroundings(Column("staging"), CODE, of_ledger=tuple(of_ledger))).history
    assert [a.id for a in found] == ["3", "2", "foreign-9", "1", "0"]
    assert (found[0].outcome, found[0].failed_tasks[0].exit_code, found[-1].took) == ("RolledBack", 1, "24h")
    many = [{"attemptID": f"x{n}", "startTime": ago(days=40 + n)} for n in range(200)]
    assert len(described(rolled_back(), Surroundings(Column("staging"), of_ledger=tuple(many))).history) == MOST_ATTEMPTS


def test_how_far_a_rollout_is() -> None:
    words = read(rolling()).words
    for said in (
        "Progressing",
        "2/2 run, 1 of them what is wanted",
        "Under way",
        "IN_PROGRESS",
        "50 %",
        "Waits for a hook",
        "ecs-svc/7",
        "in 1 task, as wanted",
    ):
        assert said in words, said


def test_what_it_waits_for() -> None:
    words = read(release("web", readiness=WAITING, plan={"blockedBy": ["window weekend is closed"]})).words
    assert "Window opens 2026-11-30 05:00 UTC" in words
    assert "Waits for window weekend is closed" in words


def test_what_is_not_known_is_left_out_and_the_page_says_so() -> None:
    bare = release("new", runs={}, generation=2)
    bare["status"], bare["spec"]["change"] = {}, {}
    words = read(
        bare,
        Surroundings(
            Column("staging", known=False, stale=True),
            others=(OtherClaim("rival", refused=True), OtherClaim("new", refused=False)),
            ledger="The ledger does not answer.",
        ),
    ).words
    for said in (
        "Nothing is known of its containers yet.",
        "Nothing was deployed here yet.",
        "There is no such Environment.",
        "Release rival claims this service, too, and does not hold it.",
        "Release new claims this service, too.",
        "The ledger does not answer.",
    ):
        assert said in words, said
    late = read(bare, age=Age(False, NOW)).words
    assert "Not up to date: the cluster does not answer. This is as of 2026-11-24 12:00 UTC." in late


def test_what_nobody_looks_at_is_not_said_to_be_as_wanted() -> None:
    shown = read(release("web", readiness=REFUSED))
    for said in (
        "TargetNotAllowed",
        "This service is not observed: what is said to run here may no longer be so.",
        "in 2 tasks (seen last)",
    ):
        assert said in shown.words, said
    assert "as wanted" not in shown.words and "bbbbbbb since 2026-11-24 11:51 UTC: may no longer be so" in shown.words
    found = data(described(release("web", readiness=REFUSED)))
    assert (found["observed"], found["containers"][0]["runs"][0]["asWanted"]) == (False, None)
    assert "not observed" not in read(release("web", readiness=REFUSED, running={}, summary={})).words, "nothing is said to run"
    # The same if nobody looks at the whole Environment.
    old = read(release("web"), Surroundings(Column("staging", seen=NOW, stale=True))).words
    assert "as wanted" not in old and "in 2 tasks (seen last)" in old
    assert "as wanted" in read(release("web")).words and "may no longer be so" not in read(release("web")).words


def test_an_environment_that_was_observed_by_a_clock_that_is_ahead_says_so() -> None:
    column = Column("staging", seen=NOW + timedelta(minutes=20), stale=True, ahead=True)
    words = read(rolled_back(), Surroundings(column)).words
    assert "This Environment was observed 2026-11-24 12:20 UTC, which is yet to come: clocks differ" in words


def test_links_lead_to_known_hosts_only() -> None:
    shown = read(rolled_back(), Surroundings(Column("staging"), Code(REPOSITORY)))
    outside = [link for link in shown.links if not link.startswith(("/", "?", "#"))]
    assert outside
    assert all(link.startswith("https://eu-west-1.console.aws.amazon.com/") for link in outside)
    assert PULL in shown.words


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_of_anybody_becomes_markup_or_a_link(text: str) -> None:
    plain = read(hostile(rolled_back(), "plain"))
    around = Surroundings(
        Column("staging", text[:100], NOW), Code(text, frozenset({"github.com"})), others=(OtherClaim("x", refused=True),), ledger=""
    )
    html = page.render(FRAME, described(hostile(rolled_back(), text), around), Age(True, NOW), "here")

    shown = Page(html)
    assert shown.open == []
    names = [name for name, _ in shown.tags]
    assert set(names) <= {name for name, _ in plain.tags}
    assert names.count("script") == 1
    assert [link for link in shown.links if not link.startswith(("/", "?", "#"))] == []
    assert not set("\u202e\u2066\x1b\x07\x00") & set(html)
    assert len(html.encode()) < 60_000
    json.dumps(data(described(hostile(rolled_back(), text), around)))


def test_json_has_what_the_page_has() -> None:
    found = data(described(rolled_back()))
    assert (found["service"], found["environment"]["name"], found["phase"], found["running"]) == (
        "checkout",
        "staging",
        "RolledBack",
        "aaaaaaa",
    )
    assert found["containers"][0]["runs"] == [{"hash": "aaaaaaa", "digest": "sha256:" + "a" * 64, "tasks": 2, "asWanted": False}]
    assert found["failedTasks"][0] == found["history"][0]["failedTasks"][0]
    assert found["failedTasks"][0]["link"] == LOG
    assert found["rollout"] is None
    assert data(described(rolling()))["rollout"]["trafficPercent"] == 50
    json.dumps(found)
