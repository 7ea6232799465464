"""Which look at a service is news, and when its tasks are read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Access, Service, Task
from ecs_release.engine.observation.observed_service import ObservedService
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.builders.facts import KEY
from tests.builders.scenarios import BOTH, RUNS


def look(watched: ObservedService, seen: Service, now: datetime = NOW) -> bool:
    return watched.record_look(seen, now, now, now)


@pytest.mark.parametrize(
    ("fast", "seen", "news"), [(True, BOTH, True), (False, BOTH, False), (True, replace(BOTH, strategy="ROLLING"), False)]
)
def test_a_look_at_a_rollout_with_stages_is_news(fast: bool, seen: Service, news: bool) -> None:
    """A stage changes without DescribeServices showing it."""
    watched = ObservedService(KEY, Access("111122223333", "eu-west-1"), fast=fast)
    assert look(watched, seen)
    assert look(watched, seen) is news


async def test_who_asked_for_a_look_needs_no_news_of_it() -> None:
    import asyncio

    watched = ObservedService(KEY, Access("111122223333", "eu-west-1"), fast=True)
    look(watched, BOTH)
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    watched.answering.append(future)
    assert look(watched, BOTH) is False
    assert future.done()


def test_tasks_of_a_deployment_that_is_gone_are_read_again() -> None:
    """As many run as are counted, but a list that is older than the counts shows those of before."""
    watched = ObservedService(KEY, Access("111122223333", "eu-west-1"), tasks_time=NOW)
    older = (task(1, OLD), task(1, OLD))
    look(watched, replace(RUNS, tasks=older))
    assert known(watched, RUNS, 60) is None
    look(watched, RUNS)
    assert known(watched, RUNS, 60) == RUNS.tasks


def test_tasks_are_read_once_more_when_their_list_cannot_be_older_than_the_change() -> None:
    before = service(deployment(1), tasks=(task(1, OLD), task(1, OLD)))
    watched = ObservedService(KEY, Access("111122223333", "eu-west-1"), tasks_time=NOW - timedelta(days=1))
    look(watched, before)
    assert known(watched, before, 0) == before.tasks, "nothing has changed"
    assert known(watched, RUNS, 10) is None
    watched.tasks_time = NOW + timedelta(seconds=10)
    look(watched, RUNS)
    assert known(watched, RUNS, 39) == RUNS.tasks
    assert known(watched, RUNS, 41) is None
    watched.tasks_time = NOW + timedelta(seconds=41)
    assert known(watched, RUNS, 100) == RUNS.tasks


def known(watched: ObservedService, seen: Service, after_s: float) -> tuple[Task, ...] | None:
    return watched.known_tasks(replace(seen, tasks=()), NOW + timedelta(seconds=after_s), 20, 30)


@pytest.mark.parametrize(("fast", "kept"), [(True, True), (False, False)], ids=["an attempt of ours", "somebody else's"])
def test_tasks_decide_nothing_while_an_attempt_of_ours_rolls_out(*, fast: bool, kept: bool) -> None:
    watched = ObservedService(KEY, Access("111122223333", "eu-west-1"), fast=fast, tasks_time=NOW)
    look(watched, BOTH)
    moved = replace(BOTH, running=BOTH.running + 1)
    assert (known(watched, moved, 10) is not None) == kept
    assert known(watched, moved, 30) is None
