"""An API server of a few lines, and a session that is connected to it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client.session import Session


class Server(ThreadingHTTPServer):
    """Answers what `answers` holds for a path: a status and a body; remembers each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, (self.headers, body)))
        status, answer = self.server.answers.get(self.path.partition("?")[0], (404, b"404 page not found"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_any
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass


def session(server: Server, *words: str, **environment: str) -> Session:
    return Session(main.parse(["version", f"--server={server.url}", *words])[0], environment)
