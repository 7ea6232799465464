"""The login of an AWS load balancer: what it signs about a user in `X-Amzn-Oidc-Data`.

Elastic Load Balancing, "Authenticate users using an Application Load Balancer": a JWT, signed by ES256 and padded, whose header names the
load balancer (`signer`), the client at the identity provider (`client`), its end (`exp`) and the key (`kid`), and whose payload has the
claims of the identity provider's user info endpoint. Public keys are PEM at a URL of the region, one for each `kid`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import jwt

from ecs_release.board.config import BoardSettings
from ecs_release.board.login import Headers
from ecs_release.board.pending import Pending
from ecs_release.board.viewer import LoginUnavailableError, UnknownViewerError, Viewer, viewer_of
from ecs_release.domain.model.lru import Lru
from ecs_release.outbound.session import Session, UnreachableError

HEADER = "X-Amzn-Oidc-Data"
_CLOCKS_S = 60.0
"""How far the clocks of AWS and of this machine may be apart."""
_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_KEY = 4 * 1024
_KEYS, _MISSING, _MISSING_S = 16, 256, 60.0
_DEADLINE_S, _AT_ONCE = 5.0, 4


class LoadBalancerLogin:
    """Verifies what load balancers sign: whoever reaches the board in another way is nobody."""

    def __init__(self, settings: BoardSettings, user_agent: str) -> None:
        """`settings` name the load balancers, their client, and the claims that count."""
        self._settings = settings
        self._keys = _Keys(settings.load_balancer_keys_address, user_agent)

    async def viewer(self, headers: Headers) -> Viewer:
        """Return who looks."""
        values = headers(HEADER)
        if len(values) != 1:
            raise UnknownViewerError(
                f"the load balancer has sent no {HEADER}, or several: its rule for this address has to authenticate users"
            )
        settings, token = self._settings, values[0]
        try:
            # Not believed yet: it says which key proves it.
            key_id = _checked(jwt.get_unverified_header(token), settings)
            verified = jwt.PyJWS().decode(token, await self._keys.key(key_id), algorithms=["ES256"])
            claims = json.loads(verified)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise UnknownViewerError(f"{HEADER} is not what a load balancer signs: {error}") from error
        if not isinstance(claims, dict):
            raise UnknownViewerError(f"{HEADER} has no claims")
        return _viewer(claims, settings)

    async def close(self) -> None:
        """Close the connections to its keys."""
        await self._keys.close()


class _Keys:
    """Public keys, fetched once each."""

    def __init__(self, address: str, user_agent: str) -> None:
        loopback = address.startswith("http:")
        self._session = Session(address, None, allow_loopback=loopback, user_agent=user_agent, deadline_s=_DEADLINE_S)
        self._keys: Lru[str, str] = Lru(_KEYS)
        self._missing: Lru[str, float] = Lru(_MISSING)
        self._fetching: Pending[str, str] = Pending(_AT_ONCE)

    async def key(self, key_id: str) -> str:
        """Return a key as PEM. Raises UnknownViewerError if there is none, and LoginUnavailableError."""
        if (known := self._keys.get(key_id)) is not None:
            return known
        if time.monotonic() < (self._missing.get(key_id) or 0.0):
            raise UnknownViewerError(f"{HEADER} names a key that AWS does not have")
        task = self._fetching.task(key_id, partial(self._fetch, key_id))
        if task is None:
            raise LoginUnavailableError("too many keys of load balancers are asked for: try again in a moment")
        return await asyncio.shield(task)

    async def close(self) -> None:
        await self._fetching.close()
        await self._session.close()

    async def _fetch(self, key_id: str) -> str:
        try:
            status, text = await self._session.text(f"/{key_id}", longest=_LONGEST_KEY)
        except UnreachableError as error:
            raise LoginUnavailableError(f"the load balancer's public keys cannot be read: {error}") from error
        if status in (403, 404):
            self._missing.put(key_id, time.monotonic() + _MISSING_S)
            raise UnknownViewerError(f"{HEADER} names a key that AWS does not have")
        if status != 200:
            raise LoginUnavailableError(f"the load balancer's public keys cannot be read: {self._session.host} answered {status}")
        self._keys.put(key_id, text)
        return text


def _checked(header: Mapping[str, Any], settings: BoardSettings) -> str:
    """Return the key that the header of a token names. Raises UnknownViewerError if it is not one for this board."""
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise UnknownViewerError(f"{HEADER} names no key")
    if header.get("signer") not in settings.load_balancer_arns:
        raise UnknownViewerError(f"{HEADER} is signed by a load balancer that is not one of this board")
    if header.get("client") != settings.load_balancer_client_id:
        raise UnknownViewerError(f"{HEADER} is of another application")
    try:
        ends = float(header.get("exp", ""))
    except (TypeError, ValueError):
        raise UnknownViewerError(f"{HEADER} has no end") from None
    # Not a number counts as over.
    if not time.time() - _CLOCKS_S < ends:
        raise UnknownViewerError(f"{HEADER} is no longer valid, or clocks differ by more than {_CLOCKS_S:.0f} s")
    return key_id


def _viewer(claims: Mapping[str, Any], settings: BoardSettings) -> Viewer:
    name = claims.get(settings.user_claim)
    if not isinstance(name, str):
        raise UnknownViewerError(f"the identity provider has sent no claim {settings.user_claim}")
    # As the API server takes it: an address that nobody has verified may be anybody's.
    if settings.user_claim == "email" and claims.get("email_verified", True) not in (True, "true"):
        raise UnknownViewerError("the identity provider has not verified your email address")
    given = claims.get(settings.groups_claim, [])
    groups = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return viewer_of(settings, name, (group for group in groups if isinstance(group, str)), f"the claim {settings.user_claim}")
