"""Requests with a reason: kept with the attempt, and required where an Environment says so."""

from __future__ import annotations

from typing import Any

from tests.e2e.bed import Place, condition
from tests.e2e.plugin import Done, ecs_release

CRASHES = ("crash.v2", "v2")


def retry(place: Place, *arguments: str, **more: Any) -> Done:
    return ecs_release(place.bed.cluster, "retry", "web", *arguments, "-n", place.name, **more)


def test_the_reason_stays_with_the_attempt(shop: Place) -> None:
    shop.push(*CRASHES)
    shop.release("v2")
    shop.wait("RolledBack")
    done = retry(shop, "--reason", "the database is back")
    token = shop.status()["lastHandledRetry"]
    assert token.endswith("/the database is back") and done.out.strip().endswith(token)
    shop.until(lambda: shop.status()["history"][0].get("reason") == "the database is back", "the reason in history")
    shop.wait("RolledBack")
    shop.annotate("web", retry="old-form")
    shop.until(lambda: shop.status()["lastHandledRetry"] == "old-form", "a token only, where reasons are optional")
    assert "reason" not in shop.status()["history"][0]


def test_without_a_reason_nothing_is_done_where_one_is_required(shop: Place) -> None:
    shop.environment(reasons="Required")
    shop.push(*CRASHES)
    shop.release("v2")
    shop.wait("RolledBack")
    attempts, before = len(shop.status()["history"]), shop.mutations()
    shop.annotate("web", retry="1")
    refused = shop.until(lambda: shop.status().get("refusedRequest"), "the refusal")
    assert (refused["request"], refused["token"]) == ("retry", "1") and "requires a reason" in refused["message"]
    assert shop.status()["lastHandledRetry"] == "1"
    shop.until(lambda: [e for e in shop.events() if e["reason"] == "RequestRefused"], "the Event")
    done = retry(shop, check=False)
    assert done.code == 1 and "requires a reason" in done.err
    shop.bed.restart_operator()
    shop.environment(reasons="Optional")
    shop.stays("RolledBack")
    assert (len(shop.status()["history"]), shop.mutations()) == (attempts, before), "it is over, also when none is required any more"
    shop.environment(reasons="Required")
    retry(shop, "--reason", "the image is fixed")
    status = shop.until(lambda: shop.status() if len(shop.status()["history"]) > attempts else None, "another attempt")
    assert status["history"][0]["reason"] == "the image is fixed" and "refusedRequest" not in shop.status()


def test_a_set_refuses_too_and_hands_reasons_on(place: Place) -> None:
    place.services("web")
    place.environment(reasons="Required")
    place.push("crash.v2", "v2", service="web")
    place.release_set("v2")
    place.wait_set("RolledBack")
    place.annotate("all", "releaseset", retry="1")
    refused = place.until_set(lambda: place.set_status().get("refusedRequest"), "the refusal")
    assert refused["token"] == "1" and len(place.set_status()["history"]) == 1
    place.annotate("all", "releaseset", retry="2/the queue is drained")
    place.until_set(lambda: place.set_status()["history"][0].get("reason") == "the queue is drained", "its deployment set")
    child = place.children()["web"]["metadata"]["name"]
    place.until(lambda: place.status(child)["history"][0].get("reason") == "the queue is drained", "the child's attempt", child)
    assert condition(place.set_status(), "Ready")
