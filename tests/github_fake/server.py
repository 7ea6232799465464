"""The server. Its state is what tests look at; faults are set by tests while it runs."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.github_fake.description import description, faults_of_answer, faults_of_request

APP_ID, INSTALLATION = 4711, 81
_WHEN, _AT = "2026-01-01T00:00:00Z", "https://github.com/acme"
_URLS = (
    "avatar",
    "events",
    "followers",
    "following",
    "gists",
    "html",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
)
_OWNER = {
    **{f"{name}_url": _AT for name in _URLS},
    "id": 1, "node_id": "O_1", "login": "acme", "type": "Organization", "url": _AT, "gravatar_id": "", "site_admin": False,
}  # fmt: skip
APP = {
    "id": APP_ID, "slug": "ecs-release", "node_id": "A_1", "owner": _OWNER, "name": "ecs-release", "description": None, "events": [],
    "external_url": _AT, "html_url": _AT, "created_at": _WHEN, "updated_at": _WHEN, "permissions": {},
}  # fmt: skip

BOT = {**_OWNER, "id": 99, "node_id": "B_1", "login": "ecs-release[bot]", "type": "Bot"}


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that match. Kinds: status, hang, lose (it is carried out, and the answer lost)."""

    kind: str
    method: str = ""
    path: str = ""
    times: int | None = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Server Error"

    def takes(self, method: str, path: str) -> bool:
        if self.times == 0 or (self.method and self.method != method) or (self.path and not re.search(self.path, path)):
            return False
        self.times = None if self.times is None else self.times - 1
        return True


@dataclass
class Repository:
    """A repository: commits that it has, pull requests by the commits that they brought, and what was made here."""

    commits: set[str] = field(default_factory=set)
    pulls: dict[str, list[int]] = field(default_factory=dict)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def states(self) -> list[tuple[str, list[str]]]:
        """Commit of each Deployment, and its states in order."""
        return [(one["sha"], [s["state"] for s in self.statuses[number]]) for number, one in sorted(self.deployments.items())]

    def comment(self, body: str, issue: int, number: int = 0) -> None:
        """Add a comment, of somebody else's unless it is said that it is the App's."""
        number = number or -1 - len(self.comments)
        base = "https://api.github.com/repos/x/y/issues"
        self.comments[number] = {
            "id": number, "node_id": "IC_1", "url": f"{base}/comments/{number}", "html_url": f"{base}/{issue}#{number}", "body": body,
            "user": None, "created_at": _now(), "updated_at": _now(), "issue_url": f"{base}/{issue}", "author_association": "NONE",
            "performed_via_github_app": None,
        }  # fmt: skip


