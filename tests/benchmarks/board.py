"""The board with 5,000 Releases: its first page, what a change sends, and what many who look cost, against a server that sends the same bytes."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from tests.benchmarks.board_bed import ApiStandIn
from tests.benchmarks.results import Result
from tests.board_process import BoardProcess
from tests.builders.kubeconfig import write_kubeconfig
from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess
from tests.environment import plain

RELEASES, VIEWERS, CHANGES_A_SECOND = 5000, 200, 10
_SECONDS, _PAGES = 30, 10
_TICK = os.sysconf("SC_CLK_TCK")


def measure(releases: int = RELEASES, viewers: int = VIEWERS, seconds: int = _SECONDS) -> list[Result]:
    """Measure."""
    return asyncio.run(_measure(releases, viewers, seconds))


async def _measure(releases: int, viewers: int, seconds: int) -> list[Result]:
    api = ApiStandIn(releases)
    with tempfile.TemporaryDirectory() as name:
        async with api.served() as address, AsyncExitStack() as stack:
            kubeconfig = write_kubeconfig(Path(name) / "kubeconfig", address, {})
            # It waits for the process, which asks what is served here.
            process = BoardProcess(kubeconfig, {"ECS_RELEASE_BOARD_LOGIN": "headers"})
            await asyncio.to_thread(process.__enter__)
            stack.push_async_callback(asyncio.to_thread, process.__exit__)
            seconds_of_page, bytes_of_page = await _pages(api, process)
            looking = _Looking(process.address, viewers)
            await stack.enter_async_context(looking)
            cpu_s, elapsed_s = await _cpu(process.process, lambda: _changes(api, seconds))
            events, size = looking.events, looking.size
            resident = _resident(process.process)
            chunks = looking.chunks
        static_s = await _static(Path(name), chunks, viewers, elapsed_s)
    of = f"{viewers} who look, {CHANGES_A_SECOND} changes a second"
    return [
        Result(
            f"the board's first page of {releases:,} Releases", statistics.median(seconds_of_page), "s", bound=1, n=len(seconds_of_page)
        ),
        Result("the same, compressed", bytes_of_page / 1000, "kB", bound=150, n=1),
        Result("what a change of one Release sends to each who looks", size / events / 1000, "kB", bound=2, n=events),
        Result(f"{of}: CPU of the board, against a server of the same bytes", cpu_s / elapsed_s, "cores", static_s / elapsed_s, 3),
        Result(f"{of}: its memory, at most", resident, "MB", bound=150),
    ]


async def _pages(api: ApiStandIn, process: BoardProcess) -> tuple[list[float], int]:
    """Return how long the first page after a change takes, and its bytes as they are sent."""
    taken, size = [], 0
    headers = {"X-Forwarded-User": "ben", "Accept-Encoding": "gzip"}
    async with aiohttp.ClientSession(headers=headers, auto_decompress=False) as session:
        for number in range(_PAGES + 1):
            begun = time.perf_counter()
            async with session.get(process.address) as answer:
                size = len(await answer.read())
            taken.append(time.perf_counter() - begun)
            api.change(number)
            await asyncio.sleep(1)
    return taken[1:], size


class _Looking:
    """People with an open page each. What the first of them is sent is kept, with its time."""

    def __init__(self, address: str, count: int) -> None:
        self._address, self._count = address, count
        self._tasks: list[asyncio.Task[None]] = []
        self._there = 0
        self._begun = 0.0
        self.chunks: list[tuple[float, str]] = []

    async def __aenter__(self) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None))
        async with self._session.get(self._address, headers={"X-Forwarded-User": "viewer-0"}) as answer:
            position = (await answer.text()).partition('data-position="')[2].partition('"')[0]
        self._tasks = [asyncio.create_task(self._look(n, position)) for n in range(self._count)]
        async with asyncio.timeout(60):
            while self._there < self._count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        self._begun = time.monotonic()
        self.chunks.clear()

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _look(self, number: int, position: str) -> None:
        url, headers = f"{self._address}/events?at={position}", {"X-Forwarded-User": f"viewer-{number}"}
        async with self._session.get(url, headers=headers) as answer:
            is_first = True
            async for chunk in answer.content.iter_any():
                self._there += is_first
                is_first = False
                if number == 0:
                    self.chunks.append((time.monotonic() - self._begun, chunk.decode()))

    @property
    def events(self) -> int:
        """Cells that were sent to one of them."""
        found = [json.loads(line[6:]) for _, text in self.chunks for line in text.splitlines() if line.startswith("data: ")]
        assert not any("event: reload" in text for _, text in self.chunks), "a page was loaded anew: nothing was measured"
        return sum(len(data["parts"]) for data in found if "parts" in data)

    @property
    def size(self) -> int:
        """Bytes that were sent to one of them."""
        return sum(len(text.encode()) for _, text in self.chunks)


async def _changes(api: ApiStandIn, seconds: int) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(seconds * CHANGES_A_SECOND):
        await asyncio.sleep(max(0.0, begun + number / CHANGES_A_SECOND - loop.time()))
        api.change(number * 37 % len(api.objects["releases"]))
    await asyncio.sleep(1)


async def _static(folder: Path, chunks: list[tuple[float, str]], viewers: int, elapsed_s: float) -> float:
    """Return the CPU of a server that sends the same to as many."""
    recorded, port = folder / "chunks.json", free_port()
    recorded.write_text(json.dumps(chunks))
    command = [sys.executable, "-m", "tests.benchmarks.board_bed", str(port), str(recorded)]
    process = ChildProcess("static", command, folder / "static.log", plain())
    try:
        await _until_there(port)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)) as session:
            tasks = [asyncio.create_task(_read(session, port)) for _ in range(viewers)]
            await asyncio.sleep(3)

            async def send() -> None:
                async with session.get(f"http://127.0.0.1:{port}/?begin"):
                    await asyncio.sleep(elapsed_s)

            cpu_s, _ = await _cpu(process, send)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await asyncio.to_thread(process.stop, 10)
        release_port(port)
    return cpu_s


async def _read(session: aiohttp.ClientSession, port: int) -> None:
    async with session.get(f"http://127.0.0.1:{port}/") as answer:
        async for _ in answer.content.iter_any():
            pass


async def _until_there(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


async def _cpu(process: ChildProcess, act: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the CPU that a process takes while something is done, and for how long that is."""
    before, begun = _used(process), time.monotonic()
    await act()
    return _used(process) - before, time.monotonic() - begun


def _used(process: ChildProcess) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident(process: ChildProcess) -> float:
    """Return the most memory that a process has had, in MB."""
    line = next(text for text in Path(f"/proc/{process.pid}/status").read_text().splitlines() if text.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
