"""Probes: the kubelet must not kill what does well."""

from __future__ import annotations

import aiohttp
import pytest

from ecs_release.handlers.probes import serve_probes


async def test_alive_at_once_and_ready_when_ready() -> None:
    ready = False
    async with serve_probes("127.0.0.1", 0, lambda: ready) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503
        ready = True
        assert (await client.get("/readyz")).status == 200


async def test_a_taken_port_is_an_error_and_the_port_is_free_afterwards() -> None:
    async with serve_probes("127.0.0.1", 0, lambda: True) as port:
        with pytest.raises(OSError, match="in use"):
            async with serve_probes("127.0.0.1", port, lambda: True):
                pass
    async with serve_probes("127.0.0.1", port, lambda: True) as again:
        assert again == port
