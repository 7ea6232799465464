"""Parses `.wellcome_project` manifests in every form that occurs; strings stay strings.

An environment named 2022-10-03 is no date, an account that begins with 0 is no octal number, `v1RC` is not cut to `v1`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_MOST_BYTES = 1_048_576
_PROJECT = frozenset(
    {"id", "name", "role_arn", "account_id", "aws_region_name", "region_name", "namespace", "github_repository", "environments",
     "image_repositories"}
)  # fmt: skip


class Unreadable(ValueError):
    """The file is no such manifest; the message has the reason."""


@dataclass(frozen=True, slots=True)
class WecoEnvironment:
    """An environment: its id, and its display name."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class WecoService:
    """A service that uses an image, and its own role, if it has one."""

    id: str
    role_arn: str = ""


@dataclass(frozen=True, slots=True)
class WecoImage:
    """An image repository and the services that run it."""

    id: str
    services: tuple[WecoService, ...] = ()


@dataclass(frozen=True, slots=True)
class WecoProject:
    """A project of a manifest, as written."""

    id: str
    name: str = ""
    role_arn: str = ""
    account_id: str = ""
    region: str = ""
    namespace: str = ""
    repository: str = ""
    environments: tuple[WecoEnvironment, ...] = ()
    images: tuple[WecoImage, ...] = ()


@dataclass(slots=True)
class Notes:
    """Notes on what could not be mapped, or had to be guessed, without duplicates."""

    lines: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add a note."""
        if text not in self.lines:
            self.lines.append(text)


class _Strings(yaml.SafeLoader):
    """Reads every scalar as a string, except for empty ones and null."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
        twice = sorted({k for k in keys if keys.count(k) > 1 and k != "<<"})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)


_KEPT = frozenset({"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"})
_Strings.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT])
}


def read(text: str, notes: Notes) -> list[WecoProject]:
    """Parse a manifest: YAML or JSON; projects by id, a list of objects with an id, or one such object. Raises Unreadable."""
    if len(text.encode()) > _MOST_BYTES:
        raise Unreadable(f"the file has more than {_MOST_BYTES} bytes: it is no project manifest")
    found = _parse(text)
    if isinstance(found, Mapping) and _is_project(found):
        pairs: list[tuple[str, Any]] = [(_text(found.get("id")), found)]
    elif isinstance(found, Mapping):
        pairs = [(_text(key), value) for key, value in found.items()]
    elif isinstance(found, list):
        pairs = [(_text(value.get("id")) if isinstance(value, Mapping) else "", value) for value in found]
    else:
        raise Unreadable("it holds no project: expected projects by their ids, or a list of objects with an id")
    projects = [_project(identity, value, notes) for identity, value in pairs]
    ids = [p.id for p in projects]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise Unreadable(f"project {twice[0]!r} is there twice")
    if not projects:
        raise Unreadable("it holds no project")
    return projects


def _parse(text: str) -> Any:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except ValueError:
            pass  # It may be YAML in flow style.
    try:
        return yaml.load(text, Loader=_Strings)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise Unreadable(f"it is neither YAML nor JSON: {' '.join(str(error).split())}") from error


def _is_project(found: Mapping[Any, Any]) -> bool:
    """Return whether this is one project, as in older files, not a map of projects by id."""
    return isinstance(found.get("id"), str) or isinstance(found.get("image_repositories"), list)


def _project(identity: str, found: Any, notes: Notes) -> WecoProject:
    if not isinstance(found, Mapping):
        raise Unreadable(f"project {identity!r} is no object")
    if not identity:
        raise Unreadable("a project has no id")
    for key in found:
        if key not in _PROJECT:
            notes.add(f"project {identity}: {key} has no counterpart")
    return WecoProject(
        id=identity,
        name=_text(found.get("name")),
        role_arn=_text(found.get("role_arn")),
        account_id=_text(found.get("account_id")),
        region=_text(found.get("region_name")) or _text(found.get("aws_region_name")),
        namespace=_text(found.get("namespace")),
        repository=_text(found.get("github_repository")),
        environments=tuple(_environments(identity, found.get("environments"), notes)),
        images=tuple(_images(identity, found.get("image_repositories"), notes)),
    )


def _environments(project: str, found: Any, notes: Notes) -> Iterator[WecoEnvironment]:
    seen: set[str] = set()
    for entry in _entries(found):
        identity = _text(entry.get("id"))
        if not identity:
            notes.add(f"project {project}: an environment has no id, and is left out")
        elif identity in seen:
            notes.add(f"project {project}: environment {identity} is there twice: the first counts")
        else:
            seen.add(identity)
            yield WecoEnvironment(identity, _text(entry.get("name")))


def _images(project: str, found: Any, notes: Notes) -> Iterator[WecoImage]:
    for entry in _entries(found):
        identity = _text(entry.get("id"))
        if not identity:
            notes.add(f"project {project}: an image repository has no id, and is left out")
            continue
        key = "services" if entry.get("services") is not None or "service" not in entry else "service"
        if key == "service":
            notes.add(f"project {project}: image {identity} has `service:`, which is read as `services:`")
        for other in sorted(str(k) for k in entry if k not in ("id", "services", "service")):
            notes.add(f"project {project}: image {identity}: {other} has no counterpart")
        yield WecoImage(identity, tuple(_services(project, identity, entry.get(key), notes)))


def _services(project: str, image: str, found: Any, notes: Notes) -> Iterator[WecoService]:
    for entry in _entries(found):
        identity = _text(entry.get("id"))
        if identity:
            yield WecoService(identity, _text(entry.get("role_arn")))
        else:
            notes.add(f"project {project}: a service of image {image} has no id, and is left out")


def _entries(found: Any) -> Iterator[Mapping[Any, Any]]:
    """Yield the objects of a list; a plain string, a single object and a map by id are equivalent forms."""
    if isinstance(found, Mapping) and "id" not in found:
        found = [{"id": key, **(value if isinstance(value, Mapping) else {"name": value})} for key, value in found.items()]
    if not isinstance(found, list):
        found = [] if found is None else [found]
    for entry in found:
        yield entry if isinstance(entry, Mapping) else {"id": entry}


def _text(value: Any) -> str:
    """Return a scalar as written; an empty string for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip() if isinstance(value, str) else ""
