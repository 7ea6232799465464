"""The port `domain.ports.commits.Commits`: asks the commits service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from ecs_release.api.conditions import Reason
from ecs_release.commits import answers
from ecs_release.domain.model.errors import Blocked, Retryable
from ecs_release.domain.ports.commits import CommitRange, FullHash, Membership, Relation, Repository, Unknown

T = TypeVar("T")

# The service waits 15 s for a fetch, and git may take 20 s twice (limits of its configuration): it answers before.
_DEADLINE_S = 60.0
_CONNECT_S = 5.0
_BODY_BYTES = 1024 * 1024
_TOKEN_BYTES = 4096
# Three a repository at most (engine.artifacts.commit_graph, commit_spans): many may hang.
_CONNECTIONS = 160
_UNAUTHORIZED = 401


class HttpCommits:
    """The commits service at an address. One for each process."""

    def __init__(self, address: str, token_file: Path, deadline_s: float = _DEADLINE_S) -> None:
        """`address` is `http://HOST:PORT`; the token's file is read when it is needed, and again if the service refuses the token."""
        self._address = address.rstrip("/")
        self._token_file = token_file
        self._timeout = aiohttp.ClientTimeout(total=deadline_s, sock_connect=min(_CONNECT_S, deadline_s))
        self._token = ""
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def relation(self, repository: Repository, a: str, b: str) -> Relation | Unknown:
        """Return how A stands to B."""
        return await self._ask("relation", repository, answers.relation, a=a, b=b)

    async def membership(self, repository: Repository, a: str, max_age_s: float) -> Membership | Unknown:
        """Return whether A is on the branch."""
        return await self._ask("membership", repository, answers.membership, a=a, maxAgeSeconds=max_age_s)

    async def between(self, repository: Repository, a: str, b: str) -> CommitRange | Unknown:
        """Return the commits that B has and A has not."""
        return await self._ask("between", repository, answers.commit_range, a=a, b=b)

    async def full_hash(self, repository: Repository, abbreviated: str, max_age_s: float) -> FullHash | Unknown:
        """Return the full hash of an abbreviated one."""

        def parse(body: Any) -> FullHash:
            return answers.full_hash(body, abbreviated)

        return await self._ask("full-hash", repository, parse, abbreviated=abbreviated, maxAgeSeconds=max_age_s)

    async def _ask(self, question: str, repository: Repository, parse: Callable[[Any], T], **arguments: Any) -> T | Unknown:
        """Ask a question. Raises Retryable if there is no answer, or a malformed one, and Blocked if the token is refused."""
        asked = {"namespace": repository.namespace, "url": repository.url, "branch": repository.branch, **arguments}
        status, body = await self._post(question, asked)
        if status == _UNAUTHORIZED:
            # It may have been rotated.
            self._token = ""
            status, body = await self._post(question, asked)
        if status == _UNAUTHORIZED:
            said = f"the commits service at {self._address} refuses the token of {self._token_file}: mount the same on both sides"
            raise Blocked(Reason.ACCESS_DENIED, said)
        if status != 200:
            raise Retryable(f"the commits service at {self._address} answered {question} with status {status}: see its log")
        try:
            answer = json.loads(body)
            return answers.unknown(answer) or parse(answer)
        except (ValueError, RecursionError) as error:
            what = error if isinstance(error, answers.MalformedError) else "it is no JSON"
            raise Retryable(f"the commits service at {self._address} gave a malformed answer to {question}: {what}") from error

    async def _post(self, question: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Send a question. Returns the status, and the body if that is 200."""
        if not self._token:
            self._token = await asyncio.to_thread(_read, self._token_file)
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=connector, auto_decompress=False)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._session.post(
                f"{self._address}/v1/{question}", json=asked, headers=headers, allow_redirects=False
            ) as response:  # fmt: skip
                return response.status, await self._body(question, response) if response.status == 200 else b""
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise Retryable(f"the commits service at {self._address} did not answer {question}: {said}") from error

    async def _body(self, question: str, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for chunk in response.content.iter_chunked(64 * 1024):
            size += len(chunk)
            if size > _BODY_BYTES:
                raise Retryable(f"the commits service at {self._address} gave a malformed answer to {question}: it is too large")
            parts.append(chunk)
        return b"".join(parts)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            token = file.read(_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", "") or "it is no ASCII"
        raise Blocked(Reason.ACCESS_DENIED, f"cannot read the commits service's token from {path}: {said}") from error
    if not token or not token.isprintable():
        raise Blocked(Reason.ACCESS_DENIED, f"the commits service's token in {path} is empty, or more than one line")
    return token
