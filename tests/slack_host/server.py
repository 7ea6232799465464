"""The server: channels, messages and threads; it throttles, fails, hangs, takes a call and loses the answer, and lists late."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.slack_host.description import MOST_LISTED, problems

TOKEN, OTHER_TOKEN = "xoxb-of-the-tests", "xoxb-of-somebody-else"
_PAGE = 100


@dataclass
class Message:
    """A message as it stands."""

    ts: str
    bot_id: str
    content: dict[str, Any]
    thread_ts: str = ""
    seen_from: float = 0.0
    """Until then no list has it."""
    edits: int = 0
    unfurls: bool = True

    @property
    def is_broadcast(self) -> bool:
        """Whether a reply is shown in the channel, too."""
        return bool(self.content.get("reply_broadcast"))

    def listed(self, *, with_metadata: bool) -> dict[str, Any]:
        """Return it as lists do."""
        found = {"type": "message", "ts": self.ts, "bot_id": self.bot_id, "text": self.content.get("text", "")}
        found["blocks"] = self.content.get("blocks", [])
        if self.thread_ts:
            found |= {"thread_ts": self.thread_ts} | ({"subtype": "thread_broadcast"} if self.is_broadcast else {})
        if with_metadata and "metadata" in self.content:
            found["metadata"] = self.content["metadata"]
        return found


@dataclass
class Fault:
    """What happens to calls of a method instead. `kind`: throttle, error, status, hang, redirect, garbage or huge.

    Of two the call is carried out: `lose` closes the connection then, and `keep` never answers.
    """

    method: str
    kind: str
    times: int | None = 1
    value: Any = None


@dataclass
class Call:
    """A call that came."""

    method: str
    arguments: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


class SlackError(Exception):
    """An answer that is not ok."""


class SlackHost:
    """The host. Channels are there when they are asked for by `channel`."""

    def __init__(self) -> None:
        """It serves as a context manager."""
        self.channels: dict[str, list[Message]] = {}
        self.archived: set[str] = set()
        self.tokens = {TOKEN: "B0OURS", OTHER_TOKEN: "B0OTHER"}
        self.calls: list[Call] = []
        self.violations: list[str] = []
        """What was not as Slack describes it."""
        self.late_s = 0.0
        """How long what is created is in no list."""
        self.may_read_threads = True
        """Whether bots may call conversations.replies: Slack says both."""
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._next = 0
        host = self

        class Handler(_Handler):
            slack = host

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> SlackHost:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, also what hangs."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What tests do and look at.

    def channel(self, name: str) -> str:
        """Have a channel. Returns its id."""
        with self._lock:
            self.channels.setdefault(name, [])
        return name

    def fault(self, method: str, kind: str, *, times: int | None = 1, value: Any = None) -> None:
        """Misbehave: for so many calls of a method, or all (`*` is any method)."""
        with self._lock:
            self._faults.append(Fault(method, kind, times, value))

    def clear_faults(self) -> None:
        """Behave again."""
        with self._lock:
            self._faults.clear()

    def messages(self, channel: str) -> list[Message]:
        """List the messages of a channel, without threads, oldest first."""
        with self._lock:
            return [m for m in self.channels[channel] if not m.thread_ts]

    def replies(self, channel: str, ts: str) -> list[Message]:
        """List the replies of a thread, oldest first."""
        with self._lock:
            return [m for m in self.channels[channel] if m.thread_ts == ts]

    def delete(self, channel: str, ts: str) -> None:
        """Remove a message, as a person does."""
        with self._lock:
            self.channels[channel][:] = [m for m in self.channels[channel] if m.ts != ts]

    def say(self, channel: str, text: str, **more: Any) -> str:
        """Post as somebody else. Returns the message's ts."""
        with self._lock:
            return self._post("B0OTHER", {"channel": channel, "text": text, **more})["ts"]

    def calls_of(self, method: str) -> list[Call]:
        """List the calls of a method."""
        with self._lock:
            return [c for c in self.calls if c.method == method]

    # The methods.

    def _post(self, bot: str, sent: dict[str, Any]) -> dict[str, Any]:
        channel = self._known(sent["channel"])
        thread = sent.get("thread_ts", "")
        if thread and not any(m.ts == thread for m in channel):
            raise SlackError("thread_not_found")
        self._next += 1
        ts = f"{int(time.time())}.{self._next:06d}"
        shown = {k: v for k, v in sent.items() if k not in ("channel", "thread_ts")}
        unfurls = sent.get("unfurl_links", True) or sent.get("unfurl_media", True)
        channel.append(Message(ts, bot, shown, thread, time.monotonic() + self.late_s, unfurls=unfurls))
        return {"channel": sent["channel"], "ts": ts, "message": channel[-1].listed(with_metadata=True)}

    def _update(self, bot: str, sent: dict[str, Any]) -> dict[str, Any]:
        found = self._own(bot, sent, "cant_update_message")
        found.content |= {k: v for k, v in sent.items() if k in ("text", "blocks", "metadata")}
        found.edits += 1
        return {"channel": sent["channel"], "ts": found.ts, "text": found.content.get("text", "")}

    def _delete(self, bot: str, sent: dict[str, Any]) -> dict[str, Any]:
        found = self._own(bot, sent, "cant_delete_message")
        self._known(sent["channel"]).remove(found)
        return {"channel": sent["channel"], "ts": found.ts}

    def _own(self, bot: str, sent: dict[str, Any], refusal: str) -> Message:
        found = next((m for m in self._known(sent["channel"]) if m.ts == sent["ts"]), None)
        if found is None:
            raise SlackError("message_not_found")
        if found.bot_id != bot:
            raise SlackError(refusal)
        return found

    def _history(self, _bot: str, asked: dict[str, Any]) -> dict[str, Any]:
        listed = [m for m in reversed(self._known(asked["channel"])) if not m.thread_ts or m.is_broadcast]
        return self._listed(listed, asked)

    def _replies(self, _bot: str, asked: dict[str, Any]) -> dict[str, Any]:
        if not self.may_read_threads:
            raise SlackError("not_allowed_token_type")
        channel = self._known(asked["channel"])
        if not any(m.ts == asked["ts"] for m in channel):
            raise SlackError("thread_not_found")
        return self._listed([m for m in channel if asked["ts"] in (m.ts, m.thread_ts)], asked)

    def _listed(self, found: list[Message], asked: dict[str, Any]) -> dict[str, Any]:
        limit = min(int(asked.get("limit", _PAGE)), MOST_LISTED)
        oldest, begin = float(asked.get("oldest", 0)), int(asked.get("cursor") or 0)
        now = time.monotonic()
        seen = [m for m in found if m.seen_from <= now and float(m.ts) > oldest]
        page = seen[begin : begin + limit]
        more = begin + limit < len(seen)
        with_metadata = asked.get("include_all_metadata") in ("true", "1")
        answer: dict[str, Any] = {"messages": [m.listed(with_metadata=with_metadata) for m in page], "has_more": more}
        return answer | ({"response_metadata": {"next_cursor": str(begin + limit)}} if more else {})

    def _auth(self, bot: str, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": "https://example.slack.com/", "team": "t", "user": "ecs-release", "team_id": "T1", "user_id": "U1", "bot_id": bot}

    def _known(self, channel: str) -> list[Message]:
        if channel not in self.channels:
            raise SlackError("channel_not_found")
        if channel in self.archived:
            raise SlackError("is_archived")
        return self.channels[channel]

    def answer(self, method: str, verb: str, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Carry out a call."""
        with self._lock:
            self.calls.append(Call(method, arguments))
            wrong = problems(method, verb, arguments)
            if wrong:
                self.violations += wrong
                return {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": wrong}}
            if token not in self.tokens:
                return {"ok": False, "error": "invalid_auth"}
            methods: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
                "auth.test": self._auth, "chat.postMessage": self._post, "chat.update": self._update, "chat.delete": self._delete,
                "conversations.history": self._history, "conversations.replies": self._replies,
            }  # fmt: skip
            try:
                return {"ok": True, **methods[method](self.tokens[token], arguments)}
            except SlackError as error:
                return {"ok": False, "error": str(error)}

    def take_fault(self, method: str) -> Fault | None:
        """Return what is to happen to a call instead."""
        with self._lock:
            for fault in self._faults:
                if fault.method in (method, "*") and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def wait(self) -> None:
        """Hang, until the host stops."""
        self._stopping.wait(60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    slack: SlackHost
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._serve("GET", url.path, dict(parse_qsl(url.query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        if body and not kind.startswith("application/json"):
            self.slack.violations.append(f"a body of {kind!r}")
        self._serve("POST", urlsplit(self.path).path, json.loads(body) if body else {})

    def _serve(self, verb: str, path: str, arguments: dict[str, Any]) -> None:
        method = path.removeprefix("/api/")
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or "token" in arguments:
            self.slack.violations.append("the token is no bearer token in the header")
        fault = self.slack.take_fault(method)
        if fault is None:
            self._answer(200, self.slack.answer(method, verb, token, arguments))
        elif fault.kind == "throttle":
            self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(fault.value or 1)})
        elif fault.kind == "error":
            self._answer(200, {"ok": False, "error": fault.value})
        elif fault.kind == "status":
            self._answer(fault.value, None)
        elif fault.kind == "redirect":
            self._answer(302, None, {"Location": fault.value})
        elif fault.kind in ("garbage", "huge"):
            self._raw(b"<html>" if fault.kind == "garbage" else b'"' + b"x" * 8_000_000 + b'"')
        else:
            if fault.kind in ("lose", "keep"):
                self.slack.answer(method, verb, token, arguments)
            if fault.kind != "lose":
                self.slack.wait()
            self.close_connection = True
            self.connection.close()

    def _answer(self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _raw(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def running() -> Iterator[SlackHost]:
    """Serve, for a fixture."""
    with SlackHost() as host:
        yield host
