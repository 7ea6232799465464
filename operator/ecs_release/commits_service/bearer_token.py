"""The token that requests carry, from a file that may be rotated."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from pathlib import Path

log = logging.getLogger(__name__)

_SHORTEST, _MOST_BYTES = 16, 4096
_INTERVAL_S = 5.0


class TokenError(Exception):
    """The token's file cannot be used; the message says why."""


class Token:
    """The token of a file, read anew every few seconds."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises TokenError."""
        self._path = path
        self._token = _read(path)

    def fits(self, authorization: str) -> bool:
        """Compare the value of a header Authorization with the token, in a time that tells nothing of where they differ."""
        scheme, _, value = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(value.strip().encode(errors="replace"), self._token)

    async def follow(self) -> None:
        """Read the file for ever. One that cannot be read leaves the token as it was: a rotation may be under way."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            with contextlib.suppress(TokenError):
                fresh = await asyncio.to_thread(_read, self._path)
                if fresh != self._token:
                    log.info("the token has been rotated")
                self._token = fresh


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            token = file.read(_MOST_BYTES).strip()
    except OSError as error:
        raise TokenError(f"cannot read the token's file {path}: {error.strerror}") from error
    if len(token) < _SHORTEST:
        raise TokenError(f"the token in {path} has fewer than {_SHORTEST} characters")
    return token
