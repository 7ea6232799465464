"""The configuration of the commits service: one YAML file, which the chart writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

_HOST = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"
_PATTERN = r"^[A-Za-z0-9_~*][A-Za-z0-9._~*-]*(/[A-Za-z0-9_~*][A-Za-z0-9._~*-]*)*$"
_NAMESPACE = r"^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$"
_MOST_BYTES = 256 * 1024

Seconds = Annotated[float, Field(gt=0, le=86400)]
Bytes = Annotated[int, Field(ge=1024 * 1024, le=2**42)]


class ConfigError(ValueError):
    """A configuration that is not taken; the message says what is wrong."""


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_alias=True, validate_by_name=True, extra="forbid", frozen=True)


class Credential(_Model):
    """A user name, and a file with its password or token."""

    username: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f:]+$", description="User name")]
    password_file: Annotated[Path, Field(description="File with the password or token, read anew at each fetch")]


class Binding(_Model):
    """Repositories that some namespaces may name, and the credential that they are read with."""

    hosts: Annotated[
        list[Annotated[str, Field(max_length=253, pattern=_HOST)]],
        Field(min_length=1, max_length=16, description="Hosts, with a port unless it is 443"),
    ]
    repositories: Annotated[
        list[Annotated[str, Field(max_length=255, pattern=_PATTERN)]],
        Field(min_length=1, max_length=256, description="Paths on the host, without `.git`; `*` stands for any characters but `/`"),
    ]
    namespaces: Annotated[
        list[Annotated[str, Field(max_length=63, pattern=_NAMESPACE)]],
        Field(min_length=1, max_length=256, description="Namespaces whose objects may name them; `*` stands for any characters"),
    ]
    credential: Annotated[Credential | None, Field(description="Read with it; without it as anybody")] = None
    ca_file: Annotated[Path | None, Field(description="Authorities that the hosts' certificates are of; without it the system's")] = None


class Cache(_Model):
    """The folder of clones, which may be lost at any time, and its bounds."""

    folder: Annotated[Path, Field(description="Folder of clones; those of a former process are deleted at the start")] = Path("/cache")
    max_bytes: Annotated[Bytes, Field(description="Size of all clones: those not asked about for longest are deleted")] = 4 * 2**30
    max_repository_bytes: Annotated[Bytes, Field(description="Size of one clone: a larger repository is TooLarge")] = 2**30
    max_repositories: Annotated[int, Field(ge=1, le=1000, description="Clones at a time")] = 100
    pairs: Annotated[int, Field(ge=1, le=1_000_000, description="Answers about pairs of commits that are kept")] = 100_000


class Limits(_Model):
    """Durations, rates, and what git may use."""

    answer_seconds: Annotated[Seconds, Field(description="How long a question waits for a fetch before its answer is Pending")] = 15
    query_seconds: Annotated[Seconds, Field(description="How long git may take for one answer")] = 20
    fetch_seconds: Annotated[Seconds, Field(description="How long one fetch may take")] = 120
    quick_seconds: Annotated[Seconds, Field(description="How long a fetch may keep a slot that is not for slow ones")] = 5
    clone_seconds: Annotated[Seconds, Field(description="How long the first fetch of a repository may take")] = 900
    interval_seconds: Annotated[Seconds, Field(description="Least time between two rounds of fetches of one repository")] = 10
    low_speed_bytes: Annotated[int, Field(ge=1, le=10**9, description="Bytes a second below which a transfer is slow")] = 1000
    low_speed_seconds: Annotated[int, Field(ge=1, le=3600, description="How long a transfer may be slow before it is given up")] = 30
    memory_bytes: Annotated[Bytes, Field(description="Address space of one git process")] = 768 * 2**20
    fetches_per_host: Annotated[int, Field(ge=2, le=16, description="Fetches at a time from one host; half of them slow ones")] = 4
    queries: Annotated[int, Field(ge=2, le=64, description="Git processes that answer at a time, two a repository")] = 8
    requests: Annotated[int, Field(ge=1, le=4096, description="Requests at a time; more are refused")] = 512


class ServiceConfig(_Model):
    """The whole file."""

    host: Annotated[str, Field(min_length=1, max_length=253, description="Address that it listens on")] = "0.0.0.0"  # noqa: S104 - the operator asks from another pod
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the answers and of /healthz (0: any free one)")] = 8090
    metrics_port: Annotated[int | None, Field(ge=0, le=65535, description="Port of /metrics (0: any free one); none without it")] = None
    token_file: Annotated[Path, Field(description="File with the token that requests carry, of at least 16 characters")]
    cache: Annotated[Cache, Field(description="Where clones are kept")] = Cache()
    limits: Annotated[Limits, Field(description="Durations and rates")] = Limits()
    bindings: Annotated[
        list[Binding], Field(max_length=256, description="Who may name what: the first that fits counts; what none names is refused")
    ] = []

    @field_validator("bindings")
    @classmethod
    def _names_few_hosts(cls, value: list[Binding]) -> list[Binding]:
        if len({host for binding in value for host in binding.hosts}) > 16:
            raise ValueError("at most 16 hosts: each has fetches of its own")
        return value


def load(path: Path) -> ServiceConfig:
    """Read the configuration. Raises ConfigError that names the field."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes")
        body: Any = yaml.safe_load(text)
        return ServiceConfig.model_validate(body if body is not None else {})
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
