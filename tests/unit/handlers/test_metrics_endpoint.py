"""/metrics: packed where that is understood, and rendered once at a time however many ask."""

from __future__ import annotations

import asyncio
import gzip
import threading

import aiohttp
import pytest

from ecs_release.handlers.metrics_endpoint import serve_metrics

TEXT = "a 1\n"


class Renderer:
    def __init__(self) -> None:
        self.taken: list[str] = []
        self.rendered: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()
        self.broken = False

    def take(self) -> None:
        self.taken.append(threading.current_thread().name)

    def render(self) -> bytes:
        self.rendered.append(threading.current_thread().name)
        self.begun.set()
        assert self.free.wait(10)
        if self.broken:
            raise ValueError("broken")
        return gzip.compress(TEXT.encode())


@pytest.mark.parametrize("accepts", ["gzip", "identity"])
async def test_text_is_what_comes_out(accepts: str) -> None:
    its = Renderer()
    serving = serve_metrics("127.0.0.1", 0, take=its.take, render=its.render, content_type="text/plain; version=0.0.4; charset=utf-8")
    async with serving as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        answer = await client.get("/metrics", headers={"Accept-Encoding": accepts})
        assert (answer.status, await answer.text()) == (200, TEXT)
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers.get("Content-Encoding", "identity") == accepts
    assert its.taken == [threading.current_thread().name], "the state is taken in the event loop"
    assert its.rendered != its.taken, "and rendered elsewhere"


async def test_those_who_ask_at_once_share_an_answer_and_nobody_takes_it_away() -> None:
    its = Renderer()
    its.free.clear()
    serving = serve_metrics("127.0.0.1", 0, take=its.take, render=its.render, content_type="text/plain")
    async with serving as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        asked = [asyncio.create_task(client.get("/metrics")) for _ in range(5)]
        assert await asyncio.to_thread(its.begun.wait, 10)
        asked.pop().cancel()
        await asyncio.sleep(0.1)
        its.free.set()
        assert [await (await a).text() for a in asked] == [TEXT] * 4
        assert len(its.rendered) == 1
        await client.get("/metrics")
        assert len(its.rendered) == 2, "the next is fresh"


async def test_what_fails_once_is_tried_again() -> None:
    its = Renderer()
    its.broken = True
    serving = serve_metrics("127.0.0.1", 0, take=its.take, render=its.render, content_type="text/plain")
    async with serving as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/metrics")).status == 500
        its.broken = False
        assert (await client.get("/metrics")).status == 200
