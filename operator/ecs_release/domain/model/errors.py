"""Errors that carry their consequence.

Every adapter translates what went wrong into one of these; one place (`domain.model.conditions`) turns them into conditions, and the
engine into the time of the next pass. Nothing else decides what is retried.

    Problem
    ├── Waiting      something else must happen first, and nothing is wrong (a Project not applied yet)
    ├── Blocked      somebody must correct something first; checked again at the observation interval
    │   ├── Denied   AWS refused the caller
    │   └── NotSupported  the endpoint has no such operation: an emulator, an older partition
    └── Retryable    a fault that passes by itself: throttling, a server's error, a timeout
        ├── ServerFault  an error of AWS's own
        ├── BrokenAnswer  an answer that cannot be read
        ├── NotLeading  not sent: this process no longer holds the lease, and ends
        └── Ambiguous  as Retryable, after a mutating call: it may have been carried out, so check before repeating it

    Conflict         a write to Kubernetes was based on an old version: gather again
"""

from __future__ import annotations

from ecs_release.api.conditions import Reason


class Problem(Exception):
    """A fault with a reason for conditions and a message that says what to do."""

    def __init__(self, reason: Reason | str, message: str) -> None:
        """`reason` goes to conditions and Events; `message` names the object, what happened and what to do."""
        super().__init__(message)
        self.reason = str(reason)
        self.message = message

    def __eq__(self, other: object) -> bool:
        """Return whether both would be reported the same way."""
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash((type(self), self.reason, self.message))


class Waiting(Problem):
    """Something else must happen first; nothing is wrong."""


class Blocked(Problem):
    """Somebody must correct something first. Shown as Stalled, and checked again at the observation interval."""


class Denied(Blocked):
    """AWS refused the caller."""

    def __init__(self, message: str) -> None:
        """`message` names the action, the identity that was refused, and the policy to look at."""
        super().__init__(Reason.ACCESS_DENIED, message)


class NotSupported(Blocked):
    """The endpoint has no such operation, for any object."""


class Retryable(Problem):
    """A fault that passes by itself. It never fails a Release."""

    def __init__(self, message: str) -> None:
        """`message` names the call that failed and how."""
        super().__init__(Reason.PROGRESSING_WITH_RETRY, message)


class Throttled(Retryable):
    """We were asked to slow down: nothing was carried out."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        """`after_s`: the other side has said after how many seconds it may be asked again; 0 if it has not."""
        super().__init__(message)
        self.after_s = after_s


class ServerFault(Retryable):
    """AWS answered a read with an error of its own (5xx)."""


class BrokenAnswer(Retryable):
    """A read was answered with something that cannot be read: it says nothing about what was asked for."""


class NotLeading(Retryable):
    """A change was not sent, because this process does not hold its lease (any more): the current holder makes it."""


class Ambiguous(Retryable):
    """A mutating call was sent and its response was lost: it may have been carried out. Check before repeating it."""


class Conflict(Exception):
    """A write was based on an old version of the object, or the object was replaced by another one: gather again."""


class NotFound(Exception):
    """The Kubernetes object is gone."""
