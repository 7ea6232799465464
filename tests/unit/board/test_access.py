"""What is asked of the API server, how often, and what is shown while it cannot be asked. Real rights: tests/apiserver/test_board.py."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from ecs_release.board.access import EVERYTHING, Access, AccessUnknownError, Sight
from ecs_release.board.viewer import Viewer
from ecs_release.cluster.api_server import ApiServer
from ecs_release.domain.model.errors import Retryable

BEN = Viewer("ben", ("ops", "system:authenticated"))


class Reviews:
    """Answers SubjectAccessReviews from a set of (resource, namespace)."""

    def __init__(self, *allowed: tuple[str, str]) -> None:
        self.allowed = set(allowed)
        self.asked: list[tuple[str, str]] = []
        self.away = False
        self.time = 0.0

    async def request(self, method: str, path: object, *, body: Mapping[str, Any]) -> dict[str, Any]:
        assert (method, str(path)) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        assert (body["spec"]["user"], body["spec"]["groups"]) == ("ben", ["ops", "system:authenticated"])
        attributes = body["spec"]["resourceAttributes"]
        assert (attributes["group"], attributes["verb"]) == ("ecs-release.dev", "get")
        await asyncio.sleep(0)
        if self.away:
            raise Retryable("no answer")
        key = (attributes["resource"], attributes.get("namespace", ""))
        self.asked.append(key)
        return {"status": {"allowed": key in self.allowed}}

    def access(self) -> Access:
        return Access(cast("ApiServer", self), lambda: ["shop", "vault"], lambda: self.time)


async def test_one_question_is_enough_for_whoever_may_see_all() -> None:
    reviews = Reviews(("releases", ""), ("environments", ""))
    assert await reviews.access().sight(BEN) == Sight(None, environments=True)
    assert sorted(reviews.asked) == [("environments", ""), ("releases", "")]


async def test_else_each_namespace_is_asked_about() -> None:
    reviews = Reviews(("releases", "shop"))
    assert await reviews.access().sight(BEN) == Sight(frozenset({"shop"}))
    assert len(reviews.asked) == 4
    assert await Reviews().access().sight(BEN) == Sight()


async def test_answers_are_kept_for_less_than_a_minute_and_asked_for_once_at_a_time() -> None:
    reviews = Reviews(("releases", ""))
    access = reviews.access()
    assert len(set(await asyncio.gather(*(access.sight(BEN) for _ in range(20))))) == 1
    assert len(reviews.asked) == 2
    reviews.time = 39
    reviews.allowed.clear()
    assert await access.sight(BEN) == Sight(None)
    # With the 15 s between two looks of a stream, a right that is lost is noticed within 60 s.
    reviews.time = 45
    assert await access.sight(BEN) == Sight()


async def test_an_answer_is_as_old_as_its_question() -> None:
    """What was allowed before others were asked for may be refused since."""
    reviews = Reviews(("releases", ""))
    access = reviews.access()
    asked = asyncio.create_task(access.sight(BEN))
    await asyncio.sleep(0)
    reviews.time = 30.0
    assert await asked == Sight(None)
    reviews.time = 41.0
    reviews.allowed.clear()
    assert await access.sight(BEN) == Sight()


async def test_while_the_api_server_is_away_the_last_answer_counts_and_nobody_new_sees_anything() -> None:
    reviews = Reviews(("releases", "shop"))
    access = reviews.access()
    await access.sight(BEN)
    reviews.away, reviews.time = True, 600.0
    assert await access.sight(BEN) == Sight(frozenset({"shop"}))
    with pytest.raises(AccessUnknownError):
        await reviews.access().sight(BEN)
    reviews.time = 3700.0
    with pytest.raises(AccessUnknownError):
        await access.sight(BEN)
    reviews.away = False
    reviews.allowed.clear()
    assert await access.sight(BEN) == Sight()


async def test_nobody_is_asked_where_there_is_no_login() -> None:
    reviews = Reviews()
    assert await reviews.access().sight(None) == EVERYTHING
    assert reviews.asked == []