class GitHubFake:
    """One GitHub with one App. `late_s`: what was created is listed only after so long. `checks`: by GitHub's own description."""

    def __init__(self, *, checks: bool = True) -> None:
        self._checks = checks
        self.repositories: dict[str, Repository] = defaultdict(Repository)
        self.calls: list[tuple[float, str, str, int]] = []
        self.wrong: list[str] = []
        """What was sent, or answered, that the description does not have."""
        self.faults: list[Fault] = []
        self.late_s = 0.0
        self.names_app = True
        """Whether what was made names the App, or only its bot as the author."""
        self.token_s = 3600.0
        self.tokens: dict[str, datetime] = {}
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""
        self._ids = itertools.count(100)
        self._made: dict[int, float] = {}
        self._lock = threading.Lock()

    def pem(self) -> str:
        """The App's private key."""
        form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        return self.private_key.private_bytes(serialization.Encoding.PEM, form, plain).decode()

    def fault(self, kind: str, **more: Any) -> Fault:
        """Have something go wrong."""
        self.faults.append(Fault(kind, **more))
        return self.faults[-1]

    def content_calls(self) -> list[tuple[float, str, str, int]]:
        """The requests that change something, but for tokens."""
        return [c for c in self.calls if c[1] != "GET" and "access_tokens" not in c[2]]

    @contextmanager
    def running(self) -> Iterator[GitHubFake]:
        """Serve on a free port, in a thread."""
        loop, started = asyncio.new_event_loop(), threading.Event()
        runner_of: list[web.AppRunner] = []

        async def start() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
            runner_of.append(runner)
            started.set()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(start())
            loop.run_forever()

        if self._checks:
            # Fetched by the first one that runs: no request should wait for that.
            description()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert started.wait(60)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end(runner_of[0]), loop).result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    def connection(self, folder: Path, name: str = "main", site: str = "github.com") -> str:
        """Write the App's key, and return the connection as YAML; `site` is the host of the repositories' URLs."""
        key = folder / f"{name}.pem"
        key.write_text(self.pem())
        return (
            f"- name: {name}\n  url: {self.url}\n  site: {site}\n"
            f"  app: {{id: {APP_ID}, installationID: {INSTALLATION}, privateKeyFile: {key}}}\n"
        )

    # Answers.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method, path, body = request.method, request.path, await request.read()
        self.wrong += faults_of_request(method, path, request.query_string, body) if self._checks else []
        fault = next((f for f in self.faults if f.takes(method, path)), None)
        if fault is not None and fault.kind == "hang":
            self.calls.append((time.monotonic(), method, path, 0))
            await asyncio.sleep(3600)
        if fault is not None and fault.kind == "status":
            self.calls.append((time.monotonic(), method, path, fault.status))
            return web.json_response({"message": fault.message}, status=fault.status, headers=fault.headers)
        status, answer = self._answer(request, json.loads(body) if body else {})
        self.calls.append((time.monotonic(), method, path, status))
        self.wrong += faults_of_answer(method, path, status, answer) if self._checks else []
        if fault is not None and fault.kind == "lose":
            assert request.transport is not None
            request.transport.close()
        return web.json_response(answer, status=status) if status != 204 else web.Response(status=204)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        method, path = request.method, request.path
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if path == f"/app/installations/{INSTALLATION}/access_tokens":
            return self._token(token)
        if path == "/app":
            return self._refusal(token) or (200, APP)
        if self.tokens.get(token, datetime.min.replace(tzinfo=UTC)) < datetime.now(UTC):
            return 401, {"message": "Bad credentials"}
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)/(.*)", path)
        if found is None or found[1] not in self.repositories:
            return 404, {"message": "Not Found"}
        repository = self.repositories[found[1]]
        routes: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
            ("GET", r"commits/([^/]+)", self._commit),
            ("GET", r"commits/([^/]+)/pulls", self._pulls),
            ("GET", r"deployments", self._deployments),
            ("POST", r"deployments", self._deploy),
            ("DELETE", r"deployments/(\d+)", self._delete),
            ("GET", r"deployments/(\d+)/statuses", self._statuses),
            ("POST", r"deployments/(\d+)/statuses", self._status),
            ("GET", r"issues/(\d+)/comments", self._comments),
            ("POST", r"issues/(\d+)/comments", self._comment),
            ("GET", r"issues/comments/(\d+)", self._read),
            ("PATCH", r"issues/comments/(\d+)", self._edit),
            ("DELETE", r"issues/comments/(\d+)", self._uncomment),
            ("POST", r"issues/(\d+)/labels", self._label),
        ]
        for its_method, pattern, answer in routes:
            match = re.fullmatch(pattern, found[2])
            if method == its_method and match is not None:
                with self._lock:
                    return answer(repository, request, body, *match.groups())
        return 404, {"message": "Not Found"}

    def _token(self, signed: str) -> tuple[int, Any]:
        refusal = self._refusal(signed)
        if refusal is not None:
            return refusal
        token, ends = f"ghs_{next(self._ids)}", datetime.now(UTC) + timedelta(seconds=self.token_s)
        self.tokens[token] = ends
        return 201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _refusal(self, signed: str) -> tuple[int, Any] | None:
        """Refuse a request that is not signed as the App."""
        head, claims, signature = signed.split(".")
        said = json.loads(_decoded(claims))
        try:
            self.private_key.public_key().verify(
                _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )  # fmt: skip
        except Exception:
            return 401, {"message": "A JSON web token could not be decoded"}
        now = time.time()
        if (
            json.loads(_decoded(head))["alg"] != "RS256"
            or said["iss"] != str(APP_ID)
            or not now < said["exp"] <= now + 600
            or said["iat"] > now
        ):
            return 401, {"message": "'Expiration time' claim ('exp') is too far in the future"}
        return None

    def _author(self, name: str) -> dict[str, Any]:
        """Who has made something, as a list says; `name` is the author's field."""
        return {name: BOT, "performed_via_github_app": APP if self.names_app else None}

    def _listed(self, items: list[dict[str, Any]], request: web.Request) -> list[dict[str, Any]]:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        visible = [one for one in items if self._made.get(one["id"], 0) + self.late_s <= time.monotonic()]
        return visible[(page - 1) * size : page * size]

    def _new(self) -> int:
        number = next(self._ids)
        self._made[number] = time.monotonic()
        return number

    def _commit(self, repository: Repository, request: web.Request, _: Any, ref: str) -> tuple[int, Any]:
        found = [c for c in repository.commits if c.startswith(ref)]
        if len(found) != 1:
            return 422, {"message": f"No commit found for SHA: {ref}"}
        return 200, _commit_object(found[0])

    def _pulls(self, repository: Repository, request: web.Request, _: Any, sha: str) -> tuple[int, Any]:
        if sha not in repository.commits:
            return 422, {"message": f"No commit found for SHA: {sha}"}
        return 200, [{"number": n, "state": "closed", "merged_at": "2026-01-01T00:00:00Z"} for n in repository.pulls.get(sha, ())]

    def _deployments(self, repository: Repository, request: web.Request, _: Any) -> tuple[int, Any]:
        wanted = {k: v for k, v in request.query.items() if k in ("environment", "sha", "ref", "task")}
        found = [d for _, d in sorted(repository.deployments.items(), reverse=True) if all(d[k] == v for k, v in wanted.items())]
        return 200, self._listed(found, request)

    def _deploy(self, repository: Repository, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        if body["ref"] not in repository.commits:
            return 422, {"message": f"No ref found for: {body['ref']}"}
        if body.get("auto_merge", True) or body.get("required_contexts") != []:
            return 409, {"message": "Conflict: Commit status checks failed for the ref."}
        number = self._new()
        url = f"{self.url}{request.path}/{number}"
        repository.deployments[number] = {
            "id": number, "node_id": f"DE_{number}", "sha": body["ref"], "ref": body["ref"], "task": body.get("task", "deploy"),
            "payload": body.get("payload", ""), "environment": body.get("environment", "production"), "description": body.get("description"),
            "creator": None, "created_at": _now(), "updated_at": _now(), "url": url, "statuses_url": f"{url}/statuses",
            "repository_url": url.partition("/deployments")[0], "performed_via_github_app": None,
        }  # fmt: skip
        answer = dict(repository.deployments[number])
        repository.deployments[number] |= self._author("creator")
        return 201, answer

    def _delete(self, repository: Repository, request: web.Request, _: Any, number: str) -> tuple[int, Any]:
        if int(number) not in repository.deployments:
            return 404, {"message": "Not Found"}
        last = repository.statuses[int(number)][-1:]
        if len(repository.deployments) > 1 and [s["state"] for s in last] != ["inactive"]:
            return 422, {"message": "We cannot delete an active deployment unless it is the only deployment in a given environment."}
        del repository.deployments[int(number)]
        return 204, None

    def _statuses(self, repository: Repository, request: web.Request, _: Any, number: str) -> tuple[int, Any]:
        if int(number) not in repository.deployments:
            return 404, {"message": "Not Found"}
        return 200, repository.statuses[int(number)][::-1][: int(request.query.get("per_page", 30))]

    def _status(self, repository: Repository, request: web.Request, body: dict[str, Any], number: str) -> tuple[int, Any]:
        its = repository.deployments.get(int(number))
        if its is None:
            return 404, {"message": "Not Found"}
        if len(body.get("description", "")) > 140:
            return 422, {"message": "Description is too long (maximum is 140 characters)"}
        if body.get("auto_inactive", True) and body["state"] == "success":
            for other, one in repository.deployments.items():
                if other != int(number) and one["environment"] == its["environment"]:
                    repository.statuses[other].append({**repository.statuses[other][-1], "state": "inactive"})
        status = {
            "id": self._new(), "node_id": "DS_1", "state": body["state"], "description": body.get("description", ""),
            "log_url": body.get("log_url", ""), "target_url": body.get("log_url", ""), "environment": its["environment"], "creator": None,
            "created_at": _now(), "updated_at": _now(), "url": its["statuses_url"] + "/1", "deployment_url": its["url"],
            "repository_url": its["repository_url"], "environment_url": "",
        }  # fmt: skip
        repository.statuses[int(number)].append(status)
        return 201, status

    def _comments(self, repository: Repository, request: web.Request, _: Any, issue: str) -> tuple[int, Any]:
        return 200, self._listed([c for c in repository.comments.values() if c["issue_url"].endswith(f"/{issue}")], request)

    def _comment(self, repository: Repository, request: web.Request, body: dict[str, Any], issue: str) -> tuple[int, Any]:
        if len(body["body"]) > 65536:
            return 422, {"message": "Body is too long (maximum is 65536 characters)"}
        number = self._new()
        repository.comment(body["body"], int(issue), number)
        answer = dict(repository.comments[number])
        repository.comments[number] |= self._author("user")
        return 201, answer

    def _read(self, repository: Repository, request: web.Request, _: Any, number: str) -> tuple[int, Any]:
        found = repository.comments.get(int(number))
        return (200, found) if found is not None else (404, {"message": "Not Found"})

    def _edit(self, repository: Repository, request: web.Request, body: dict[str, Any], number: str) -> tuple[int, Any]:
        if int(number) not in repository.comments:
            return 404, {"message": "Not Found"}
        repository.comments[int(number)]["body"] = body["body"]
        return 200, {**repository.comments[int(number)], "performed_via_github_app": None}

    def _uncomment(self, repository: Repository, request: web.Request, _: Any, number: str) -> tuple[int, Any]:
        return (204, None) if repository.comments.pop(int(number), None) else (404, {"message": "Not Found"})

    def _label(self, repository: Repository, request: web.Request, body: dict[str, Any], issue: str) -> tuple[int, Any]:
        its = repository.labels[int(issue)]
        its += [label for label in body["labels"] if label not in its]
        url = self.url + request.path
        return 200, [
            {"id": i, "node_id": "LA_1", "url": url, "name": n, "color": "ededed", "default": False, "description": None}
            for i, n in enumerate(its)
        ]


async def _end(runner: web.AppRunner) -> None:
    await runner.cleanup()
    # Those that hang.
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _commit_object(sha: str) -> dict[str, Any]:
    return {"sha": sha}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
