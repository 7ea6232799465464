"""Asks the commits service which commits lie between two: for statistics, so that nothing waits for it, and it delays no other question.

Answers never change: they are kept, as short as status holds them; of the latest also the newest commits, for notifications. What is not
known is asked again now and then while somebody wants it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.commits import Commit, CommitRange, Commits, Relation, Repository, Span, Unknown, UnknownReason
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.domain.rules.attempt_commits import summary
from ecs_release.engine.artifacts.commit_graph import full_hash, repository_of
from ecs_release.engine.artifacts.repository_turns import RepositoryTurns

log = logging.getLogger(__name__)

_MOST, _AT_ONCE, _A_REPOSITORY = 1000, 32, 1
_LISTS, _LISTED, _LONGEST = 200, 20, 120
_SOON_S, _LATER_S = 5.0, 60.0
_PASSING = frozenset({UnknownReason.PENDING, UnknownReason.BUSY})


@dataclass(slots=True)
class _State:
    """What is known of a span, whether it is being asked for, when it may be asked for next, and who waits for that."""

    commits: AttemptCommits | None = None
    is_asked: bool = False
    ask_at: float = -inf
    waiting: set[ObjectKey] = field(default_factory=set)


class CommitSpans:
    """The commits between two, as far as they are known now."""

    def __init__(self, commits: Commits | None, clock: Clock, again: Callable[[ObjectKey, float], None]) -> None:
        """Without `commits` nothing is known. `again` queues an object, whose answer has come, after some seconds."""
        self._commits = commits
        self._clock = clock
        self._again = again
        self._states: OrderedDict[tuple[Repository, Span], _State] = OrderedDict()
        self._lists: OrderedDict[tuple[Repository | None, Span], tuple[Commit, ...]] = OrderedDict()
        self._turns = RepositoryTurns(_A_REPOSITORY)
        self._tasks: set[asyncio.Task[None]] = set()

    def known(self, key: ObjectKey, repository: Repository | None, spans: Sequence[Span]) -> Mapping[Span, AttemptCommits]:
        """Return what is known of some spans. What is not, is asked, and the object is queued again once it is known."""
        if self._commits is None or repository is None:
            return {}
        found = {}
        for span in spans:
            state = self._state(repository, span)
            if state.commits is not None:
                found[span] = state.commits
            elif state.ask_at < inf:
                state.waiting.add(key)
                self._ask(self._commits, repository, span, state)
        return found

    def listed(self, environment: Environment, project: Project, commits: AttemptCommits) -> Sequence[Commit]:
        """Return the newest of the commits that an attempt brings, 20 at most; nothing if it is long ago that they were asked for.

        Their texts have one line, and are cut.
        """
        return self._lists.get((repository_of(environment, project), Span(commits.before or "", commits.after or "")), ())

    def _keep(self, repository: Repository, ends: Span, listed: Sequence[Commit]) -> None:
        self._lists[repository, ends] = tuple(replace(c, subject=_line(c.subject), author=_line(c.author)) for c in listed[:_LISTED])
        while len(self._lists) > _LISTS:
            self._lists.popitem(last=False)

    def _state(self, repository: Repository, span: Span) -> _State:
        state = self._states.setdefault((repository, span), _State())
        self._states.move_to_end((repository, span))
        while len(self._states) > _MOST:
            self._states.popitem(last=False)
        return state

    def _ask(self, commits: Commits, repository: Repository, span: Span, state: _State) -> None:
        """Ask, if there is room for a task."""
        if state.is_asked or state.ask_at > self._clock.monotonic() or len(self._tasks) >= _AT_ONCE:
            return
        state.is_asked = True
        task = asyncio.create_task(self._learn(commits, repository, span, state), name=f"commits between two of {repository.url}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _learn(self, commits: Commits, repository: Repository, span: Span, state: _State) -> None:
        pause_s = _LATER_S
        try:
            async with self._turns.take(repository):
                found = await _between(commits, repository, span)
            if isinstance(found, Unknown):
                log.debug("commits from %s to %s of %s: %s", span.before, span.after, repository.url, found.message)
                pause_s = _SOON_S if found.reason in _PASSING else _LATER_S
            else:
                state.commits, pause_s = summary(*found), inf
                self._keep(repository, found[0], found[2].commits)
        except Problem as problem:
            log.debug("%s", problem.message)
        finally:
            state.is_asked, state.ask_at = False, self._clock.monotonic() + pause_s
            waiting, state.waiting = state.waiting, set()
        for key in waiting if state.commits is not None else ():
            self._again(key, 0.0)


def _line(text: str) -> str:
    return " ".join(text[: 4 * _LONGEST].split())[: _LONGEST + 1]


async def _between(commits: Commits, repository: Repository, span: Span) -> tuple[Span, Relation, CommitRange] | Unknown:
    """Return a span with full hashes, how its ends relate, and the commits added or, if none is, those removed. Raises Problem."""
    before = await full_hash(commits, repository, span.before)
    if isinstance(before, Unknown):
        return before
    after = await full_hash(commits, repository, span.after)
    if isinstance(after, Unknown):
        return after
    relation = await commits.relation(repository, before, after)
    if isinstance(relation, Unknown):
        return relation
    ends = (before, after) if relation.behind else (after, before)
    listed = await commits.between(repository, *ends)
    return listed if isinstance(listed, Unknown) else (Span(before, after), relation, listed)
