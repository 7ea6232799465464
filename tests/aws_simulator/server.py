"""Serves the simulated AWS on 127.0.0.1."""

from __future__ import annotations

import logging
import sys
import threading

from moto.ecs.models import ecs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.aws_simulator import events
from tests.aws_simulator.clock import Clock
from tests.aws_simulator.install import install
from tests.aws_simulator.middleware import Simulator
from tests.aws_simulator.world import WORLD, reset

_TICK_S = 0.2


class _Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does, and says nothing of a connection that is dropped on purpose."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Log nothing: the simulator keeps a log of calls of its own."""

    def handle(self) -> None:
        """Handle a connection."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


def make(port: int, time_scale: float, seed: int, host: str = "127.0.0.1") -> BaseWSGIServer:
    """Make a server; port 0 is a free one."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    install()
    WORLD.seed = seed
    reset(Clock(time_scale))
    events.begin()
    return make_server(host, port, Simulator(DomainDispatcherApplication(create_backend_app)), threaded=True, request_handler=_Handler)


def serve(server: BaseWSGIServer) -> None:
    """Serve until the server is shut down; events go out also while nobody calls."""
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(done,), daemon=True)
    ticker.start()
    try:
        server.serve_forever(poll_interval=0.1)
    finally:
        done.set()
        ticker.join()


def _tick(done: threading.Event) -> None:
    while not done.wait(_TICK_S):
        with WORLD.lock:
            if not WORLD.switches.reorder_events:
                events.flush()
            for account in list(ecs_backends.values()):
                for backend in list(account.values()):
                    try:
                        backend.catch_up()
                    except Exception as error:
                        print(f"aws simulator: {type(error).__name__}: {error}", file=sys.stderr)
