"""The one clock of the engine: the machine's, corrected to AWS's.

Times that ECS and ECR report are compared with it, and those that another replica has written into status. A machine's own clock may be
off by minutes, and another replica's by other minutes.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from ecs_release.domain.ports.protocols import Clock

log = logging.getLogger(__name__)

_PRECISION = timedelta(seconds=1)
"""Of the header Date (RFC 9110, 5.6.7), which leaves the fraction of a second out."""
_WORTH_A_LINE = timedelta(seconds=10)


class AwsClock:
    """The port `Clock`. It is the machine's clock until AWS has answered for the first time, and whenever the two agree."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is the machine's."""
        self._clock = clock
        self._correction = timedelta()

    def now(self) -> datetime:
        """Return AWS's time, with an error of at most the duration of a call and a second."""
        return self._clock.now() + self._correction

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    def told(self, aws_time: datetime, elapsed_s: float) -> None:
        """Take in the Date of a response that has come just now, `elapsed_s` after its request: AWS has written it in between.

        The clock is moved no further than into that span, so that it does not jump from one response to the next.
        """
        now, latest = self.now(), aws_time + _PRECISION + timedelta(seconds=elapsed_s)
        wrong = min(now - aws_time, timedelta()) or max(now - latest, timedelta())
        self._correction -= wrong
        if abs(wrong) >= _WORTH_A_LINE:
            way = "ahead of" if wrong > timedelta() else "behind"
            log.warning("the machine's clock is %.0f s %s AWS's, which is used instead", abs(self._correction.total_seconds()), way)
