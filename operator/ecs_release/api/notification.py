"""Notifications about Releases and ReleaseSets: a CloudEvents 1.0 envelope, and what happened to which object.

CloudEvents 1.0.2 (github.com/cloudevents/spec): names of attributes are lower-case letters and digits, `source` and `id` together name
an event, `subject` what it is about.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from ecs_release.api.bounded_types import Arn, Count, LeadTime, StatusDigest, Text, Word, text_of
from ecs_release.api.commits import AttemptCommits
from ecs_release.api.hook_status import Intervention
from ecs_release.api.meta import Model, Time
from ecs_release.api.schema import json_schema

SPEC_VERSION, CONTENT_TYPE = "1.0", "application/json"
SCHEMA_FILE = "notification.schema.json"
_TYPE = r"^dev\.ecs-release\.(deployment|deployment-set|release)\.[a-z-]+\.v1$"


class NotificationType(StrEnum):
    """The types of notifications. More may come; an existing one keeps its meaning, or becomes v2."""

    STARTED = "dev.ecs-release.deployment.started.v1"
    SUCCEEDED = "dev.ecs-release.deployment.succeeded.v1"
    FAILED = "dev.ecs-release.deployment.failed.v1"
    ROLLED_BACK = "dev.ecs-release.deployment.rolled-back.v1"
    DRIFTED = "dev.ecs-release.release.drifted.v1"
    IN_SYNC = "dev.ecs-release.release.in-sync.v1"
    OVERDUE = "dev.ecs-release.release.overdue.v1"
    SET_STARTED = "dev.ecs-release.deployment-set.started.v1"
    SET_SUCCEEDED = "dev.ecs-release.deployment-set.succeeded.v1"
    SET_FAILED = "dev.ecs-release.deployment-set.failed.v1"
    SET_ROLLED_BACK = "dev.ecs-release.deployment-set.rolled-back.v1"


class NotifiedImage(Model):
    """A container's image before and after. In a drift: what was wanted, and what runs; overdue: what runs, and what is to be promoted."""

    container: Annotated[Word, Field(description="Container.")]
    from_digest: Annotated[StatusDigest | None, Field(description="Digest before.")] = None
    from_hash: Annotated[Word | None, Field(description="Release hash before.")] = None
    to_digest: Annotated[StatusDigest | None, Field(description="Digest after.")] = None
    to_hash: Annotated[Word | None, Field(description="Release hash after.")] = None
    unlisted: Annotated[
        bool | None, Field(description="True for a container that the Project does not list: its image was not changed by the operator.")
    ] = None


class NotifiedTarget(Model):
    """Where it happened."""

    account_id: Annotated[Word, Field(description="AWS account.")]
    region: Annotated[Word, Field(description="AWS region.")]
    cluster: Annotated[Word | None, Field(description="ECS cluster.")] = None
    service_arn: Annotated[Arn | None, Field(description="ECS service.")] = None


class NotifiedPerson(Model):
    """Who started the deployment that runs, by CloudTrail."""

    arn: Annotated[Arn | None, Field(description="Identity.")] = None
    user_agent: Annotated[Text | None, Field(description="Its tool.")] = None


Subject = Annotated[str, Field(max_length=120), BeforeValidator(text_of(120)), PlainSerializer(text_of(120))]
Name = Annotated[str, Field(max_length=60), BeforeValidator(text_of(60)), PlainSerializer(text_of(60))]


class NotifiedCommit(Model):
    """A commit, as its author and committer have written it."""

    hash: Annotated[Word, Field(description="Its hash.")]
    subject: Annotated[Subject, Field(description="The first line of its message.")]
    author: Annotated[Name, Field(description="Its author's name.")]
    committed_time: Annotated[Time | None, Field(description="When it was committed.")] = None


