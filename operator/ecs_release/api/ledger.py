"""What the ledger keeps: an entry when an attempt starts, another when it ends, and the current record of each service.

One DynamoDB table an installation (docs/reference/ledger.md). Entries are only added; current records are replaced. All that is read from
the ledger has these models, so that the operator, the kubectl plugin and other readers of the table share one description.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Arn, LeadTime, ReleaseNumber, StatusDigest, Text, Word
from ecs_release.api.commits import AttemptCommits
from ecs_release.api.hook_status import Intervention
from ecs_release.api.meta import MicroTime, Model
from ecs_release.api.release_status import Evidence


class Stage(StrEnum):
    """Which of an attempt's entries this is: each has one start and one end."""

    START = "start"
    END = "end"
    LATE = "late"
    """A later verdict, if the one at the end was not the last: it came up after its deadline, or was rolled back late."""


class LedgerImage(Model):
    """A container's image before and after; sidecars, which are not changed, are `unlisted`."""

    container: Annotated[Word, Field(description="Container.")]
    repository: Annotated[Text | None, Field(description="Registry and repository.")] = None
    from_digest: Annotated[StatusDigest | None, Field(description="Digest before.")] = None
    from_hash: Annotated[Word | None, Field(description="Release hash before.")] = None
    to_digest: Annotated[StatusDigest | None, Field(description="Digest after.")] = None
    to_hash: Annotated[Word | None, Field(description="Release hash after.")] = None
    unlisted: Annotated[bool | None, Field(description="True for a container that the Project does not list.")] = None


class LedgerService(Model):
    """Which service, and where: what all entries and the current record of a service begin with."""

    installation: Annotated[Word, Field(description="The operator's installation.")]
    namespace: Annotated[Word, Field(description="Namespace of Project and Release.")]
    project: Annotated[Word, Field(description="Project.")]
    service_set: Annotated[Word | None, Field(description="Service set.")] = None
    service: Annotated[Word, Field(description="The Project's service.")]
    environment: Annotated[Word, Field(description="Environment.")]
    account_id: Annotated[Word | None, Field(description="AWS account.")] = None
    region: Annotated[Word | None, Field(description="AWS region.")] = None
    cluster: Annotated[Word | None, Field(description="ECS cluster.")] = None
    service_arn: Annotated[Arn | None, Field(description="ECS service.")] = None
    release: Annotated[Word | None, Field(description="Name of the Release.")] = None
    release_uid: Annotated[Word | None, Field(description="Its uid.")] = None


