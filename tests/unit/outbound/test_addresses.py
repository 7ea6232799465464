"""Which addresses are connected to: a table, and names that resolve to others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ecs_release.outbound import session as sessions
from ecs_release.outbound.addresses import refusal
from ecs_release.outbound.session import Session, UnreachableError

REFUSED = [
    "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "168.63.129.16", "::ffff:168.63.129.16", "2002:a9fe:a9fe::", "169.254.170.2", "169.254.170.23",
    "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
    "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "no address",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ["140.82.112.3", "10.1.2.3", "192.168.1.4", "172.16.0.1", "2606:50c0:8000::153", "fd12:3456::1"])
def test_allowed(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_by_a_setting_only(address: str) -> None:
    assert refusal(address, may_be_loopback=True) == ""


def test_metadata_is_refused_with_that_setting_too() -> None:
    assert refusal("169.254.169.254", may_be_loopback=True) and refusal("::ffff:169.254.169.254", may_be_loopback=True)


@pytest.mark.parametrize("url", ["https://169.254.169.254", "https://[::1]", "https://[::ffff:10.0.0.1%25x]", "https://127.1"])
async def test_an_address_in_the_url_is_checked(url: str) -> None:
    session = Session(url, None, allow_loopback=False, user_agent="test", deadline_s=2)
    try:
        with pytest.raises(UnreachableError, match=r"may not be connected to|no address that may|cannot connect|did not answer"):
            await session.request("GET", "/", headers={})
    finally:
        await session.close()


async def test_a_name_is_checked_by_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is connected to is the one that was checked: a second answer of DNS cannot be another one."""
    asked = []

    class Resolver:
        async def resolve(self, host: str, port: int, family: object) -> list[dict[str, Any]]:
            asked.append(host)
            return [{"hostname": host, "host": "169.254.169.254", "port": port, "family": family, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            pass

    monkeypatch.setattr(sessions, "ThreadedResolver", Resolver)
    session = Session("https://github.example", None, allow_loopback=False, user_agent="test", deadline_s=2)
    try:
        with pytest.raises(UnreachableError, match=r"no address that may be connected to: 169\.254\.169\.254: it is link-local"):
            await session.request("GET", "/", headers={})
        assert asked == ["github.example"]
    finally:
        await session.close()


async def test_redirects_are_not_followed_and_bodies_are_bounded(tmp_path: Path) -> None:
    hits = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        hits.append(head.split()[1])
        if "/away" in head:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
            for _ in range(9):
                writer.write(b" " * 1_000_000)
        try:
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = Session(f"http://127.0.0.1:{port}", None, allow_loopback=True, user_agent="test", deadline_s=5)
    try:
        assert (await session.request("GET", "/away", headers={})).status == 302
        with pytest.raises(UnreachableError, match="too large"):
            await session.request("GET", "/large", headers={})
        assert hits == ["/away", "/large"]
        closed = Session(f"http://127.0.0.1:{port}", None, allow_loopback=False, user_agent="test", deadline_s=5)
        with pytest.raises(UnreachableError, match="of this machine"):
            await closed.request("GET", "/", headers={})
    finally:
        await session.close()
        server.close()
