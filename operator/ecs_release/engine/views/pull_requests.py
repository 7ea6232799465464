"""Which pull requests a deployment set brings: the commits between, by the commits service, and the pull requests of each, by GitHub."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

from ecs_release.api.project import Project
from ecs_release.api.view_status import MOST_PARTS
from ecs_release.domain.model.errors import Blocked, Denied, Problem
from ecs_release.domain.ports.commits import CommitRange, Commits, FullHash, Repository, Span
from ecs_release.domain.ports.protocols import Clock
from ecs_release.domain.ports.views import CodeHost, ViewSink
from ecs_release.domain.views import github
from ecs_release.domain.views.documents import mark_of
from ecs_release.engine.views.kinds import Details, Subject

MOST_COMMITS, MOST_PULLS = 60, 20
assert MOST_PULLS < MOST_PARTS, "the Deployment needs one"
_KEPT = 200
_ASKED_FOR = timedelta(minutes=10)
"""How long after its end a deployment set's commits are still asked for."""
_AGAIN_S = 15.0
_FULL, _MAX_AGE_S = 40, 60.0
_MOST_AT_ONCE, _MOST_AN_HOUR, _SOON_S, _HOUR_S = 10, 2 * MOST_COMMITS, 1.0, 3600.0
"""Commits of one object that are asked for before it is the turn of others, and in an hour."""
_MOST_REFUSED, _REFUSED_S = 3, 300.0
"""So many commits of a deployment set that are refused are asked for, and each again after so long."""


class PullRequestFinder:
    """Finds them while a deployment set is under way; afterwards those that status names are all."""

    def __init__(self, commits: Commits | None, clock: Clock) -> None:
        """Without `commits` nothing is known of commits."""
        self._commits = commits
        self._clock = clock
        self._ranges: OrderedDict[tuple[Repository, Span], tuple[str, ...]] = OrderedDict()
        self._asked: OrderedDict[str, tuple[float, set[str]]] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], tuple[Blocked, float]] = OrderedDict()

    async def details(self, sink: ViewSink, subject: Subject) -> Details:
        """Return the numbers of the pull requests. Raises Problem if GitHub does not answer, or refuses the credentials."""
        one, view, known = subject.shown, subject.view, github.numbers_of(subject.view)
        wanted = github.comments_wanted(subject.environment) and self._commits is not None and isinstance(sink, CodeHost)
        is_reminder, since = one.told is not None, one.completion_time if one.told is None else one.start_time
        if is_reminder and not one.services:
            return Details()
        is_late = since is not None and self._clock.now() > since + _ASKED_FOR
        is_shown = view is not None and view.outcome is not None and view.outcome == mark_of(one)
        if not wanted or not one.is_latest or is_shown or (is_late and (view is None or not is_reminder)):
            return Details(known)
        assert isinstance(sink, CodeHost)
        commits, is_all = await self._commits_of(subject)
        found, problems = set[int]() if is_reminder else set(known), list[Blocked]()
        asked = self._lookups(subject)
        before = len(asked)
        for commit in commits:
            if commit not in asked:
                if len(asked) >= _MOST_AN_HOUR or len(asked) >= before + _MOST_AT_ONCE:
                    is_all = False
                    break
                asked.add(commit)
            brought = await self._brought(sink, subject.address, commit)
            if isinstance(brought, Blocked):
                problems.append(brought)
            else:
                found.update(brought)
            if len(found) >= MOST_PULLS or len(problems) >= _MOST_REFUSED:
                break
        is_all = is_all and not problems
        if not is_all or len(commits) >= MOST_COMMITS or len(found) >= MOST_PULLS:
            # Of what is overdue, too, those that were told are told to wait no more only if that is known.
            found |= known
        numbers = sorted(found, key=lambda number: (number in known, number), reverse=True)[:MOST_PULLS]
        fresh = [number for number in numbers if number not in known][: MOST_PARTS - len(known)]
        again_s = None if is_all or is_late or problems else _SOON_S if len(asked) - before >= _MOST_AT_ONCE else _AGAIN_S
        return Details(frozenset(fresh) | known.intersection(numbers), again_s, problems[0] if problems and not is_late else None)

    def _lookups(self, subject: Subject) -> set[str]:
        """Return the commits that were asked for in this hour, of one object."""
        one, now_s = subject.shown.uid, self._clock.monotonic()
        began_s, asked = self._asked.pop(one, (now_s, set[str]()))
        if now_s >= began_s + _HOUR_S:
            began_s, asked = now_s, set()
        self._asked[one] = began_s, asked
        while len(self._asked) > _KEPT:
            self._asked.popitem(last=False)
        return asked

    async def _brought(self, sink: CodeHost, address: str, commit: str) -> Sequence[int] | Blocked:
        """Return the pull requests of one commit, or why that is refused: a repository may lack a commit."""
        problem, until_s = self._refused.pop((address, commit), (None, 0.0))
        if problem is not None and self._clock.monotonic() < until_s:
            self._refused[address, commit] = problem, until_s
            return problem
        try:
            return await sink.pull_requests(address, commit)
        except Denied:
            raise
        except Blocked as refused:
            self._refused[address, commit] = refused, self._clock.monotonic() + _REFUSED_S
            while len(self._refused) > _KEPT:
                self._refused.popitem(last=False)
            return refused

    async def _commits_of(self, subject: Subject) -> tuple[list[str], bool]:
        """Return the commits of all spans, newest first of each, and whether that is all."""
        repository, found, is_all = _repository(subject), dict[str, None](), True
        for span in subject.shown.spans if repository is not None else ():
            assert repository is not None
            commits = self._ranges.get((repository, span))
            if commits is None:
                commits = await self._ask(repository, span)
            is_all = is_all and commits is not None
            found |= dict.fromkeys(commits or ())
        return list(found)[:MOST_COMMITS], is_all

    async def _ask(self, repository: Repository, span: Span) -> tuple[str, ...] | None:
        """Ask the commits service. What it does not know, or whether it answers, says nothing about GitHub: None."""
        assert self._commits is not None
        try:
            before, after = await self._full_hash(repository, span.before), await self._full_hash(repository, span.after)
            if before is None or after is None:
                return None
            found = await self._commits.between(repository, before, after)
        except Problem:
            return None
        if not isinstance(found, CommitRange):
            return None
        commits = tuple(commit.hash for commit in found.commits[:MOST_COMMITS])
        self._ranges[repository, span] = commits
        while len(self._ranges) > _KEPT:
            self._ranges.popitem(last=False)
        return commits

    async def _full_hash(self, repository: Repository, commit: str) -> str | None:
        assert self._commits is not None
        if len(commit) == _FULL:
            return commit
        found = await self._commits.full_hash(repository, commit, _MAX_AGE_S)
        return found.hash if isinstance(found, FullHash) else None


def _repository(subject: Subject) -> Repository | None:
    project: Project = subject.project
    if project.spec.git is None:
        return None
    rules = subject.environment.spec.commits
    branch = (rules.branch if rules is not None else None) or project.spec.git.branch
    return Repository(project.metadata.namespace or "", project.spec.git.url, branch)
