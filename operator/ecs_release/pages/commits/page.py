"""The page of commits and environments, as HTML and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecs_release.api.meta import to_time
from ecs_release.domain.ports.commits import Commit
from ecs_release.pages.ages import age as duration
from ecs_release.pages.board_page import Age, Frame
from ecs_release.pages.commits.filters import CommitFilters
from ecs_release.pages.commits.places import Group, Standing
from ecs_release.pages.links import commit_link, known_link
from ecs_release.pages.rendering import templates


@dataclass(frozen=True, slots=True)
class CommitsOfProject:
    """All that a page shows. `choices` are Projects that may be chosen, `services` those of the chosen one; `note` says what is missing.

    `total`: how many commits fit, of which some are shown.
    """

    filters: CommitFilters
    time: datetime
    choices: tuple[str, ...]
    services: tuple[str, ...] = ()
    repository: str = ""
    environments: tuple[str, ...] = ()
    commits: tuple[Commit, ...] = ()
    total: int = 0
    standings: Mapping[str, Mapping[str, Sequence[Group]]] | None = None
    notes: tuple[str, ...] = ()
    awaited: bool = False


def html(frame: Frame, found: CommitsOfProject, age: Age, position: str, hosts: Collection[str]) -> str:
    """Return the page. `position` is what changes are sent to it after, `hosts` are those that it may link to."""
    _, _, project = found.filters.project.partition("/")
    return templates().get_template("commits.html").render(
        assets=frame.assets, open=not frame.viewer, age=age, position=position, found=found, filters=found.filters,
        stream=f"/events?project={project}" if project in {c.partition("/")[2] for c in found.choices} else "/events",
        links={c.hash: known_link(commit_link(found.repository, c.hash), hosts) for c in found.commits},
        addresses={c.hash: f"/commits?{replace(found.filters, text=c.hash, author='').query}" for c in found.commits},
        stayed=_stayed,
    )  # fmt: skip


def _stayed(standing: Standing) -> str:
    """Return for how long a commit was there; empty if that is not known."""
    if standing.since is None or standing.until is None:
        return ""
    return duration((standing.until - standing.since).total_seconds())


def data(found: CommitsOfProject, age: Age) -> dict[str, Any]:
    """Return the page as data for JSON."""
    standings = found.standings or {}
    return {
        "time": to_time(found.time),
        "project": found.filters.project,
        "projects": list(found.choices),
        "environments": list(found.environments),
        "total": found.total,
        "commits": [
            {
                **commit_data(commit),
                "environments": {name: [_group(group) for group in groups] for name, groups in standings.get(commit.hash, {}).items()},
            }
            for commit in found.commits
        ],
        "notes": list(found.notes),
        "awaited": found.awaited,
        "fresh": age.fresh,
    } | ({} if age.fresh else {"asOf": to_time(age.as_of) if age.as_of else None})


def commit_data(commit: Commit) -> dict[str, Any]:
    """Return a commit as data for JSON."""
    at = to_time(commit.committed_at) if commit.committed_at else None
    return {"hash": commit.hash, "subject": commit.subject, "author": commit.author, "committedAt": at}


def _group(group: Group) -> dict[str, Any]:
    its = group.standing
    return {
        "state": its.word,
        "services": list(group.services),
        "since": to_time(its.since) if its.since else None,
        "until": to_time(its.until) if its.until else None,
        "message": its.message or None,
        "claimed": its.claimed,
    }
