"""The base of all models: Kubernetes' camelCase outside, snake_case inside, frozen, and tolerant of fields of newer versions."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

_ACRONYMS = {"id": "ID", "arn": "ARN", "url": "URL"}


def to_camel(name: str) -> str:
    """Return a field's name in the API: later acronyms in capitals (Kubernetes API conventions, "Naming conventions")."""
    first, *rest = name.split("_")
    return first + "".join(_ACRONYMS.get(part, part.capitalize()) for part in rest)


def to_time(value: datetime) -> str:
    """Write a time as metav1.Time does: RFC 3339 in UTC, whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def to_microtime(value: datetime) -> str:
    """Write a time as metav1.MicroTime does: RFC 3339 in UTC with six decimals."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _in_utc(value: datetime) -> datetime:
    """Refuse a time that no calendar of Python has in UTC, such as the last hours of 9999 west of Greenwich."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is not between the years 1 and 9999 in UTC") from None


_Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]

Time = Annotated[_Instant, PlainSerializer(to_time, return_type=str, when_used="json")]
MicroTime = Annotated[_Instant, PlainSerializer(to_microtime, return_type=str, when_used="json")]
"""Times that are compared with each other need more than whole seconds."""


class Model(BaseModel):
    """Base of every model of the API."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=False,
    )

    def to_kubernetes(self) -> dict[str, Any]:
        """Return it as JSON for the API server: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def shared_fields(kind: type[Model], *models: Model | None) -> dict[str, Any]:
    """Return the fields that a kind of model has in common with others, by name. Where several have one, the last says what it is.

    What means the same has one name, in status, in the ledger and in notifications. Images, and the few that differ, are given beside them.
    """
    return {name: getattr(one, name) for one in models if one is not None for name in _shared_names(kind, type(one))}


@cache
def _shared_names(kind: type[Model], other: type[Model]) -> tuple[str, ...]:
    return tuple(name for name in other.model_fields if name in kind.model_fields)


class OwnerReference(Model):
    """The part of metav1.OwnerReference that is read."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class ObjectMeta(Model):
    """The part of metav1.ObjectMeta that is read."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


# Bounds that several kinds share. ECR: "Image tag details", 128 characters; repository names up to 256.
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OBJECT_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""Name of an object, as the API server takes it: a DNS subdomain (RFC 1123)."""
TAG = r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
ACCOUNT = r"^[0-9]{12}$"
REGION = r"^[a-z]{2,}(-[a-z0-9]+)+$"
ROLE_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$"
# Each text has one way to match: with two ways for one character, the time that Python's `re` takes doubles with each of them.
REPOSITORY = r"^[a-z0-9]+(([._/]|__|-+)[a-z0-9]+)*$"
ECS_NAME = r"^[a-zA-Z0-9_-]+$"
PATTERN = r"^[a-zA-Z0-9_*?./-]+$"

ObjectName = Annotated[str, Field(min_length=1, max_length=63, pattern=OBJECT_NAME)]
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ServiceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?$")]
ContainerName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_-]+$")]
Digest = Annotated[str, Field(max_length=71, pattern=DIGEST)]
ReleaseHash = Annotated[str, Field(min_length=1, max_length=128, pattern=TAG)]