class LedgerEntry(LedgerService):
    """An attempt's start, its end, or a later verdict: who, why, when, from which digests to which, and how it ended.

    `requested_by` is a claim of whoever wrote the spec; `applied_by` is the user that the API server had authenticated;
    `changed_by` is, of somebody else's deployment (cause Foreign), the identity that CloudTrail names.
    """

    attempt_id: Annotated[Word, Field(description="Id of the attempt; the same at start and end.")]
    stage: Annotated[Stage, Field(description="start, end or late.")]
    number: Annotated[ReleaseNumber | None, Field(description="Release number in the Project: what was deployed.")] = None
    cause: Annotated[
        Word | None, Field(description="Requested, Retry, Rollback, DriftCorrection, BaseRevisionChanged, Adopted, Foreign; more may come.")
    ] = None
    hash: Annotated[Word | None, Field(description="Release hash or tag that was asked for.")] = None
    source_hash: Annotated[Word | None, Field(description="Hash of the source.")] = None
    release_set: Annotated[Word | None, Field(description="The ReleaseSet that the Release belongs to.")] = None
    set_source_hash: Annotated[Word | None, Field(description="Hash of the set's source.")] = None
    images: Annotated[list[LedgerImage] | None, Field(max_length=20, description="From what to what.")] = None
    task_definition: Annotated[Arn | None, Field(description="Revision.")] = None
    deployment_id: Annotated[Word | None, Field(description="ECS deployment.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    changed_by: Annotated[Arn | None, Field(description="Of a foreign deployment: who started it, by CloudTrail.")] = None
    user_agent: Annotated[Text | None, Field(description="Of a foreign deployment: with which tool.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    url: Annotated[Arn | None, Field(description="Pull request or build.")] = None
    revision: Annotated[Word | None, Field(description="Git revision of the manifests.")] = None
    ticket: Annotated[Word | None, Field(description="Ticket.")] = None
    reason: Annotated[Text | None, Field(description="The reason of the retry or refresh that began it.")] = None
    window: Annotated[Text | None, Field(description="The closed window that it passed, and by what right.")] = None
    commits: Annotated[Text | None, Field(description="By what right it began although the commit graph speaks against it.")] = None
    commit_range: Annotated[AttemptCommits | None, Field(description="The commits that it brings, at its end, if known by then.")] = None
    lead_time_seconds: Annotated[
        LeadTime | None, Field(description="From the oldest commit that it brings to its success, by the committer's claim.")
    ] = None
    interventions: Annotated[
        list[Intervention] | None, Field(max_length=20, description="Who had ECS go on with it or go back, at its end: newest last.")
    ] = None
    requested_time: Annotated[MicroTime | None, Field(description="When the operator first saw the request.")] = None
    start_time: Annotated[MicroTime, Field(description="When the attempt began.")]
    completion_time: Annotated[MicroTime | None, Field(description="When it ended.")] = None
    outcome: Annotated[Word | None, Field(description="How it ended.")] = None
    message: Annotated[Text | None, Field(description="The same in a sentence.")] = None
    evidence: Annotated[list[Evidence] | None, Field(max_length=3, description="Tasks that failed.")] = None
    request_id: Annotated[Word | None, Field(description="AWS's id of the UpdateService request.")] = None


class CurrentImage(Model):
    """A container's image."""

    container: Annotated[Word, Field(description="Container.")]
    digest: Annotated[StatusDigest | None, Field(description="Digest.")] = None
    hash: Annotated[Word | None, Field(description="Release hash, if known.")] = None


class CurrentPart(Model):
    """One of the three parts of a current record: what is wanted, what was deployed last, what was observed last."""

    images: Annotated[list[CurrentImage] | None, Field(max_length=30, description="Image of each container.")] = None
    hash: Annotated[Word | None, Field(description="Release hash, tag or short digest, for people.")] = None
    number: Annotated[ReleaseNumber | None, Field(description="Release number.")] = None
    source_hash: Annotated[Word | None, Field(description="Hash of the source.")] = None
    pin_id: Annotated[Word | None, Field(description="Id of what the source was resolved to.")] = None
    attempt_id: Annotated[Word | None, Field(description="The attempt that deployed it.")] = None
    cause: Annotated[Word | None, Field(description="Cause of that attempt.")] = None
    outcome: Annotated[Word | None, Field(description="How that attempt ended; absent while it is under way.")] = None
    message: Annotated[Text | None, Field(description="The same in a sentence.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as claimed.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as authenticated.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    task_definition: Annotated[Arn | None, Field(description="Revision.")] = None
    deployment_id: Annotated[Word | None, Field(description="ECS deployment.")] = None
    time: Annotated[MicroTime | None, Field(description="Since when this is so.")] = None


class LedgerCurrent(LedgerService):
    """What is wanted, deployed and observed of one service in one environment now."""

    wanted: Annotated[CurrentPart | None, Field(description="What the Release asks for, resolved.")] = None
    deployed: Annotated[CurrentPart | None, Field(description="The latest attempt.")] = None
    ready: Annotated[CurrentPart | None, Field(description="What the Release was Ready on last.")] = None
    observed: Annotated[CurrentPart | None, Field(description="What tasks run.")] = None
    foreign: Annotated[CurrentPart | None, Field(description="A foreign deployment that has not ended, and what ran before it.")] = None
    drifted: Annotated[bool | None, Field(description="True if something else runs than what is wanted.")] = None
    deleted_time: Annotated[MicroTime | None, Field(description="When the Release was deleted; nothing in AWS was touched.")] = None
    observed_time: Annotated[MicroTime, Field(description="When this was observed: an older record never replaces a newer one.")]


class LedgerRelease(Model):
    """A numbered release of a Project: the artifacts that it means. The same artifacts have the same number wherever they are deployed."""

    namespace: Annotated[Word, Field(description="Namespace of the Project.")]
    project: Annotated[Word, Field(description="Project.")]
    number: Annotated[ReleaseNumber, Field(description="Its number.")]
    service_set: Annotated[Word | None, Field(description="Service set, of a release of a set.")] = None
    hash: Annotated[Word | None, Field(description="Release hash or tag that was asked for first.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it first, as claimed.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it first, as authenticated.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    url: Annotated[Arn | None, Field(description="Pull request or build.")] = None
    time: Annotated[MicroTime, Field(description="When it was recorded.")]
