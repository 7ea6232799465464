"""A bot's connection to Slack: messages and replies in threads, created, found again by their metadata, edited and removed.

Plain requests instead of Slack's SDK: six methods, each of which needs a bound on what it reads, no redirects and no retries of its own.
Facts are of docs.slack.dev: the pages of the methods, "Message metadata", "Rate limits".
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from ecs_release.domain.model.errors import Ambiguous, Denied, Problem, Retryable, Throttled
from ecs_release.domain.ports.protocols import Fence
from ecs_release.domain.ports.views import LEFT, Created, Part, Place
from ecs_release.outbound.connections import ConfigError, SlackConnection, read_secret
from ecs_release.outbound.session import Answer, Session, UnreachableError
from ecs_release.slack.answers import STALE_TOKEN, SlackDenial, SlackRefusal, problem_of
from ecs_release.slack.limits import Limits

log = logging.getLogger(__name__)

EVENT_TYPE = "ecs_release_view"
_KEY = "key"
_SKEW_S = 600
"""How far our clock may be behind Slack's."""
_PAGE, _MOST_PAGES = 200, 25
_NAMESPACE = uuid.UUID("6f0f3b0e-6b0e-4c39-9f0a-7f9f4c8d1f57")
"""Of client_msg_id: a made-up one, so that ids are the same in all versions."""
_THREADS_CLOSED = frozenset({"not_allowed_token_type", "no_permission"})
_GONE = frozenset({"message_not_found", "thread_not_found"})
_LEFT = _GONE | {"edit_window_closed", "cant_update_message"}
"""What nobody may edit any more, or what another bot has posted, whose place ours has taken."""
_CLOSED = frozenset({"thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked"})
"""The message that a thread is below was deleted, or its thread is locked."""


def connect(connection: SlackConnection, session: Session, fence: Fence | None, operators: int = 1) -> SlackSink:
    """Return a connection, which so many operators have. No call."""
    return SlackSink(connection, session, fence, Limits(operators=operators))


