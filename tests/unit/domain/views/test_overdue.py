"""What is said of promotions that are overdue: by statuses, once and again on another day, and that it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.view_status import MOST_VIEWS, View, ViewPart
from ecs_release.domain.ports.views import Part
from ecs_release.domain.views import documents, github, shown, slack
from ecs_release.domain.views.shown import Shown
from tests.builders.objects import environment, release_object, release_set_object
from tests.slack_host.description import marked_up, problems, texts

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD, NEW = "1a2b3c4" + "0" * 33, "5d6e7f8" + "0" * 33
PLACE = environment(notify={"github": {"credentials": "main", "repositories": [{"namespaces": ["shop"], "repositories": ["acme/store"]}]}})


def waiting(service: str = "web", told: int = 1, *, at: datetime | None = AT, state: str = "Overdue", **more: Any) -> Release:
    """A Release of which something waits in staging."""
    promotion = {
        "environment": "staging", "release": "web", "hash": "5d6e7f8", "state": state, "sinceTime": "2026-01-01T10:00:00Z",
        "images": [{"container": "app", "digest": "sha256:2", "releaseHash": NEW}], "told": told if at else None,
        "toldTime": at.isoformat() if at else None,
    } | more  # fmt: skip
    running = {"containers": [{"name": "app", "digests": [{"digest": "sha256:1", "tasks": 2, "releaseHash": OLD}]}]}
    return Release.model_validate(release_object(service, status={"promotion": promotion, "running": running}))


def of_set(*children: Release) -> Shown:
    return shown.overdue(ReleaseSet.model_validate(release_set_object()), children, "front", "default")


ALONE, NOTHING = (shown.overdue(waiting(), [one], "front", "default") for one in (waiting(), Release.model_validate(release_object())))


@pytest.mark.parametrize(
    ("children", "services", "told", "start"),
    [
        ((), [], 0, None),
        ((waiting(at=None, state="Waiting"),), [], 0, None),
        ((waiting(),), ["web"], 1, AT),
        # As often as of the one that was said most often, and since the latest word.
        ((waiting(told=3), waiting("api", at=AT + timedelta(hours=1))), ["web", "api"], 3, AT + timedelta(hours=1)),
        # Those that are on their way, or not proven just now, are not overdue; what was said of them is not said again.
        ((waiting(state="Waiting"), waiting("api", state="Unproven")), [], 1, AT),
        ((waiting(state="Waiting"), waiting("api")), ["api"], 1, AT),
    ],
)
def test_what_is_overdue(children: tuple[Release, ...], services: list[str], told: int, start: datetime | None) -> None:
    one = of_set(*children)
    assert ([s.name for s in one.services], one.told, one.is_latest) == (services, told, bool(services))
    assert start is None or one.start_time == start


def test_the_commits_that_wait() -> None:
    assert [(s.before, s.after) for s in of_set(waiting(), waiting("api")).spans] == [(OLD, NEW)]
    for image in (
        {"container": "app", "releaseHash": OLD},
        {"container": "app", "releaseHash": "v2"},
        {"container": "log", "releaseHash": NEW},
    ):
        assert of_set(waiting(images=[image])).spans == ()


def lines(part: Part) -> list[str]:
    return [line for text in texts(part.content["blocks"]) for line in text.splitlines()]


SAID = (
    "5d6e7f8 is proven to run in staging and not here. What is newer there waits for its promotion since 2026-01-01 10:00 UTC: promote it"
)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (ALONE, ["○ store: web 5d6e7f8 is overdue in prod", f"web: {SAID}"]),
        (of_set(waiting(), waiting("api")), ["○ store: front 5d6e7f8 is overdue in prod: web, api", f"web: {SAID}", f"api: {SAID}"]),
        (of_set(waiting(), waiting("api", hash="9" * 7)), ["○ store: front is overdue in prod: web, api", f"web: {SAID}", f"api: {'9' * 7}{SAID[7:]}"]),
    ],
)  # fmt: skip
def test_slack_says_it_in_a_message_of_its_own(one: Shown, said: list[str]) -> None:
    (part,) = slack.document(one)
    assert (part.name, part.below, part.is_last, lines(part)) == ("message", "", False, said)
    sent = {"channel": "C1", "text": part.content["text"], "blocks": part.content["blocks"]}
    assert problems("chat.postMessage", "POST", sent) == [] and marked_up(sent["blocks"]) == []


def test_slack_links_the_pull_requests_that_wait() -> None:
    (part,) = slack.document(ALONE, None, ["https://github.com/acme/store/pull/7"])
    link = {"type": "link", "url": "https://github.com/acme/store/pull/7", "text": "#7"}
    assert part.content["blocks"][-1]["elements"][0]["elements"] == [link]


def known(part: Part, at: datetime) -> View:
    return View(id="slack/overdue", parts=[ViewPart(name=part.name, key=part.key, announced_time=at, receipt="1", hash=part.hash)])


def again(hours: float, **more: Any) -> Shown:
    return replace(ALONE, start_time=AT + timedelta(hours=hours), **more)


def test_slack_says_it_once_a_day_whoever_is_told_of() -> None:
    view = known(slack.document(ALONE)[0], AT)
    for hours in (0, 1, 19):
        assert [(p.name, p.key) for p in slack.document(again(hours), view)] == [("message", view.parts[0].key)]  # type: ignore[index]
    first, second = slack.document(again(24, told=2), view)
    assert first.key == view.parts[0].key and second.key != first.key  # type: ignore[index]
    assert (second.name, second.below, second.content["broadcast"]) == ("thread/again", "message", True)
    both = View(id=view.id, parts=[*(view.parts or ()), *(known(second, AT + timedelta(hours=24)).parts or ())])
    assert [p.key for p in slack.document(again(30, told=2), both)] == [first.key, second.key]
    assert slack.document(again(48, told=3), both)[1].key not in (first.key, second.key)


def test_slack_says_that_it_is_over() -> None:
    assert slack.document(NOTHING) == ()
    view = known(slack.document(ALONE)[0], AT)
    (part,) = slack.document(NOTHING, view)
    assert lines(part) == ["– store: web is no longer overdue in prod"] and part.is_last
    # It may be overdue again: then it is not said anew.
    (part,) = slack.document(replace(NOTHING, told=1), view)
    assert not part.is_last


def test_pull_requests_that_wait_and_that_wait_no_more() -> None:
    waits, over = github.document(ALONE, PLACE, "acme/store", (7,), (7, 8))
    assert [(p.name, p.is_shared, p.is_last, p.content["number"], p.content["label"]) for p in (waits, over)] == [
        ("pull/7", True, False, 7, ""),
        ("pull/8", True, True, 8, ""),
    ]
    assert waits.content["text"].splitlines() == [
        "**Overdue** in `prod`: Release `shop/web`",
        f"- `web`: `{SAID}`",
        "- said for the first time",
    ]
    assert "- said `2` times, once a day" in github.document(replace(ALONE, told=2), PLACE, "acme/store", (7,))[0].content["text"]
    assert over.content["text"] == "**No longer overdue** in `prod`: Release `shop/web`"
    assert github.document(ALONE, PLACE, "acme/store", ()) == ()


def test_a_comment_names_ten_services_and_says_how_many_more_wait() -> None:
    many = replace(ALONE, services=ALONE.services * 12)
    (waits,) = github.document(many, PLACE, "acme/store", (7,))
    assert waits.content["text"].splitlines()[-3:] == [f"- `web`: `{SAID}`", "- and 2 services more", "- said for the first time"]


def test_it_is_in_the_comment_of_a_deployment_set_in_a_section_of_its_own() -> None:
    one = replace(ALONE, told=None, commit=NEW, id="a1")
    _, deployed = github.document(one, PLACE, "acme/store", (7,))
    (waits,) = github.document(ALONE, PLACE, "acme/store", (7,))
    assert waits.key == deployed.key and waits.content["owner"] != deployed.content["owner"]


def test_what_nothing_more_is_said_of_is_forgotten() -> None:
    views = [View(id="github/overdue", parts=[ViewPart(name="pull/7"), ViewPart(name="pull/8")]), View(id="github/a", parts=[])]
    some = github.document(ALONE, PLACE, "acme/store", (7,), (7, 8))
    (left, _) = documents.marked(views, "github/overdue", "mark", some)
    assert (left.outcome, [p.name for p in left.parts or ()]) == ("mark", ["pull/7"])
    every = github.document(NOTHING, PLACE, "acme/store", (), (7, 8))
    assert [v.id for v in documents.marked(views, "github/overdue", "mark", every)] == ["github/a"]


def test_the_mark_is_that_of_what_is_said() -> None:
    marks = [documents.mark_of(one) for one in (ALONE, NOTHING, replace(ALONE, told=2), of_set(waiting("api")), replace(ALONE, spans=()))]
    assert len(set(marks)) == 5 and all(marks)
    assert documents.mark_of(again(1)) == marks[0], "what another service adds to the time of the latest word is nothing new"


def test_it_is_kept_while_deployment_sets_come_and_go() -> None:
    views: tuple[View, ...] = ()
    for an_id in ("slack/overdue", *(f"slack/{n}" for n in range(12)), *(f"github/{n}" for n in range(12))):
        views = documents.with_part(views, an_id, "C1", ViewPart(name="message"))
    assert "slack/overdue" in [v.id for v in views] and len(views) <= MOST_VIEWS
    assert {"slack/11", "github/11"} <= {v.id for v in views}
