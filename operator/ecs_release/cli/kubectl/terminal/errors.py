"""Errors of commands: the message is all that the user sees."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with `error: <message>` on stderr and an exit code. The message is one line that says what to do."""

    def __init__(self, message: str, code: int = 1) -> None:
        """`code` is the exit code."""
        super().__init__(" ".join(message.split()))
        self.code = code


class NotFound(CommandError):
    """The object does not exist (404)."""


class Denied(CommandError):
    """The API server, or AWS, denies access (401, 403)."""


class Conflict(CommandError):
    """Somebody else has changed the object, or owns the field (409)."""


class Gone(CommandError):
    """The resourceVersion has expired: list again (410)."""


class Unreachable(CommandError):
    """No answer, or a temporary error: the same request may work in a moment."""