class SlackSink:
    """See `ViewSink`."""

    def __init__(self, connection: SlackConnection, session: Session, fence: Fence | None, limits: Limits | None = None) -> None:
        """`fence` keeps a process that is not the leader from changing anything."""
        self._connection = connection
        self._session = session
        self._fence = fence
        self._limits = limits or Limits()
        self._token = ""
        self._bot_id = ""

    @property
    def site(self) -> str:
        """Empty: there are no repositories."""
        return ""

    @property
    def hourly(self) -> int:
        """None: Slack's limits are of a minute."""
        return 0

    @property
    def spent(self) -> int:
        """See `hourly`."""
        return 0

    def ready_in_s(self) -> float:
        """See `ViewSink`."""
        return self._limits.ready_in_s()

    async def close(self) -> None:
        """See `ViewSink`."""
        await self._session.close()

    async def find(self, place: Place, part: Part) -> list[str]:
        """See `ViewSink`. Of a channel the latest 5,000 messages since the deployment set began are looked through."""
        listed = [m async for m in self._listed(place, part) if _key_of(m) == part.key and m.get("ts")]
        # Asked afterwards: the token may have been replaced meanwhile.
        mine = await self._own_id() if listed else ""
        return sorted(dict.fromkeys(str(m["ts"]) for m in listed if m.get("bot_id") == mine), key=_order)

    async def create(self, place: Place, part: Part) -> Created:
        """See `ViewSink`."""
        body = {
            **_shown(part),
            "channel": place.address,
            # Slack's own clients send one; it is said to drop a double, and nothing here relies on that.
            "client_msg_id": str(uuid.uuid5(_NAMESPACE, part.key)),
            "unfurl_links": False,
            "unfurl_media": False,
            "mrkdwn": False,
        }
        if place.below:
            body |= {"thread_ts": place.below, "reply_broadcast": bool(part.content["broadcast"])}
        try:
            answer = await self._change("chat.postMessage", body, place)
        except SlackRefusal as refusal:
            if not place.below or refusal.code not in _CLOSED:
                raise
            log.debug("nothing is said below %s of %s: %s", place.below, place.address, refusal.code)
            return Created(LEFT)
        receipt = answer.get("ts")
        if not isinstance(receipt, str) or not receipt:
            raise Ambiguous(f"{self._session.host} took chat.postMessage in {place.address}, and did not say what it has made of it")
        return Created(receipt)

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        """See `ViewSink`."""
        if receipt == LEFT:
            return
        try:
            await self._change("chat.update", {**_shown(part), "channel": place.address, "ts": receipt}, place)
        except SlackRefusal as refusal:
            if refusal.code not in _LEFT:
                raise
            log.debug("%s of %s is left as it is: %s", receipt, place.address, refusal.code)

    async def remove(self, place: Place, receipt: str, part: Part) -> None:
        """See `ViewSink`."""
        del part
        try:
            await self._change("chat.delete", {"channel": place.address, "ts": receipt}, place)
        except SlackRefusal as refusal:
            if refusal.code not in _GONE:
                raise

    async def _listed(self, place: Place, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the messages among which the part is, if it is there."""
        method = "conversations.replies" if place.below else "conversations.history"
        query = {
            "channel": place.address,
            "include_all_metadata": "true",
            "oldest": str(max(0, int(part.content["since"]) - _SKEW_S)),
            "limit": str(_PAGE),
            **({"ts": place.below} if place.below else {}),
        }
        for _ in range(_MOST_PAGES):
            try:
                answer = await self._read(method, query, place)
            except (SlackRefusal, SlackDenial) as refusal:
                if place.below and refusal.code in _THREADS_CLOSED | _GONE:
                    # Slack says of bots both that they may read threads and that they may not: at worst a reply is there twice.
                    return
                raise
            for message in answer.get("messages") or ():
                if isinstance(message, Mapping):
                    yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not answer.get("has_more") or not isinstance(cursor, str) or not cursor:
                return
            query["cursor"] = cursor

    async def _own_id(self) -> str:
        """Return the id of our bot: others' apps can read our metadata, and might copy it."""
        if not self._bot_id:
            answer = await self._call("auth.test", "POST", "auth.test", body={})
            self._bot_id = str(answer.get("bot_id") or answer.get("user_id") or "")
        return self._bot_id

    async def _change(self, method: str, body: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        if self._fence is not None:
            self._fence.check(f"{method} in {place.address}")
        self._limits.spend(method)
        return await self._call(method, "POST", f"{method} in {place.address}", body=body)

    async def _read(self, method: str, query: Mapping[str, str], place: Place) -> Mapping[str, Any]:
        return await self._call(method, "GET", f"{method} of {place.address}", query=query)

    async def _call(
        self, method: str, verb: str, what: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Make a call, with a token that is read anew if Slack refuses it. Raises Problem."""
        for is_first in (True, False):
            token = self._current_token(anew=not is_first)
            answer = await self._ask(method, verb, what, token, body, query)
            code = _code_of(answer)
            if is_first and code in STALE_TOKEN and self._differs(token):
                continue
            if code is None:
                return answer.body  # type: ignore[no-any-return] # an object, or it had no code
            problem = problem_of(answer, code, what, self._session.host, is_change=verb == "POST" and method != "auth.test")
            if isinstance(problem, Throttled):
                self._limits.close(problem.after_s)
            raise problem
        raise AssertionError("the second answer is returned or raised")

    async def _ask(
        self, method: str, verb: str, what: str, token: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None
    ) -> Answer:
        try:
            return await self._session.request(
                verb, f"/{method}", headers={"Authorization": f"Bearer {token}"}, query=query, body=dict(body) if body is not None else None
            )  # fmt: skip
        except UnreachableError as error:
            kind: Callable[[str], Problem] = Ambiguous if error.was_sent and verb == "POST" else Retryable
            raise kind(f"{what}: {error}") from error

    def _current_token(self, *, anew: bool) -> str:
        if anew or not self._token:
            before = self._token
            try:
                self._token = read_secret(self._connection.token_file)
            except ConfigError as error:
                raise Denied(str(error)) from error
            if self._token != before:
                # It may be another bot's.
                self._bot_id = ""
        return self._token

    def _differs(self, token: str) -> bool:
        """Return whether the file has another token by now."""
        try:
            return read_secret(self._connection.token_file) != token
        except ConfigError:
            return False


def _shown(part: Part) -> dict[str, Any]:
    """Return what a message shows and is found by. `parse` and `link_names` keep Slack from making links or mentions of `text`."""
    return {
        "text": part.content["text"],
        "blocks": part.content["blocks"],
        "metadata": {"event_type": EVENT_TYPE, "event_payload": {_KEY: part.key}},
        "parse": "none",
        "link_names": False,
    }


def _key_of(message: Mapping[str, Any]) -> str:
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != EVENT_TYPE:
        return ""
    payload = metadata.get("event_payload")
    return str(payload.get(_KEY, "")) if isinstance(payload, Mapping) else ""


def _order(ts: str) -> tuple[int, int]:
    seconds, _, number = ts.partition(".")
    return (int(seconds) if seconds.isdigit() else 0, int(number) if number.isdigit() else 0)


def _code_of(answer: Answer) -> str | None:
    """Return the code of Slack's refusal, empty if there is none; None if the call was carried out."""
    if answer.status == 200 and isinstance(answer.body, Mapping):
        return None if answer.body.get("ok") is True else str(answer.body.get("error") or "")
    return str(answer.body.get("error") or "") if isinstance(answer.body, Mapping) else ""