class NotificationData(Model):
    """What happened, to what, why, and who wanted it. What is not known is left out."""

    installation: Annotated[Word, Field(description="The operator's installation.")]
    environment: Annotated[Word, Field(description="The Environment.")]
    kind: Annotated[Word, Field(description="Release or ReleaseSet.")]
    namespace: Annotated[Word, Field(description="Its namespace.")]
    name: Annotated[Word, Field(description="Its name.")]
    uid: Annotated[Word, Field(description="Its uid.")]
    project: Annotated[Word, Field(description="Its Project.")]
    service_set: Annotated[Word | None, Field(description="The service set.")] = None
    service: Annotated[Word | None, Field(description="The Project's service, of a Release.")] = None
    services: Annotated[list[Word] | None, Field(max_length=50, description="The services, of a ReleaseSet.")] = None
    release_set: Annotated[Word | None, Field(description="The ReleaseSet that a Release belongs to.")] = None
    target: Annotated[NotifiedTarget, Field(description="Where.")]
    promoted_from: Annotated[
        Word | None, Field(description="Of an overdue promotion: the Environment where `hash` and the images are proven to run.")
    ] = None
    reminder: Annotated[Count | None, Field(description="How often that is said by now, this time included.")] = None
    attempt_id: Annotated[Word | None, Field(description="Id of the deployment or deployment set, from start to end.")] = None
    hash: Annotated[Word | None, Field(description="Release hash or tag that was asked for; overdue: that is to be promoted.")] = None
    images: Annotated[list[NotifiedImage] | None, Field(max_length=20, description="From what to what.")] = None
    cause: Annotated[Word | None, Field(description="Why the deployment was made: Requested, Retry, Rollback, ...; more may come.")] = None
    outcome: Annotated[Word | None, Field(description="How it ended: Succeeded, RolledBack, RolloutFailed, ...; more may come.")] = None
    message: Annotated[Text | None, Field(description="What happened, in a sentence.")] = None
    commit_range: Annotated[AttemptCommits | None, Field(description="The commits that it brings, if known.")] = None
    commits: Annotated[
        list[NotifiedCommit] | None,
        Field(max_length=20, description="The newest 20 of them; absent if the operator does not have them any more."),
    ] = None
    interventions: Annotated[
        list[Intervention] | None, Field(max_length=20, description="Who had ECS go on with it or go back, as far as known by then.")
    ] = None
    lead_time_seconds: Annotated[
        LeadTime | None, Field(description="From the oldest commit that it brings to its success, by the committer's claim.")
    ] = None
    window: Annotated[Text | None, Field(description="The closed window that it passed, and by what right.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    reason: Annotated[Text | None, Field(description="The reason of the retry or refresh that began it.")] = None
    url: Annotated[Arn | None, Field(description="Pull request or build.")] = None
    revision: Annotated[Word | None, Field(description="Git revision of the manifests.")] = None
    ticket: Annotated[Word | None, Field(description="Ticket.")] = None
    task_definition: Annotated[Arn | None, Field(description="Revision.")] = None
    deployment_id: Annotated[Word | None, Field(description="ECS deployment. In a drift: the one that is not the Release's.")] = None
    changed_by: Annotated[NotifiedPerson | None, Field(description="In a drift: who started that deployment, if known.")] = None
    start_time: Annotated[Time | None, Field(description="When the deployment, the drift, or the waiting for a promotion began.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None
    links: Annotated[dict[str, Arn] | None, Field(max_length=10, description="Console pages, by name: service, events.")] = None


class Notification(Model):
    """A notification: CloudEvents 1.0 in structured JSON."""

    specversion: Annotated[str, Field(max_length=8, description="CloudEvents version.")] = SPEC_VERSION
    id: Annotated[str, Field(min_length=1, max_length=128, description="The same whenever this notification is sent: deduplicate by it.")]
    source: Annotated[str, Field(min_length=1, max_length=256, description="//ecs-release.dev/INSTALLATION/ENVIRONMENT")]
    type: Annotated[str, Field(max_length=128, pattern=_TYPE, description="What happened.")]
    subject: Annotated[str, Field(min_length=1, max_length=256, description="release/NAMESPACE/NAME, or releaseset/NAMESPACE/NAME")]
    time: Annotated[Time, Field(description="When it happened.")]
    datacontenttype: Annotated[str, Field(max_length=64, description="Type of data.")] = CONTENT_TYPE
    data: Annotated[NotificationData, Field(description="What happened.")]

    def to_json(self) -> str:
        """Return it as it is sent: one line of ASCII, without what is not known."""
        return json.dumps(self.to_kubernetes(), separators=(",", ":"))


def schema() -> dict[str, Any]:
    """Return the published JSON schema."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **json_schema(Notification), "title": "ecs-release notification"}
