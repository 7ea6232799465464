"""Text of people and of AWS may hold anything: an emoji, a control character, half a character. Nothing stops for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e.bed import Place, condition
from tests.e2e.queues import Inbox, topic

ODD = "ship it \N{ROCKET} \u0085\u2028\ufeff\x1b \"' # : {--- \\ud83d"
SHOWN = ODD.replace("\u0085", "\\x85").replace("\x1b", "\\x1b")
"""As status has it: control characters are made visible."""


def test_a_release_whose_why_holds_an_emoji_goes_out_and_is_told(place: Place) -> None:
    inbox = Inbox(place)
    place.services("web")
    place.environment(notify={"snsTopicARN": topic(place, inbox)})
    place.push("v2")
    place.release("v2", change={"description": ODD, "requestedBy": "ada \N{DRAGON}"})
    entry = place.wait("Succeeded")["history"][0]
    assert (entry["description"], entry["requestedBy"], entry["outcome"]) == (SHOWN, "ada \N{DRAGON}", "Succeeded")
    inbox.until("web deployment.succeeded")
    assert inbox.of("deployment.succeeded")["data"]["description"] == SHOWN


def test_a_set_and_a_closed_window_are_said_with_it(place: Place) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    begin, end = ((now + timedelta(hours=h)).isoformat().replace("+00:00", "Z") for h in (-1, 1))
    closed = [{"name": "feast", "kind": "Deny", "startTime": begin, "endTime": end, "reason": ODD}]
    place.services("web")
    place.environment(windows=closed, rollout={"settleSeconds": 0})
    place.push("v2")
    place.release_set("v2", change={"description": ODD})
    place.wait_set("AwaitingWindow")
    environment = place.until(lambda: (s := place.get_environment()["status"]).get("closedWindow") and s, "the window")
    assert environment["closedWindow"]["reason"] == SHOWN
    child = next(iter(place.children().values()))["metadata"]["name"]
    place.annotate("all", "releaseset", **{"override-window": f"1/{ODD}"})
    place.wait_set("Succeeded")
    assert place.set_status()["history"][0]["description"] == SHOWN
    assert SHOWN in place.status(child)["history"][0]["window"]


def test_half_a_character_in_aws_s_words_is_passed_on_as_none(shop: Place) -> None:
    shop.push("v2")
    words = "no \ud83d \0 \N{ROCKET}"
    shop.aws.fault("RegisterTaskDefinition", code="ClientException", message=words, status=400, times=None, match=shop.name)
    shop.release("v2")
    message = condition(shop.wait("RejectedByAWS"), "Ready")["message"]
    assert "no \N{REPLACEMENT CHARACTER} \\x00 \N{ROCKET}" in message
    noted = shop.until(lambda: [e for e in shop.events() if "\N{ROCKET}" in e["note"]], "an Event")
    assert "\N{REPLACEMENT CHARACTER}" in noted[0]["note"]
    shop.aws.clear_faults(shop.name)
    shop.wait("Succeeded")
