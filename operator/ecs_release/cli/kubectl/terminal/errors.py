"""What goes wrong: errors whose message is all that a person sees."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command: `error: <message>` on stderr, and the exit code. The message is one line, and says what to do."""

    def __init__(self, message: str, code: int = 1) -> None:
        """`code` is the exit code."""
        super().__init__(" ".join(message.split()))
        self.code = code


class NotFound(CommandError):
    """The API server knows no such object."""


class Denied(CommandError):
    """The API server, or AWS, refuses the caller."""


class Conflict(CommandError):
    """Somebody else has changed it, or owns what is to be changed."""


class Gone(CommandError):
    """What was read is too old to go on from: read anew (410)."""


class Unreachable(CommandError):
    """No answer, or one that passes by itself: the same may work in a moment."""
