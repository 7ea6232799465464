"""Requests to GitHub: with a token, within its limits, and with its answers as Problems."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Fence
from ecs_release.github.answers import message, throttled
from ecs_release.github.credentials import API, Credentials
from ecs_release.github.limits import ContentLimits
from ecs_release.outbound.session import Answer, Session, UnreachableError

_PAGE = 100
_LOCKED = "issue is locked"
"""Of "Unable to create comment because issue is locked": a pull request is an issue, too."""


class MissingError(Exception):
    """What was asked about is not there."""


class LockedError(MissingError):
    """People have locked the conversation: what is there stays, and nothing is added."""


class Client:
    """Requests to one GitHub with one identity."""

    def __init__(self, session: Session, credentials: Credentials, fence: Fence | None, operators: int = 1) -> None:
        """`fence` is asked before whatever changes something; `operators` have the same identity."""
        self._session = session
        self._credentials = credentials
        self._fence = fence
        self.limits = ContentLimits(operators)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def token(self) -> str:
        """Return the token that requests are made with now. Raises Denied if there is none, and Retryable."""
        return await self._credentials.token()

    def ready_in_s(self) -> float:
        """Return in how many seconds the limits allow to change something."""
        return self.limits.ready_in_s(time.monotonic())

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Read something. Raises MissingError and Problem."""
        return await self._request("GET", path, query, None, changes="")

    async def listed(self, path: str, query: Mapping[str, str], pages: int, what: str) -> AsyncIterator[Any]:
        """Yield what at most so many pages list, `what` for people. Raises Problem: Blocked if the repository is not there."""
        for page in range(1, pages + 1):
            try:
                found = await self.get(path, {**query, "per_page": str(_PAGE), "page": str(page)})
            except MissingError as error:
                raise rejected(error) from error
            if not isinstance(found, list):
                raise malformed(f"a list of {what} is expected")
            for one in found:
                yield one
            if len(found) < _PAGE:
                return

    async def change(self, method: str, path: str, body: Any, *, what: str, creates: bool = False) -> Any:
        """Change something, `what` for people. Raises MissingError, and Problem: Ambiguous if a creation may have been carried out."""
        if self._fence is not None:
            self._fence.check(what)
        self.limits.note(time.monotonic())
        return await self._request(method, path, None, body, changes="creates" if creates else "changes")

    async def _request(self, method: str, path: str, query: Mapping[str, str] | None, body: Any, *, changes: str) -> Any:
        in_doubt = Ambiguous if changes == "creates" else Retryable
        for attempt in (1, 2):
            headers = {**API, "Authorization": f"Bearer {await self._credentials.token()}"}
            try:
                answer = await self._session.request(method, path, headers=headers, query=query, body=body)
            except UnreachableError as error:
                raise (in_doubt if error.was_sent else Retryable)(str(error)) from error
            if answer.status == 401 and attempt == 1:
                # It may have been rotated, or revoked before its end.
                self._credentials.refused()
                continue
            break
        if answer.status >= 500:
            raise in_doubt(f"{self._session.host} answered {method} {path} with status {answer.status}")
        if answer.status in (404, 410):
            raise MissingError(f"{self._session.host} has no {path}{message(answer)}")
        if answer.status == 403 and _LOCKED in message(answer).lower():
            raise LockedError(f"{self._session.host} answered {method} {path}{message(answer)}")
        if answer.status >= 300:
            raise _problem(answer, f"{self._session.host} answered {method} {path} with status {answer.status}{message(answer)}")
        return answer.body


def rejected(error: Exception) -> Blocked:
    """Return what a missing repository means."""
    return Blocked(Reason.REJECTED_BY_SINK, f"{error}: check its name, and that the credentials reach it")


def malformed(what: str) -> Retryable:
    """Return what an answer of another form means."""
    return Retryable(f"GitHub gave a malformed answer: {what}")


def _problem(answer: Answer, said: str) -> Problem:
    if answer.status == 401:
        return Denied(f"{said}: the credentials are refused")
    if (wait := throttled(answer, said)) is not None:
        return wait
    if answer.status < 400:
        return Blocked(Reason.REJECTED_BY_SINK, f"{said}: the repository has moved; correct git.url of the Project")
    return Blocked(Reason.REJECTED_BY_SINK, said)
