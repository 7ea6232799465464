"""The API server that tests of the client speak to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.unit.cli.kubectl.client.http_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()
