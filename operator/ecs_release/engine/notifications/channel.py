"""One Environment's sink of notifications: what waits for it, and catching up from statuses after a restart or an overflow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime

from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.ports.protocols import Aws, Clock, ObjectKey
from ecs_release.engine.notifications.outbox import Outbox
from ecs_release.engine.notifications.past import Past
from ecs_release.engine.sending.sender import Sender

log = logging.getLogger(__name__)

_AT_ONCE = 10
_REFUSALS = 6
"""An object that the API server refuses for a minute is left out: the others wait for it."""
_DEADLINE_S, _BEGIN_AGAIN_S = 120.0, 60.0


class Channel:
    """A backlog, by subject: what is about one object is sent in order; all are, in the order of arrival, while none is refused."""

    def __init__(
        self, environment: str, arn: str, access: Access, aws: Aws, past: Past, clock: Clock, outbox: Outbox, changed: Callable[[], None]
    ) -> None:
        """`outbox` has what an earlier sink of the Environment did not accept. `changed` is called if condition Notifying changes."""
        self.environment, self.arn, self.access, self.outbox = environment, arn, access, outbox
        self._aws = aws
        self._past = past
        self._clock = clock
        self._changed = changed
        self._past_keys: deque[ObjectKey] | None = None
        """The objects that are still to be read while it catches up."""
        self._not_before_s = 0.0
        self.sender: Sender[str] = Sender(arn, self, clock, lambda _: changed(), deadline_s=_DEADLINE_S, refill=self._catch_up)
        self.task = asyncio.create_task(self._keep_sending(), name=f"notifier {environment}")

    @property
    def since_s(self) -> float:
        """See `Backlog`."""
        return self.outbox.since_s

    def next_key(self, is_free: Callable[[str], bool]) -> str | None:
        """See `Backlog`."""
        return self.outbox.next_subject(is_free)

    async def send(self, key: str) -> bool:
        """Send the oldest notifications, beginning with one of this subject."""
        batch = self.outbox.batch(key, self.sender.is_held, _AT_ONCE)
        if batch:
            self.outbox.accepted(batch[: await self._aws.sink(self.access, self.arn).send(batch)])
        return bool(batch)

    async def _catch_up(self) -> bool:
        """Begin, then add (again) what happened since everything was accepted, if there is more than waits here: one object a call."""
        outbox, now_s = self.outbox, self._clock.monotonic()
        if outbox.since is None:
            await self._begin()
            return True
        begins = outbox.overflowed or self._past_keys is None
        if not outbox.behind or (begins and len(outbox) and now_s < self._not_before_s):
            return False
        since = to_time(outbox.since)
        if begins:
            # If what fills the outbox is refused, statuses are not read again and again.
            outbox.overflowed, self._not_before_s = False, now_s + _BEGIN_AGAIN_S
            self._past_keys = deque(self._past.keys_since(self.environment, since))
            self.sender.forget_all()
        if self._past_keys:
            # Only then is it done with: whoever is cancelled here reads it again.
            body = await self._past.read(key := self._past_keys[0], _REFUSALS)
            self._past_keys.popleft()
            outbox.add(self._past.notifications_since(key, body, since) if body else (), self._clock.monotonic())
        else:
            outbox.behind, self._past_keys = False, None
            log.info("told again what happened since %s", since, extra={"environment": self.environment})
        return True

    async def _begin(self) -> None:
        """Read until when the sink has accepted everything. For a new sink that is now: the past is not sent."""
        body = await self._past.read(ObjectKey(ENVIRONMENT, "", self.environment))
        time = ((body or {}).get("status") or {}).get("notifiedTime")
        self.outbox.begin(datetime.fromisoformat(time) if time else self._clock.now(), behind=bool(time))
        self._changed()

    async def _keep_sending(self) -> None:
        """Send until cancelled; after a defect of ours, log it and begin again."""
        while True:
            try:
                await self.sender.run()
            except Exception:
                log.exception("notifying stopped; it begins again", extra={"environment": self.environment})
            await asyncio.sleep(_BEGIN_AGAIN_S)
