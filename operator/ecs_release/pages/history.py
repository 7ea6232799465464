"""Attempts as pages of one object show them: what, who, why, how it ended, and where to read on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecs_release.api.meta import to_time
from ecs_release.api.release_status import Evidence
from ecs_release.domain.artifacts.claimed_hash import CLAIMED
from ecs_release.pages import attempts
from ecs_release.pages.links import commit_link, compare_link, known_link


@dataclass(frozen=True, slots=True)
class Code:
    """Where a Project's code is (empty: nobody says), and the hosts that pages may link to."""

    repository: str = ""
    hosts: Collection[str] = ()

    def commit(self, release_hash: str) -> str:
        """Return the page of a commit; empty if there is none that may be linked to."""
        return known_link(commit_link(self.repository, release_hash), self.hosts)

    def compare(self, before: str, after: str) -> str:
        """Return the page of what lies between two commits; empty if there is none that may be linked to."""
        names = (before.removeprefix(CLAIMED), after.removeprefix(CLAIMED))
        # Only what could be a commit: a tag such as latest is none of the repository.
        return known_link(compare_link(self.repository, *names), self.hosts) if all(map(self.commit, names)) else ""

    def page(self, address: str | None) -> str:
        """Return an address that somebody gave, if it may be linked to."""
        return known_link(address, self.hosts)


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that failed, and what it left. `link` is its log stream in AWS's console, else itself; empty if that is no known address."""

    task: str
    container: str
    exit_code: int | None
    reason: str
    stop_code: str
    log: str
    link: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt. `compare` and `page` are addresses that may be linked to, or empty; `url` is what was given, as text."""

    id: str
    cause: str
    began: datetime | None
    ended: datetime | None
    took: str
    before: str
    after: str
    outcome: str
    style: str
    requested_by: str
    applied_by: str
    description: str
    reason: str
    message: str
    number: int | None
    url: str
    page: str
    compare: str
    failed_tasks: tuple[FailedTask, ...]


def attempt_of(entry: Mapping[str, Any], code: Code) -> Attempt:
    """Return an entry of a status or of the ledger as it is shown."""
    outcome, style = attempts.outcome_of(entry)
    before, after = attempts.hash_at(entry, "from"), attempts.hash_to(entry)
    brought = entry.get("commitRange") or {}
    ends = (str(brought.get("before") or before), str(brought.get("after") or entry.get("hash") or after))
    return Attempt(
        id=_text(entry, "attemptID", "id"),
        cause=_text(entry, "cause"),
        began=attempts.time_of(entry, "startTime"),
        ended=attempts.time_of(entry, "completionTime"),
        took=attempts.took(entry),
        before=before,
        after=after,
        outcome=outcome,
        style=style,
        requested_by=_text(entry, "requestedBy", "changedBy"),
        applied_by=_text(entry, "appliedBy"),
        description=_text(entry, "description"),
        reason=_text(entry, "reason"),
        message=_text(entry, "message"),
        number=entry.get("number"),
        url=_text(entry, "url"),
        page=code.page(entry.get("url")),
        compare=code.compare(*ends),
        failed_tasks=tuple(failed_task(Evidence.model_validate(one), code) for one in entry.get("evidence") or ()),
    )


def failed_task(evidence: Evidence, code: Code) -> FailedTask:
    """Return a failed task as it is shown."""
    return FailedTask(
        task=(evidence.task or "").rpartition("/")[2],
        container=evidence.container or "",
        exit_code=evidence.exit_code,
        reason=evidence.reason or "",
        stop_code=evidence.stop_code or "",
        log=f"{evidence.log_group or ''} {evidence.log_stream or ''}".strip(),
        link=code.page(evidence.link),
    )


def attempt_data(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as data for JSON."""
    return {
        "id": attempt.id,
        "cause": attempt.cause,
        "startTime": to_time(attempt.began) if attempt.began else None,
        "completionTime": to_time(attempt.ended) if attempt.ended else None,
        "from": attempt.before,
        "to": attempt.after,
        "outcome": "" if attempt.style == "busy" else attempt.outcome,
        "requestedBy": attempt.requested_by,
        "appliedBy": attempt.applied_by,
        "description": attempt.description,
        "reason": attempt.reason,
        "message": attempt.message,
        "number": attempt.number,
        "url": attempt.url,
        "compare": attempt.compare,
        "failedTasks": [failed_task_data(one) for one in attempt.failed_tasks],
    }


def failed_task_data(task: FailedTask) -> dict[str, Any]:
    """Return a failed task as data for JSON."""
    return {
        "task": task.task,
        "container": task.container,
        "exitCode": task.exit_code,
        "reason": task.reason,
        "stopCode": task.stop_code,
        "log": task.log,
        "link": task.link,
    }


def _text(entry: Mapping[str, Any], *names: str) -> str:
    return next((str(entry[name]) for name in names if entry.get(name)), "")
