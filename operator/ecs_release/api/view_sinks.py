"""Where views are shown: GitHub and Slack, which connection of the operator is used, and what each namespace may name there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.meta import DNS_LABEL, Model
from ecs_release.api.schema import rule

Pattern = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9*?-]+$")]
RepositoryPattern = Annotated[str, Field(min_length=3, max_length=140, pattern=r"^[a-zA-Z0-9*?-]+/[a-zA-Z0-9_.*?-]+$")]
"""Owners have letters, digits and dashes, up to 39 of them; repositories up to 100 of letters, digits, ., _ and -."""
ChannelID = Annotated[str, Field(min_length=2, max_length=32, pattern=r"^[CG][A-Z0-9]+$")]
"""Slack's id of a public or a private channel: names of channels change hands."""
Credentials = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=DNS_LABEL, description="Name of one of the operator's connections, which its chart mounts."),
]
_GITHUB_NAME = (
    "self.replace('{environment}', '').replace('{namespace}', '').replace('{project}', '').replace('{serviceSet}', '')"
    ".matches('^[a-zA-Z0-9_. /-]*$')"
)

_LABEL = _GITHUB_NAME.replace("_. /-", "_. :/-")


class AllowedRepositories(Model):
    """Repositories that Projects of some namespaces may name. * and ? are wildcards."""

    namespaces: Annotated[list[Pattern], Field(min_length=1, max_length=50, description="Namespaces of the Projects.")]
    repositories: Annotated[
        list[RepositoryPattern],
        Field(min_length=1, max_length=100, description="Repositories, as owner/name, that they may name."),
    ]


class PullRequests(Model):
    """How pull requests are told of: a comment for each that a deployment set brings to the Environment for the first time."""

    label: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=50,
            description="Template of a label that a pull request gets once it is live, of {environment} {namespace} {project} {serviceSet};"
            " absent: none.",
            json_schema_extra=rule(
                _LABEL, "must be made of letters, digits, space, . _ : / - and {environment} {namespace} {project} {serviceSet}"
            ),
        ),
    ] = None


class NotifyGitHub(Model):
    """Shows each deployment set as a Deployment of GitHub in the repository that the Project's git.url names."""

    credentials: Credentials
    repositories: Annotated[
        list[AllowedRepositories], Field(min_length=1, max_length=50, description="What Projects may name: nothing else is shown.")
    ]
    environment_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="Template of the environment's name on GitHub, of {environment} {namespace} {project} {serviceSet}.",
            json_schema_extra=rule(
                _GITHUB_NAME, "must be made of letters, digits, space, . _ / - and {environment} {namespace} {project} {serviceSet}"
            ),
        ),
    ] = "{environment}"
    pull_requests: Annotated[
        PullRequests | None, Field(description="Comments on the pull requests that deployment sets bring; absent: none.")
    ] = None


class AllowedChannels(Model):
    """Channels that Projects of some namespaces may name."""

    namespaces: Annotated[list[Pattern], Field(min_length=1, max_length=50, description="Namespaces of the Projects, with wildcards.")]
    channels: Annotated[list[ChannelID], Field(min_length=1, max_length=100, description="Ids of channels, not their names.")]


class NotifySlack(Model):
    """Shows each deployment set as a message in Slack."""

    credentials: Credentials
    channel: Annotated[ChannelID | None, Field(description="Channel of Projects that name none; absent: theirs are not shown.")] = None
    channels: Annotated[
        list[AllowedChannels] | None, Field(max_length=50, description="What Projects may name in notify.slackChannel; absent: nothing.")
    ] = None


class ProjectNotify(Model):
    """Where a Project's deployment sets are shown, as far as its Environments allow that."""

    slack_channel: Annotated[
        ChannelID | None, Field(description="Id of its Slack channel; an Environment must allow it in notify.slack.channels.")
    ] = None
