"""Where deployment sets may be shown: what Projects name, as far as the Environment lists it for their namespace."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.domain.model.errors import Blocked, Waiting

_REPOSITORY = re.compile(r"[a-z0-9_-]{1,39}/(?!\.{1,2}$)[a-z0-9._-]{1,100}")
"""GitHub has no other names, and what else a path may hold leads to another one."""


def repository_of(environment: Environment, project: Project, host: str) -> str:
    """Return the repository that a Project is shown in, as owner/name in lower case (GitHub does not tell cases apart).

    `host` is that of the connection's repositories. Raises Waiting if it names none, and Blocked(TargetNotAllowed).
    """
    github = environment.spec.notify.github if environment.spec.notify else None
    assert github is not None, "only Environments that are shown on GitHub"
    if project.spec.git is None:
        raise Waiting(Reason.NOT_ATTEMPTED, f"Project {_name(project)} names no repository in spec.git.url")
    url = urlsplit(project.spec.git.url)
    repository = url.path.strip("/").removesuffix(".git").lower()
    if url.netloc.lower() != host or not _REPOSITORY.fullmatch(repository):
        said = f"Project {_name(project)}: git.url is no repository https://{host}/OWNER/NAME, which these credentials are for"
        raise Blocked(Reason.TARGET_NOT_ALLOWED, said)
    namespace = project.metadata.namespace or ""
    for rule in github.repositories:
        if any(fnmatchcase(namespace, one) for one in rule.namespaces) and any(_fits(repository, one.lower()) for one in rule.repositories):
            return repository
    raise Blocked(
        Reason.TARGET_NOT_ALLOWED,
        f"Environment {environment.metadata.name!r} does not list repository {repository!r} for namespace {namespace!r}: ask its owner to"
        " add it to spec.notify.github.repositories",
    )


def channel_of(environment: Environment, project: Project) -> str:
    """Return the id of the channel that a Project is shown in. Raises Waiting if there is none, and Blocked(TargetNotAllowed)."""
    slack = environment.spec.notify.slack if environment.spec.notify else None
    assert slack is not None, "only Environments that are shown in Slack"
    channel = project.spec.notify.slack_channel if project.spec.notify else None
    if channel is None or channel == slack.channel:
        if slack.channel is None:
            raise Waiting(Reason.NOT_ATTEMPTED, f"neither Project {_name(project)} nor the Environment names a channel")
        return slack.channel
    namespace = project.metadata.namespace or ""
    if any(channel in rule.channels and any(fnmatchcase(namespace, one) for one in rule.namespaces) for rule in slack.channels or ()):
        return channel
    raise Blocked(
        Reason.TARGET_NOT_ALLOWED,
        f"Environment {environment.metadata.name!r} does not list channel {channel!r} for namespace {namespace!r}: ask its owner to add it"
        " to spec.notify.slack.channels",
    )


def _fits(repository: str, pattern: str) -> bool:
    """Return whether a repository fits a pattern: no wildcard stands for the slash."""
    owner, _, name = repository.partition("/")
    its_owner, _, its_name = pattern.partition("/")
    return fnmatchcase(owner, its_owner) and fnmatchcase(name, its_name)


def _name(project: Project) -> str:
    return f"{project.metadata.namespace}/{project.metadata.name}"
