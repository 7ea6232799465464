"""Lists are read by pages of bounded size, and objects are kept without what only others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.cluster import pages
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.pages import read_bounded, trim, trimmed_event, trimmed_events, untrimmed
from ecs_release.domain.model.api_paths import ApiPath
from ecs_release.domain.model.page_size import PageSize
from tests.builders.kubeconfig import write_kubeconfig
from tests.builders.paged_server import EMOJI, large_object, paged_server

KB, MB = 1024, 1024 * 1024


@given(st.lists(st.integers(200, 1536 * KB), min_size=1, max_size=400))
def test_no_page_is_larger_than_the_bound_whatever_objects_follow(sizes: list[int]) -> None:
    """Even if small objects come first, and the largest right after them. Most requests bring something new."""
    size, begin, requests = PageSize(), 0, 0
    while begin < len(sizes):
        requests += 1
        page = sizes[begin : begin + size.limit]
        if sum(page) > size.most_bytes:
            assert size.limit > 1
            size.exceeded()
            continue
        assert sum(page) <= 2 * MB
        size.seen(len(page), sum(page))
        begin += len(page)
    assert requests <= 10 + 6 * len(sizes)


@pytest.mark.parametrize(("each", "limit"), [(300, 250), (4 * KB, 250), (20 * KB, 52), (256 * KB, 4), (1536 * KB, 1)])
def test_pages_of_equal_objects_have_about_a_mebibyte(each: int, limit: int) -> None:
    size = PageSize()
    for _ in range(8):
        if size.limit * each > size.most_bytes:
            size.exceeded()
        else:
            size.seen(size.limit, size.limit * each)
    assert size.limit - 1 <= limit <= size.limit + 1


async def test_a_list_of_large_objects_is_read_in_small_pages(tmp_path: Path) -> None:
    """Small ones first: the next page is too large, is given up, and is asked for again."""
    objects = [large_object(f"small-{n:03}", 100) for n in range(120)] + [large_object(f"z-large-{n:03}", 250 * KB) for n in range(40)]
    async with paged_server(objects) as remote:
        server = await ApiServer.connect(str(write_kubeconfig(tmp_path / "config", remote.url, {"token": "one"})), "test")
        found = [item["metadata"]["name"] async for items in server.pages(ApiPath(("apis", "x", "releases"))) for item in items]
        await server.close()
    assert found == [o["metadata"]["name"] for o in objects]
    assert max(remote.read) <= 2 * MB
    assert len(remote.pages) < 30


def test_what_nothing_reads_is_dropped() -> None:
    body = trim(large_object("web", 10))
    assert body["metadata"] == {
        "name": "web", "namespace": "shop", "uid": "web", "resourceVersion": "2", "annotations": {"ecs-release.dev/retry": "1"},
        "labels": {"ecs-release.dev/service": "web"}, "ownerReferences": [{"kind": "ReleaseSet", "name": "s", "uid": "1"}],
    }  # fmt: skip
    assert body["spec"] == {"service": "web"}


@pytest.mark.parametrize(
    "body",
    [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"annotations": None, "labels": [], "ownerReferences": {}}},
     {"metadata": {"ownerReferences": [None, "x"]}}],
)  # fmt: skip
def test_what_is_not_as_expected_is_left_alone(body: dict[str, Any]) -> None:
    trim(body)


def test_an_update_writes_what_others_own_as_it_is_there() -> None:
    there = large_object("web", 10)["metadata"]
    read = trim(large_object("web", 10))["metadata"]
    assert untrimmed(read, there) == {k: v for k, v in there.items() if k != "managedFields"}
    changed = {**read, "annotations": {"ecs-release.dev/abort": "2"}, "labels": {**read["labels"], "ecs-release.dev/project": "p"}}
    whole = untrimmed(changed, there)
    assert whole["annotations"] == {"example.com/large": there["annotations"]["example.com/large"], "ecs-release.dev/abort": "2"}
    assert whole["labels"] == {"example.com/team": "a", "ecs-release.dev/service": "web", "ecs-release.dev/project": "p"}
    assert whole["finalizers"] == ["example.com/x"]
    assert set(untrimmed({"name": "web"}, there)["annotations"]) == {"example.com/large"}


def event(size: int) -> bytes:
    return json.dumps({"type": "ADDED", "object": large_object("web", size)}, ensure_ascii=False).encode()


def test_large_events_are_trimmed_and_small_ones_stay_as_they_are() -> None:
    assert trimmed_event(event(100)) == event(100)
    trimmed = trimmed_event(event(100 * KB))
    assert len(trimmed) < KB
    assert json.loads(trimmed) == {"type": "ADDED", "object": trim(large_object("web", 0))}


@pytest.mark.parametrize("line", [b"x" * 20_000, b"[" + b"1," * 10_000 + b"1]", b'{"object": "' + b"x" * 20_000 + b'"}', b"\xff" * 20_000])
def test_an_event_that_is_not_understood_stays_as_it_is(line: bytes) -> None:
    assert trimmed_event(line) == line


class Parts:
    """Content that comes in these parts."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)

    async def iter_any(self) -> Any:
        while self.parts:
            yield self.parts.pop(0)


async def test_events_are_put_together_from_the_parts_that_they_come_in() -> None:
    text = b"a\n" + event(50 * KB) + b"\n\nlast\n"
    for size in (7, 1000, 10**6):
        parts = Parts(*(text[n : n + size] for n in range(0, len(text), size)))
        found = [line async for line in trimmed_events(parts)]  # type: ignore[arg-type]
        assert found == [b"a\n", trimmed_event(event(50 * KB)) + b"\n", b"last\n"]


async def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "OBJECT_BYTES", 100)
    with pytest.raises(aiohttp.ClientPayloadError):
        _ = [line async for line in trimmed_events(Parts(*[b"x" * 60] * 2))]  # type: ignore[arg-type]


async def test_a_body_is_read_up_to_its_bound() -> None:
    assert await read_bounded(Parts(b"ab", b"c"), 3) == b"abc"  # type: ignore[arg-type]
    endless = Parts(*[b"x"] * 1000)
    assert await read_bounded(endless, 3) is None  # type: ignore[arg-type]
    assert len(endless.parts) == 996
    assert await read_bounded(Parts(), 3) == b""  # type: ignore[arg-type]


def test_an_emoji_costs_no_more_than_an_object_without() -> None:
    """All that is kept of an object's metadata is ours."""
    assert EMOJI not in json.dumps(trim(large_object("web", 10)), ensure_ascii=False)
