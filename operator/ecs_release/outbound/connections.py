"""The operator's connections to GitHub and Slack: one YAML file, which the chart writes. Environments name them by their short names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from ecs_release.api.meta import DNS_LABEL

_MOST_BYTES = 256 * 1024
_TOKEN_BYTES = 16 * 1024
_URL = r"^https?://[a-zA-Z0-9.\[\]:-]+(/[a-zA-Z0-9._~/-]*)?$"
ALLOW_LOOPBACK = "allow_loopback"


class ConfigError(ValueError):
    """A configuration that is not taken; the message says what is wrong."""


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_alias=True, validate_by_name=True, extra="forbid", frozen=True)


Name = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL, description="Name that Environments give")]


class _Connection(_Model):
    name: Name
    ca_file: Annotated[Path | None, Field(description="Authorities that its certificate is of; without it the system's")] = None

    @field_validator("url", check_fields=False)
    @classmethod
    def _is_https(cls, value: str, info: ValidationInfo) -> str:
        url = urlsplit(value)
        may_be_plain = bool((info.context or {}).get(ALLOW_LOOPBACK)) and url.hostname == "127.0.0.1"
        if url.scheme != "https" and not may_be_plain:
            raise ValueError("must begin with https://")
        return value.rstrip("/")


class App(_Model):
    """A GitHub App, and its installation in the organisation whose repositories are written to."""

    id: Annotated[int, Field(ge=1, lt=2**53, alias="id", description="Its App id")]
    installation_id: Annotated[int, Field(ge=1, lt=2**53, alias="installationID", description="Id of the installation")]
    private_key_file: Annotated[Path, Field(description="File with its private key in PEM, read anew for each token")]


class GitHubConnection(_Connection):
    """Credentials for GitHub: an App's, or a token."""

    url: Annotated[str, Field(max_length=512, pattern=_URL, description="Of the API; of GitHub Enterprise https://HOST/api/v3")] = (
        "https://api.github.com"
    )
    site: Annotated[
        str | None, Field(max_length=253, description="Host of the repositories' URLs; without it github.com, or the host of `url`")
    ] = None
    app: Annotated[App | None, Field(description="An App; its installation tokens are renewed")] = None
    token_file: Annotated[Path | None, Field(description="File with a token instead, read anew when it is refused")] = None

    @model_validator(mode="after")
    def _has_one(self) -> GitHubConnection:
        if (self.app is None) == (self.token_file is None):
            raise ValueError("give app or tokenFile")
        return self

    @property
    def host(self) -> str:
        """The host of the repositories' URLs."""
        netloc = urlsplit(self.url).netloc.lower()
        return (self.site or ("github.com" if netloc == "api.github.com" else netloc.removeprefix("api."))).lower()


class SlackConnection(_Connection):
    """Credentials for Slack: a bot's token."""

    url: Annotated[str, Field(max_length=512, pattern=_URL, description="Of the API")] = "https://slack.com/api"
    token_file: Annotated[Path, Field(description="File with the bot's token, read anew when it is refused")]


class Connections(_Model):
    """The whole file."""

    github: Annotated[list[GitHubConnection], Field(max_length=100, description="Connections to GitHub")] = []
    slack: Annotated[list[SlackConnection], Field(max_length=100, description="Connections to Slack")] = []

    @field_validator("github", "slack")
    @classmethod
    def _each_once(cls, value: list[Any]) -> list[Any]:
        names = [one.name for one in value]
        if doubled := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"name {doubled[0]!r} is there twice")
        return value


def load(path: Path, *, allow_loopback: bool) -> Connections:
    """Read the file. `allow_loopback` lets a URL be http://127.0.0.1. Raises ConfigError that names the field."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes")
        body: Any = yaml.safe_load(text)
        return Connections.model_validate(body if body is not None else {}, context={ALLOW_LOOPBACK: allow_loopback})
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def read_secret(path: Path, *, lines: bool = False) -> str:
    """Read a token, or a key of several lines. Raises ConfigError that names the file, never what is in it."""
    try:
        with path.open("rb") as file:
            text = file.read(_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', '') or 'it is no ASCII'}") from error
    if not text or not (lines or _is_token(text)):
        raise ConfigError(f"{path} is empty, or no token")
    return text


def _is_token(text: Iterable[str]) -> bool:
    return all("!" <= character <= "~" for character in text)
