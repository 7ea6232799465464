"""Tokens for GitHub: from a file, or an App's, which is renewed before it ends.

GitHub, "Generating a JSON Web Token (JWT) for a GitHub App": RS256, at most ten minutes, issued a minute ago in case clocks differ;
"Generating an installation access token for a GitHub App": it ends after an hour.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ecs_release.domain.model.errors import Denied, Retryable
from ecs_release.github.answers import message, throttled
from ecs_release.outbound.connections import App, ConfigError, read_secret
from ecs_release.outbound.session import Answer, Session, UnreachableError

API = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
PERMISSIONS = {"contents": "read", "deployments": "write", "metadata": "read", "pull_requests": "write"}
_EARLY = timedelta(minutes=5)


class Credentials(Protocol):
    """What requests are made with."""

    async def token(self) -> str:
        """Return a token. Raises Denied if there is none, and Retryable."""

    def refused(self) -> None:
        """Note that the token was refused: the next one is read, or made, anew."""


class FileToken:
    """A token in a file."""

    def __init__(self, path: Path) -> None:
        """The file is read when the token is needed first, and again if it is refused."""
        self._path = path
        self._token = ""

    async def token(self) -> str:
        """Return the token."""
        if not self._token:
            try:
                self._token = await asyncio.to_thread(read_secret, self._path)
            except ConfigError as error:
                raise Denied(str(error)) from error
        return self._token

    def refused(self) -> None:
        """Read it again."""
        self._token = ""


class InstallationToken:
    """The token of an App's installation, with no more permissions than are needed."""

    def __init__(self, app: App, session: Session) -> None:
        """Made by `session`."""
        self.id = app.id
        self._app = app
        self._session = session
        self._token, self._ends_at = "", datetime.min.replace(tzinfo=UTC)

    async def token(self) -> str:
        """Return the token; it counts for five minutes at least."""
        if datetime.now(UTC) + _EARLY < self._ends_at:
            return self._token
        path = f"/app/installations/{self._app.installation_id}/access_tokens"
        answer = await self._ask("POST", path, {"permissions": PERMISSIONS})
        if answer.status != 201 or not isinstance(answer.body, Mapping):
            raise Denied(
                f"{self._session.host} gives App {self._app.id} no token for installation {self._app.installation_id}, status"
                f" {answer.status}{message(answer)}: check its id, its key, and that it has the permissions that the how-to lists"
            )
        try:
            self._token, self._ends_at = str(answer.body["token"]), datetime.fromisoformat(answer.body["expires_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise Retryable(f"{self._session.host} gave a malformed token") from error
        return self._token

    async def bot(self) -> str:
        """Return the login of the App's bot, whom GitHub names as the author. Raises Denied and Retryable."""
        answer = await self._ask("GET", "/app", None)
        slug = answer.body.get("slug") if isinstance(answer.body, Mapping) else None
        if answer.status != 200:
            raise Denied(f"{self._session.host} does not say who App {self._app.id} is (status {answer.status}): check its id and its key")
        if not isinstance(slug, str) or not slug:
            raise Retryable(f"{self._session.host} gave a malformed answer: an App with a slug is expected")
        return f"{slug}[bot]"

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        """Make a request as the App itself."""
        try:
            key = await asyncio.to_thread(read_secret, self._app.private_key_file, lines=True)
            signed = await asyncio.to_thread(app_token, self._app.id, key, datetime.now(UTC))
        except ConfigError as error:
            raise Denied(str(error)) from error
        try:
            answer = await self._session.request(method, path, headers={**API, "Authorization": f"Bearer {signed}"}, body=body)
        except UnreachableError as error:
            raise Retryable(str(error)) from error
        said = f"{self._session.host} answered {method} {path} of App {self._app.id} with status {answer.status}{message(answer)}"
        if (wait := throttled(answer, said)) is not None:
            raise wait
        if answer.status >= 500:
            raise Retryable(said)
        return answer

    def refused(self) -> None:
        """Make another one."""
        self._ends_at = datetime.min.replace(tzinfo=UTC)


def app_token(app_id: int, key: str, now: datetime) -> str:
    """Sign a JSON web token as an App. Raises ConfigError if the key is no RSA key in PEM."""
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError("the App's private key is no key in PEM without a password") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ConfigError("the App's private key is no RSA key")
    claims = {"iat": int(now.timestamp()) - 60, "exp": int(now.timestamp()) + 540, "iss": str(app_id)}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{signed}.{_encoded(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
