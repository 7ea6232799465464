"""The kinds of sinks that there are. A new one: its document in `domain.views`, its calls in a room beside `aws`, and a line here."""

from __future__ import annotations

from dataclasses import replace

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.ports.commits import Commits
from ecs_release.domain.ports.protocols import Clock
from ecs_release.domain.ports.views import Part, ViewSink
from ecs_release.domain.views import allowed, github, slack
from ecs_release.engine.views.kinds import Details, SinkKind, Subject
from ecs_release.engine.views.pull_requests import PullRequestFinder


def _github_credentials(environment: Environment) -> str:
    notify = environment.spec.notify
    return notify.github.credentials if notify is not None and notify.github is not None else ""


def _repository(environment: Environment, project: Project, sink: ViewSink) -> str:
    return allowed.repository_of(environment, project, sink.site)


def _github_document(subject: Subject, details: Details) -> tuple[Part, ...]:
    former = github.numbers_of(subject.view)
    return github.document(subject.shown, subject.environment, subject.address, details.pull_requests, former, subject.view)


GITHUB = SinkKind("github", ConditionType.SHOWN_ON_GITHUB, _github_credentials, _repository, _github_document)


def _slack_credentials(environment: Environment) -> str:
    notify = environment.spec.notify
    return notify.slack.credentials if notify is not None and notify.slack is not None else ""


def _channel(environment: Environment, project: Project, _sink: ViewSink) -> str:
    return allowed.channel_of(environment, project)


def _slack_document(subject: Subject, _details: Details) -> tuple[Part, ...]:
    pull_requests = github.pull_requests(subject.shown, subject.views, subject.project.spec.git)
    return slack.document(subject.shown, subject.view, pull_requests)


SLACK = SinkKind("slack", ConditionType.SHOWN_IN_SLACK, _slack_credentials, _channel, _slack_document)


def kinds_of_sinks(commits: Commits | None, clock: Clock) -> tuple[SinkKind, ...]:
    """Return the kinds of sinks. Without `commits` nothing is known of the commits that a deployment set brings."""
    return (replace(GITHUB, details=PullRequestFinder(commits, clock).details), SLACK)
