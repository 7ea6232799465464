"""The page of a set: its waves in words and as a drawing, and its history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_release.pages.board_page import Age, Assets, Frame
from ecs_release.pages.history import Code
from ecs_release.pages.matrix import Column
from ecs_release.pages.sets import page, timeline
from ecs_release.pages.sets.details import SetDetails, child_names, data, describe
from tests.builders.board_objects import REPOSITORY, hostile, rolled_back, storefront
from tests.builders.html_page import HOSTILE, Page
from tests.unit.cli.kubectl.objects import NOW, READY, ROLLING, ago, member, release, release_set

FRAME = Frame(Assets("/s.css", "/s.js", "/i.svg"), "ben")
CODE = Code(REPOSITORY, frozenset({"github.com"}))


COLUMN = Column("staging", "Staging of all", NOW)


def described(body: dict[str, Any], *children: dict[str, Any], column: Column = COLUMN) -> SetDetails:
    by_name = {c["metadata"]["name"]: c for c in children}
    return describe(body, by_name, {c["spec"]["service"] for c in children}, column, CODE, NOW)


def read(shown: SetDetails) -> Page:
    return Page(page.render(FRAME, shown, Age(True, NOW), "here"))


def test_waves_services_and_history() -> None:
    shown = read(described(storefront(), rolled_back()))
    for said in (
        "Set storefront-staging", "RolledBack", "1/3 ready", "Wave 1: Finished", "Wave 2: Open", "Wave 3: Pending", "ECS rolled back",
        "15m (waited 2m)", "faster pages", "If a service fails Halt",
    ):  # fmt: skip
        assert said in shown.words, said
    assert "/services/shop/shop/checkout/staging" in shown.links
    assert "/services/shop/shop/web/staging" not in shown.links, "its Release is not there"
    assert f"{REPOSITORY}/compare/aaaaaaa...bbbbbbb" in shown.links
    assert "/?project=shop&set=storefront" in shown.links


@pytest.mark.parametrize(
    ("column", "said", "old"),
    [
        (COLUMN, "storefront in staging, Staging of all, observed 2026-11-24 12:00 UTC", False),
        (
            Column("staging", "", NOW, stale=True),
            "This Environment was observed last 2026-11-24 12:00 UTC: what is here may no longer be so.",
            True,
        ),
        (Column("staging", "", NOW, stale=True, ahead=True), "2026-11-24 12:00 UTC, which is yet to come: clocks differ", True),
        (Column("staging", stale=True), "This Environment was never observed.", True),
        (Column("staging", known=False, stale=True), "There is no such Environment.", True),
        (Column("staging", known=False, readable=False), "How old this is cannot be told: you may not see Environments.", None),
    ],
)
def test_how_old_it_is(column: Column, said: str, old: bool | None) -> None:
    shown = described(storefront(), column=column)
    assert said in read(shown).words
    assert data(shown)["environment"] == {
        "name": "staging",
        "displayName": column.title,
        "lastSweepTime": "2026-11-24T12:00:00Z" if column.seen else None,
        "old": old,
    }


def test_a_service_ends_when_its_attempt_did() -> None:
    checkout = described(storefront(), rolled_back()).waves[1].services[0]
    assert (checkout.began, checkout.ended) == (NOW.replace(minute=51, hour=11), NOW.replace(minute=55, hour=11))
    of_condition = rolled_back()
    of_condition["status"]["history"] = of_condition["status"]["history"][1:]
    assert described(storefront(), of_condition).waves[1].services[0].ended == NOW.replace(minute=59, second=12, hour=11)
    by_its_wave = described(storefront()).waves[0].services[0]
    assert by_its_wave.ended == NOW.replace(minute=50, hour=11)


def attempt(began: str, ended: str | None, outcome: str | None = "Succeeded") -> dict[str, Any]:
    return {"attemptID": began, "startTime": began, "completionTime": ended, "outcome": outcome}


IN_TIME, CORRECTED = attempt(ago(minutes=20), ago(minutes=15)), attempt(ago(minutes=3), ago(minutes=1))
RETRIED = [attempt(ago(minutes=14), ago(minutes=13)), attempt(ago(minutes=20), ago(minutes=16), "RolledBack")]


@pytest.mark.parametrize(
    ("history", "state", "wave_ended", "ended"),
    [
        ([IN_TIME], "Ready", ago(minutes=10), ago(minutes=15)),
        # Drift that was corrected later is no part of the deployment set, whether or not its wave has ended.
        ([CORRECTED, IN_TIME], "Ready", ago(minutes=10), ago(minutes=15)),
        ([CORRECTED, IN_TIME], "Ready", None, ago(minutes=15)),
        ([CORRECTED, IN_TIME], "Failed", ago(minutes=10), ago(minutes=10)),
        # Status has forgotten the attempt: then it is known by the wave.
        ([CORRECTED], "Ready", ago(minutes=10), ago(minutes=10)),
        # It was Ready by the second try.
        (RETRIED, "Ready", ago(minutes=10), ago(minutes=13)),
        (RETRIED, "Failed", None, ago(minutes=16)),
        ([attempt(ago(hours=2), ago(hours=1))], "Ready", ago(minutes=10), ago(minutes=10)),
        ([attempt(ago(minutes=3), None, None), IN_TIME], "Ready", ago(minutes=10), ago(minutes=15)),
        (None, "Ready", ago(minutes=10), ago(minutes=10)),
    ],
)
def test_a_service_ends_with_the_attempt_of_its_own_deployment_set(
    history: list[dict[str, Any]] | None, state: str, wave_ended: str | None, ended: str
) -> None:
    # The set writes its times with fractions of a second, and the API server keeps them for a Release in whole ones.
    body = release_set(member("web", state, startTime=ago(minutes=20, seconds=-0.25)), waves=[["web"]])
    body["status"]["waves"][0] |= {"startTime": ago(minutes=20)} | ({"completionTime": wave_ended} if wave_ended else {})
    child = release("web", history=history, rollout={"attemptID": "9", "startTime": ago(minutes=3), "completionTime": ago(minutes=1)})
    (line,) = described(body, child).waves[0].services
    assert line.ended is not None and line.ended.isoformat() == ended.replace("Z", "+00:00")


def test_what_is_under_way_ends_now_in_the_drawing() -> None:
    body = release_set(member("web", "Progressing", startTime=ago(minutes=3)), readiness=ROLLING, waves=[["web"]])
    body["status"]["waves"][0]["startTime"] = ago(minutes=3)
    shown = described(body)
    drawing = timeline.draw(shown)
    assert shown.is_under_way and drawing is not None
    assert (drawing.span, [bar.is_open for bar in drawing.bars]) == ("3m", [True, True])
    assert drawing.bars[1].x + drawing.bars[1].width == timeline.WIDTH - timeline.STATES


def test_the_drawing_is_to_scale_and_says_everything_in_words_too() -> None:
    shown = described(storefront(), rolled_back())
    drawing = timeline.draw(shown)
    assert drawing is not None
    wave, search, second, checkout, third, web = drawing.bars
    # 15 minutes from the first start to the last end are the whole width.
    width = timeline.WIDTH - timeline.NAMES - timeline.STATES
    assert (search.x, wave.x, checkout.x) == (timeline.NAMES, timeline.NAMES, round(timeline.NAMES + width * 11 / 15, 1))
    assert checkout.width == pytest.approx(width * 4 / 15, abs=0.2)
    assert (second.is_open, third.width, web.width, web.state) == (True, 0, 0, "Pending")
    assert [bar.y for bar in drawing.bars] == sorted({bar.y for bar in drawing.bars})
    assert [tick.text for tick in drawing.ticks] == ["0", "5m", "10m", "15m"]
    html = read(shown)
    (svg,) = [its for name, its in html.tags if name == "svg"]
    assert (svg["role"], svg["aria-labelledby"]) == ("img", "timeline-title timeline-text")
    assert "✖ Failed, 4m" in html.words
    assert not [its for _, its in html.tags if "style" in its]


@pytest.mark.parametrize(
    ("span_s", "expected"),
    [
        (0, ["0", "1s"]),
        (1, ["0", "1s"]),
        (45, ["0", "10s", "20s", "30s", "40s"]),
        (3600, ["0", "10m", "20m", "30m", "40m", "50m", "60m"]),
        (10**8, 6),
    ],
)
def test_few_lines_of_the_scale_however_long_it_takes(span_s: int, expected: Any) -> None:
    body = release_set(member("web", startTime=ago(seconds=span_s)), waves=[["web"]])
    body["status"]["waves"][0] |= {"startTime": ago(seconds=span_s), "completionTime": ago(seconds=0)}
    drawing = timeline.draw(described(body))
    assert drawing is not None
    texts = [tick.text for tick in drawing.ticks]
    assert len(texts) == expected if isinstance(expected, int) else texts == expected


def test_a_set_that_has_not_begun_has_no_drawing() -> None:
    bare = release_set(readiness=READY)
    assert timeline.draw(described(bare)) is None
    words = read(described(bare)).words
    assert "The set has not been resolved yet" in words and "Nothing was released by this set yet." in words
    bare["status"] = {}
    assert "Pending" in read(described(bare)).words


def test_services_in_no_wave_are_shown_too() -> None:
    shown = described(release_set(member("web"), member("old", "Left"), waves=[["web"]]))
    assert [(w.number, [s.name for s in w.services]) for w in shown.waves] == [("1", ["web"]), ("", ["old"])]
    assert "In no wave" in read(shown).words
    assert child_names(release_set(member("web"), {"name": "x"})) == ["web-staging"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_of_anybody_becomes_markup_or_a_link(text: str) -> None:
    children = {"checkout-staging": hostile(rolled_back(), text)}
    body = hostile(storefront(), text)
    body["status"]["services"][0]["state"] = body["status"]["waves"][0]["state"] = text.encode(errors="replace").decode()[:256]
    html = page.render(
        FRAME, describe(body, children, {"checkout"}, COLUMN, Code(text, frozenset({"github.com"})), NOW), Age(True, NOW), "here"
    )

    shown, plain = Page(html), read(described(hostile(storefront(), "plain"), rolled_back()))
    assert shown.open == []
    assert {name for name, _ in shown.tags} <= {name for name, _ in plain.tags} | {"b"}
    assert [name for name, _ in shown.tags].count("script") == 1
    assert [link for link in shown.links if not link.startswith(("/", "?", "#"))] == []
    assert not set("\u202e\u2066\x1b\x07\x00") & set(html)
    assert len(html.encode()) < 60_000


def test_json_has_what_the_page_has() -> None:
    found = data(described(storefront(), rolled_back()))
    assert (found["name"], found["environment"]["name"], found["progress"], found["onFailure"]) == (
        "storefront-staging",
        "staging",
        "1/3 ready",
        "Halt",
    )
    assert [(w["number"], w["state"], [s["name"] for s in w["services"]]) for w in found["waves"]] == [
        ("1", "Finished", ["search"]),
        ("2", "Open", ["checkout"]),
        ("3", "Pending", ["web"]),
    ]
    assert found["waves"][1]["services"][0]["completionTime"] == ago(minutes=5)
    assert [h["outcome"] for h in found["history"]] == ["Failed", "Succeeded"]
    json.dumps(found)


def test_fifty_services_are_a_page() -> None:
    names = [f"service-{n}" for n in range(50)]
    body = release_set(*(member(n, startTime=ago(minutes=5)) for n in names), waves=[[n] for n in names[:20]] + [names[20:]])
    shown = described(body, *(release(n) for n in names))
    assert len(page.render(FRAME, shown, Age(True, NOW), "")) < 100_000
