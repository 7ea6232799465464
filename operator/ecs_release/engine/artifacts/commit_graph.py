"""Asks the commits service what decisions about commits need: in tasks of its own, so that no pass waits for long.

A pass waits for a second at most, and a few passes do so at a time; whoever has left is called again once there is an answer. The graph
does not change: how two commits relate is kept. Whether one is on the branch does: a yes counts for half a minute, a no for a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.decision.commit_rules import Answer, Answers, Question
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.commits import Commits, Membership, Relation, Repository, Unknown, UnknownReason
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.artifacts.repository_turns import RepositoryTurns

log = logging.getLogger(__name__)

_MOST, _AT_ONCE, _A_REPOSITORY, _WAITING = 20_000, 512, 2, 4
_FULL = 40
_YES_S, _UNKNOWN_S, _PASSING_S, _NO_S = 30.0, 60.0, 5.0, 2.0
_MAX_AGE_S = 10.0
_PATIENCE_S = 1.0
# The service answers that it has no answer yet after 15 s.
_GIVEN_UP_S = 30.0
_PASSING = frozenset({UnknownReason.PENDING, UnknownReason.BUSY})

_NO_SERVICE = Unknown(UnknownReason.NOT_ALLOWED, "this operator was given no address of a commits service")
_NO_REPOSITORY = Unknown(UnknownReason.NOT_ALLOWED, "the Project does not say where its commits are (spec.git)")
_LATE = Unknown(UnknownReason.PENDING, f"the commits service has given no answer for {_GIVEN_UP_S:.0f} s")


@dataclass(slots=True)
class _State:
    """What is known of a question: the latest answer, until when it counts, since when none comes, and who waits for the next."""

    answer: Answer | None = None
    until: float = -inf
    since: float | None = None
    task: asyncio.Task[None] | None = None
    waiting: set[ObjectKey] = field(default_factory=set)


class CommitGraph:
    """Answers about commits, as far as they are known now."""

    def __init__(self, commits: Commits | None, clock: Clock, again: Callable[[ObjectKey, float], None]) -> None:
        """Without `commits` nothing is known. `again` queues an object, whose answer has come, after some seconds."""
        self._commits = commits
        self._clock = clock
        self._again = again
        self._states: OrderedDict[tuple[Repository, Question], _State] = OrderedDict()
        self._tasks = 0
        self._waiters = 0
        self._turns = RepositoryTurns(_A_REPOSITORY)

    async def answers(self, key: ObjectKey, repository: Repository | None, questions: Sequence[Question]) -> Answers:
        """Return what is known of some questions. What is not, is asked, and the object is queued again once there is an answer."""
        if not questions:
            return Answers(repository)
        if self._commits is None or repository is None:
            return Answers(repository, dict.fromkeys(questions, _NO_REPOSITORY if self._commits is not None else _NO_SERVICE))
        now = self._clock.monotonic()
        states = {q: self._state(repository, q) for q in questions}
        begun = [task for q, s in states.items() if s.until <= now and (task := self._ask(self._commits, repository, q, s)) is not None]
        if begun and self._waiters < _WAITING:
            self._waiters += 1
            try:
                await asyncio.wait(begun, timeout=_PATIENCE_S)
            finally:
                self._waiters -= 1
        return self._known(key, repository, states)

    def _known(self, key: ObjectKey, repository: Repository, states: dict[Question, _State]) -> Answers:
        now = self._clock.monotonic()
        known: dict[Question, Answer] = {}
        awaited = set()
        for question, state in states.items():
            is_late = state.since is not None and now - state.since >= _GIVEN_UP_S
            if state.until > now and state.answer is not None and (state.since is None or is_late):
                known[question] = state.answer
                continue
            state.waiting.add(key)
            if state.answer is not None and _stands_meanwhile(state.answer, now - state.until):
                known[question] = state.answer
            elif is_late:
                known[question] = state.answer if isinstance(state.answer, Unknown) else _LATE
            else:
                awaited.add(question)
        return Answers(repository, known, frozenset(awaited))

    def _state(self, repository: Repository, question: Question) -> _State:
        place = (repository, question)
        state = self._states.setdefault(place, _State())
        self._states.move_to_end(place)
        while len(self._states) > _MOST:
            self._states.popitem(last=False)
        return state

    def _ask(self, commits: Commits, repository: Repository, question: Question, state: _State) -> asyncio.Task[None] | None:
        """Return the task that asks, if there is room for one."""
        if state.since is None:
            state.since = self._clock.monotonic()
        if state.task is None and self._tasks < _AT_ONCE:
            self._tasks += 1
            state.task = asyncio.create_task(self._learn(commits, repository, question, state), name=f"commits of {repository.url}")
        return state.task

    async def _learn(self, commits: Commits, repository: Repository, question: Question, state: _State) -> None:
        try:
            async with self._turns.take(repository):
                answer = await _answer(commits, repository, question)
        except Problem as problem:
            log.debug("%s", problem.message)
            answer = Unknown(UnknownReason.UNREADABLE, problem.message)
        finally:
            self._tasks -= 1
            state.task = None
        state.answer, state.until = answer, self._clock.monotonic() + _counts_s(answer)
        if not (isinstance(answer, Unknown) and answer.reason in _PASSING):
            state.since = None
        waiting, state.waiting = state.waiting, set()
        for key in waiting:
            self._again(key, 0.0)


def repository_of(environment: Environment, project: Project) -> Repository | None:
    """Return where a Project's commits are, on the branch that counts in an Environment; None if it does not say, or nobody asks."""
    rules, git = environment.spec.commits, project.spec.git
    if rules is None or git is None:
        return None
    return Repository(project.metadata.namespace or "", git.url, rules.branch or git.branch)


async def _answer(commits: Commits, repository: Repository, question: Question) -> Answer:
    """Ask. Hashes that are abbreviated are looked up first. Raises Problem."""
    commit = await full_hash(commits, repository, question.commit)
    if isinstance(commit, Unknown):
        return commit
    if not question.other:
        return await commits.membership(repository, commit, _MAX_AGE_S)
    other = await full_hash(commits, repository, question.other)
    return other if isinstance(other, Unknown) else await commits.relation(repository, commit, other)


async def full_hash(commits: Commits, repository: Repository, commit: str) -> str | Unknown:
    """Return the full hash of a commit; one that is abbreviated is looked up on the branch. Raises Problem."""
    if len(commit) == _FULL:
        return commit
    found = await commits.full_hash(repository, commit, _MAX_AGE_S)
    return found if isinstance(found, Unknown) else found.hash


def _stands_meanwhile(answer: Answer, outdated_s: float) -> bool:
    """Return whether an answer counts until the next one is there: what was refused, or not known, a moment ago."""
    if isinstance(answer, Unknown):
        return answer.reason not in _PASSING and outdated_s < _UNKNOWN_S
    return isinstance(answer, Membership) and not answer.on_branch


def _counts_s(answer: Answer) -> float:
    """Return for how many seconds an answer counts."""
    if isinstance(answer, Relation):
        return inf
    if isinstance(answer, Unknown):
        return _PASSING_S if answer.reason in _PASSING or answer.reason is UnknownReason.UNREADABLE else _UNKNOWN_S
    return _YES_S if answer.on_branch else _NO_S
