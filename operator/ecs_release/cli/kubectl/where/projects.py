"""The Projects whose images are built from the user's clone: those whose repository is one of its remotes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ecs_release.api.project import Project
from ecs_release.domain.presence.table import Projects
from ecs_release.pages.links import web_address

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """The Projects that count, and notes on those that are left out, or are chosen in spite of their repository."""

    projects: Projects
    notes: tuple[str, ...] = ()


def choose(projects: Iterable[Project], remotes: Collection[str], only: str | None) -> Choice:
    """Choose the Projects of a clone with some remotes; `only` is the name of one that counts whatever its repository is."""
    found = {(p.metadata.namespace or "", p.metadata.name): p for p in projects}
    ours = {address for url in remotes if (address := _address(url))}
    if only is not None:
        chosen = {key: p for key, p in found.items() if key[1] == only}
        other = sorted(url for p in chosen.values() if (url := _url(p)) and _address(url) not in ours)
        notes = [f"warning: Project {only} is built from {url}, which is no remote of this clone" for url in dict.fromkeys(other)]
        return Choice(chosen, tuple(notes))
    chosen = {key: p for key, p in found.items() if (url := _url(p)) and _address(url) in ours}
    notes = [_left_out(reason, names) for reason, names in _others(found, chosen).items()]
    return Choice(chosen, tuple(notes))


def _others(found: Projects, chosen: Projects) -> dict[str, list[str]]:
    others: dict[str, list[str]] = {}
    for key, project in sorted(found.items()):
        if key not in chosen:
            reason = "built from another repository" if _url(project) else "without spec.git"
            others.setdefault(reason, []).append("/".join(part for part in key if part))
    return others


def _left_out(reason: str, names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"left out, {reason}: {', '.join(names[:_MOST_NAMED])}{more}; --project asks about one nevertheless"


def _url(project: Project) -> str:
    """Return where the commits of a Project are; without spec.git, where its code is for people."""
    return project.spec.git.url if project.spec.git is not None else project.spec.repository or ""


def _address(url: str) -> str:
    """Return host and path of a repository, by whatever protocol it is reached; empty for any other form, as a folder's."""
    _, _, address = web_address(url).partition("://")
    host, slash, path = address.partition("/")
    return f"{host.lower()}{slash}{path}"
