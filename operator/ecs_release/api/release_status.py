"""A Release's status: what was resolved, what runs, what is under way, and what was done before."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Arn, Count, ExitCode, Generation, LeadTime, Percent, ReleaseNumber, StatusDigest, Text, Word
from ecs_release.api.commits import AttemptCommits
from ecs_release.api.conditions import Condition
from ecs_release.api.drift_status import Drift, LastDrift
from ecs_release.api.hook_status import Intervention, OpenHook
from ecs_release.api.meta import MicroTime, Model, Time
from ecs_release.api.promotion import AwaitedPromotion
from ecs_release.api.record_status import AttemptRecord, ForeignDeployment, LedgerStatus
from ecs_release.api.schema import list_map
from ecs_release.api.suspension import SuspensionEnd
from ecs_release.api.view_status import MOST_VIEWS, View
from ecs_release.api.windows import ClosedWindow

UNKNOWN_PLATFORMS = "Unknown"
"""What `platforms` of a pinned image says while ECR has not been asked."""


class PinnedImage(Model):
    """The image that a container is to run."""

    container: Annotated[Word, Field(description="Container.")]
    repository: Annotated[Text | None, Field(description="Registry and repository.")] = None
    tag: Annotated[Word | None, Field(description="The tag that it was found by.")] = None
    digest: Annotated[StatusDigest | None, Field(description="Its digest.")] = None
    release_hash: Annotated[Word | None, Field(description="Its release hash.")] = None
    pushed_time: Annotated[Time | None, Field(description="When it was pushed.")] = None
    platform_digests: Annotated[
        list[StatusDigest] | None, Field(max_length=50, description="Of a manifest list: the digests of its platforms' images.")
    ] = None
    platforms: Annotated[
        Word | None,
        Field(
            description="Unknown until ECR has told whether it is a manifest list, and of which images: another digest is no difference"
            " then. Absent if that is known."
        ),
    ] = None


class Pin(Model):
    """What the source was resolved to: it stays so until the source changes or a refresh is requested."""

    id: Annotated[Word | None, Field(description="Its id, which attempts name; each time that a source is resolved anew has its own.")] = (
        None
    )
    source_hash: Annotated[Word | None, Field(description="Hash of the source that was resolved.")] = None
    resolved_time: Annotated[MicroTime | None, Field(description="When it was resolved.")] = None
    images: Annotated[
        list[PinnedImage] | None, Field(max_length=10, description="One for each container.", json_schema_extra=list_map("container"))
    ] = None


class TargetStatus(Model):
    """The ECS service that the Release is deployed to."""

    account_id: Annotated[Word | None, Field(description="AWS account.")] = None
    region: Annotated[Word | None, Field(description="AWS region.")] = None
    cluster: Annotated[Word | None, Field(description="ECS cluster.")] = None
    service_arn: Annotated[Arn | None, Field(description="ECS service.")] = None
    service_created_time: Annotated[
        MicroTime | None, Field(description="When the service was created: one of the same name may be another.")
    ] = None


class RunningDigest(Model):
    """A digest and in how many running tasks it was seen."""

    digest: Annotated[StatusDigest | None, Field(description="Digest; absent if ECS does not report it.")] = None
    tasks: Annotated[Count | None, Field(description="Number of running tasks; 0: it ran last, and no task runs now.")] = None
    release_hash: Annotated[Word | None, Field(description="Its release hash, if known.")] = None


class RunningContainer(Model):
    """What one container runs, in all running tasks."""

    name: Annotated[Word, Field(description="Container, sidecars too.")]
    digests: Annotated[list[RunningDigest] | None, Field(max_length=20, description="Digests seen, most frequent first.")] = None


class ChangedBy(Model):
    """Who changed the service last."""

    arn: Annotated[Arn | None, Field(description="Identity.")] = None
    user_agent: Annotated[Text | None, Field(description="Its tool.")] = None
    time: Annotated[Time | None, Field(description="When.")] = None


class Running(Model):
    """What runs."""

    hash: Annotated[Word | None, Field(description="Release hash that runs, else a short digest.")] = None
    task_definition: Annotated[Arn | None, Field(description="Revision that the service names.")] = None
    containers: Annotated[
        list[RunningContainer] | None, Field(max_length=30, description="Digests of every container.", json_schema_extra=list_map("name"))
    ] = None
    running_count: Annotated[Count | None, Field(description="Running tasks; 1000000: that many or more.")] = None
    desired_count: Annotated[Count | None, Field(description="Desired tasks; 1000000: that many or more.")] = None
    pending_count: Annotated[Count | None, Field(description="Pending tasks; 1000000: that many or more.")] = None
    since_time: Annotated[Time | None, Field(description="Since when these digests run, as far as was seen.")] = None
    deployment_id: Annotated[Word | None, Field(description="PRIMARY deployment.")] = None
    deployment_created_time: Annotated[MicroTime | None, Field(description="When ECS created that deployment, by AWS's clock.")] = None
    under_way_since_time: Annotated[
        MicroTime | None,
        Field(
            description="Since when that deployment was seen under way; absent if it is done, or ECS waits on purpose. ECS may roll back"
            " to a deployment by its old id and time of creation."
        ),
    ] = None
    changed_by: Annotated[ChangedBy | None, Field(description="Who changed the service last.")] = None


class HealthStatus(Model):
    """Since when too few tasks run, or enough again after too few were reported."""

    state: Annotated[
        Word | None,
        Field(description="TooFewTasks: for too short a time to be reported; TasksUnhealthy; Recovering: enough run again since then."),
    ] = None
    since_time: Annotated[MicroTime | None, Field(description="Since when too few tasks run or, if it is recovering, enough.")] = None
    desired_count: Annotated[
        Count | None, Field(description="Desired tasks when there began to be too few; 1000000: that many or more.")
    ] = None


class Intent(Model):
    """What is about to be done in AWS, written before it is done."""

    action: Annotated[Word | None, Field(description="The AWS call, such as UpdateService; RollBack: UpdateService back.")] = None
    deployments: Annotated[list[Word] | None, Field(max_length=50, description="Ids of the deployments listed before.")] = None
    primary_id: Annotated[Word | None, Field(description="The one of them that was PRIMARY.")] = None
    task_definition: Annotated[Arn | None, Field(description="The wanted revision.")] = None
    aws_time: Annotated[Time | None, Field(description="AWS's clock before.")] = None
    accepted_time: Annotated[MicroTime | None, Field(description="When AWS had accepted it.")] = None


class ImageChange(Model):
    """A container's image before and after."""

    container: Annotated[Word, Field(description="Container.")]
    from_digest: Annotated[StatusDigest | None, Field(description="Digest before.")] = None
    to_digest: Annotated[StatusDigest | None, Field(description="Digest after.")] = None
    from_hash: Annotated[Word | None, Field(description="Release hash before.")] = None
    to_hash: Annotated[Word | None, Field(description="Release hash after.")] = None
    tag_digest: Annotated[StatusDigest | None, Field(description="What the environment's tag pointed to before, if that is moved.")] = None
    unlisted: Annotated[
        bool | None, Field(description="True for a container that the Project does not list: its image was not changed by the operator.")
    ] = None


class PlatformDigests(Model):
    """The digests that tasks may show for a container's image, which is a manifest list."""

    container: Annotated[Word, Field(description="Container.")]
    digests: Annotated[list[StatusDigest] | None, Field(max_length=50, description="Of its platforms' images.")] = None


class Evidence(Model):
    """A task that failed, and what it left."""

    task: Annotated[Arn | None, Field(description="Task.")] = None
    container: Annotated[Word | None, Field(description="Container.")] = None
    exit_code: Annotated[ExitCode | None, Field(description="Exit code.")] = None
    reason: Annotated[Text | None, Field(description="Why it stopped.")] = None
    stop_code: Annotated[Word | None, Field(description="ECS's stop code.")] = None
    log_group: Annotated[Text | None, Field(description="CloudWatch log group.")] = None
    log_stream: Annotated[Text | None, Field(description="CloudWatch log stream.")] = None
    link: Annotated[Arn | None, Field(description="Console page of the log stream, else of the task.")] = None


class Links(Model):
    """Where to look further."""

    service: Annotated[Arn | None, Field(description="Console page of the service's deployments.")] = None
    events: Annotated[Arn | None, Field(description="Console page of the service's events.")] = None


class RolloutProgress(Model):
    """How far an attempt's deployment has ever been. Only what goes beyond that is progress."""

    new_tasks: Annotated[Count | None, Field(description="Most new tasks that ran at once; 1000000: that many or more.")] = None
    old_tasks: Annotated[Count | None, Field(description="Fewest old tasks that were left; 1000000: that many or more.")] = None
    traffic_percent: Annotated[Percent | None, Field(description="Most production traffic on the new revision.")] = None
    stages: Annotated[list[Word] | None, Field(max_length=20, description="Stages that it has reached.")] = None


class Rollout(Model):
    """The latest attempt to deploy what the Release wants."""

    attempt_id: Annotated[Word, Field(description="Its id, also on the task definition.")]
    cause: Annotated[Word | None, Field(description="Requested, Retry, Adopted, ...")] = None
    source_hash: Annotated[Word | None, Field(description="Hash of the source that it was made for.")] = None
    pin_id: Annotated[Word | None, Field(description="Id of the pin that it was made for.")] = None
    window: Annotated[Text | None, Field(description="The closed window that it passed, and by what right.")] = None
    commits: Annotated[Text | None, Field(description="By what right it began although the commit graph speaks against it.")] = None
    intent: Annotated[Intent | None, Field(description="The last thing that was or is to be done in AWS.")] = None
    deployment_id: Annotated[Word | None, Field(description="The ECS deployment that is followed.")] = None
    service_deployment_arn: Annotated[Arn | None, Field(description="Its service deployment.")] = None
    task_definition: Annotated[Arn | None, Field(description="Its revision.")] = None
    stage: Annotated[Word | None, Field(description="What ECS reports: its lifecycle stage, else its rollout state.")] = None
    traffic_percent: Annotated[Percent | None, Field(description="Production traffic on the new revision.")] = None
    request_id: Annotated[Word | None, Field(description="AWS's id of the UpdateService request.")] = None
    refused_time: Annotated[
        MicroTime | None,
        Field(description="Since when AWS refuses the announced call; absent if it was not refused, or was accepted since."),
    ] = None
    awaiting: Annotated[Text | None, Field(description="Lifecycle hook that awaits action, and its stage.")] = None
    hooks: Annotated[list[OpenHook] | None, Field(max_length=10, description="Lifecycle hooks that await action.")] = None
    interventions: Annotated[
        list[Intervention] | None, Field(max_length=20, description="Who had ECS go on with it or go back, newest last.")
    ] = None
    message: Annotated[Text | None, Field(description="How far it is, or how it ended.")] = None
    rollback_target: Annotated[Arn | None, Field(description="Revision that ran before.")] = None
    environment_tag: Annotated[
        Word | None, Field(description="What became of the environment's tag: Moved, Returned, TakenOver by somebody, Kept; more may come.")
    ] = None
    start_time: Annotated[MicroTime | None, Field(description="When it began.")] = None
    progress: Annotated[RolloutProgress | None, Field(description="How far it has ever been.")] = None
    last_progress_time: Annotated[
        MicroTime | None,
        Field(
            description="Since when it has made no progress; absent while ECS waits on purpose (a hook, bake time). Time in which AWS could"
            " not be read does not count."
        ),
    ] = None
    completion_time: Annotated[MicroTime | None, Field(description="When it ended.")] = None
    outcome: Annotated[Word | None, Field(description="How it ended; absent while it is under way.")] = None
    images: Annotated[
        list[ImageChange] | None, Field(max_length=20, description="What it changes.", json_schema_extra=list_map("container"))
    ] = None
    platform_digests: Annotated[
        list[PlatformDigests] | None,
        Field(
            max_length=10,
            description="Of images that are manifest lists: what tasks show instead, as far as it was known when the attempt began.",
            json_schema_extra=list_map("container"),
        ),
    ] = None
    evidence: Annotated[list[Evidence] | None, Field(max_length=3, description="Tasks that failed.")] = None
    links: Annotated[Links | None, Field(description="Where to look further.")] = None


class PlannedImage(Model):
    """A container's image now and as it would be."""

    container: Annotated[Word, Field(description="Container.")]
    from_digest: Annotated[StatusDigest | None, Field(description="Digest now.")] = None
    from_hash: Annotated[Word | None, Field(description="Release hash now.")] = None
    to_digest: Annotated[StatusDigest | None, Field(description="Digest wanted.")] = None
    to_hash: Annotated[Word | None, Field(description="Release hash wanted.")] = None


class Plan(Model):
    """What would be done, and what keeps it from being done."""

    images: Annotated[
        list[PlannedImage] | None, Field(max_length=10, description="From what to what.", json_schema_extra=list_map("container"))
    ] = None
    blocked_by: Annotated[list[Text] | None, Field(max_length=10, description="What must happen first.")] = None
    message: Annotated[Text | None, Field(description="The same in a sentence.")] = None


class HistoryEntry(Model):
    """An attempt: who, why, when, from what to what, and how it ended."""

    attempt_id: Annotated[Word, Field(description="Its id.")]
    cause: Annotated[Word | None, Field(description="Why it was made.")] = None
    source_hash: Annotated[Word | None, Field(description="Hash of its source.")] = None
    pin_id: Annotated[Word | None, Field(description="Id of its pin.")] = None
    window: Annotated[Text | None, Field(description="The closed window that it passed, and by what right.")] = None
    commits: Annotated[Text | None, Field(description="By what right it began although the commit graph speaks against it.")] = None
    commit_range: Annotated[AttemptCommits | None, Field(description="The commits that it brings, if known by its end.")] = None
    lead_time_seconds: Annotated[
        LeadTime | None, Field(description="From the oldest commit that it brings to its success, by the committer's claim.")
    ] = None
    outcome: Annotated[Word | None, Field(description="How it ended; absent while it is under way.")] = None
    message: Annotated[Text | None, Field(description="How it ended, in a sentence.")] = None
    hash: Annotated[Word | None, Field(description="Release hash or tag that was asked for.")] = None
    images: Annotated[
        list[ImageChange] | None, Field(max_length=20, description="From what to what.", json_schema_extra=list_map("container"))
    ] = None
    task_definition: Annotated[Arn | None, Field(description="Revision.")] = None
    deployment_id: Annotated[Word | None, Field(description="ECS deployment.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    reason: Annotated[Text | None, Field(description="The reason of the retry or refresh that began it.")] = None
    url: Annotated[Arn | None, Field(description="Pull request or build.")] = None
    revision: Annotated[Word | None, Field(description="Git revision of the manifests.")] = None
    ticket: Annotated[Word | None, Field(description="Ticket.")] = None
    interventions: Annotated[
        list[Intervention] | None, Field(max_length=20, description="Who had ECS go on with it or go back, newest last.")
    ] = None
    number: Annotated[ReleaseNumber | None, Field(description="Release number in the ledger: the same artifacts have the same one.")] = None
    record: Annotated[AttemptRecord | None, Field(description="What the ledger has of it, and needs.")] = None
    start_time: Annotated[Time | None, Field(description="When it began.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None


class RefusedRequest(Model):
    """A request that was refused, and why."""

    request: Annotated[Word, Field(description="Its annotation, such as retry.")]
    token: Annotated[Text | None, Field(description="Its value.")] = None
    message: Annotated[Text | None, Field(description="Why it was refused, and how to ask.")] = None


class ReadyImage(Model):
    """An image that was Ready."""

    container: Annotated[Word, Field(description="Container.")]
    digest: Annotated[StatusDigest | None, Field(description="Digest.")] = None
    release_hash: Annotated[Word | None, Field(description="Release hash.")] = None


class LastReady(Model):
    """The pin that the Release was Ready on last."""

    source_hash: Annotated[Word | None, Field(description="Hash of its source.")] = None
    pin_id: Annotated[Word | None, Field(description="Id of that pin.")] = None
    images: Annotated[list[ReadyImage] | None, Field(max_length=10, description="Its images.", json_schema_extra=list_map("container"))] = (
        None
    )
    deployment_id: Annotated[
        Word | None, Field(description="The ECS deployment whose tasks proved it last; the proof holds while that is PRIMARY.")
    ] = None
    time: Annotated[MicroTime | None, Field(description="When it became Ready.")] = None


class ReleaseSummary(Model):
    """What kubectl prints."""

    hash: Annotated[Word | None, Field(description="Wanted release hash, tag or short digest.")] = None
    running_hash: Annotated[Word | None, Field(description="Running release hash or short digest.")] = None
    digest: Annotated[Word | None, Field(description="Wanted digest, shortened.")] = None
    task_definition: Annotated[Word | None, Field(description="Revision that the service names.")] = None
    tasks: Annotated[Word | None, Field(description="Running and desired tasks, however many.")] = None
    since: Annotated[Time | None, Field(description="Since when it runs.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    message: Annotated[Text | None, Field(description="The message of condition Ready.")] = None


class ReleaseStatus(Model):
    """The observed state of a Release."""

    observed_generation: Annotated[Generation | None, Field(description="The generation that this status is about.")] = None
    phase: Annotated[
        Word | None,
        Field(
            description="For people and selectors: Pending, Waiting, Progressing, Suspended, Ready, Failed, RolledBack, Drifted, Unknown."
        ),
    ] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(max_length=32, description="Ready, Reconciling, Stalled and more.", json_schema_extra=list_map("type")),
    ] = None
    pin: Annotated[Pin | None, Field(description="What the source was resolved to.")] = None
    target: Annotated[TargetStatus | None, Field(description="The ECS service.")] = None
    running: Annotated[Running | None, Field(description="What runs.")] = None
    health: Annotated[HealthStatus | None, Field(description="What is not well with the number of tasks; absent if enough run.")] = None
    rollout: Annotated[Rollout | None, Field(description="The latest attempt.")] = None
    plan: Annotated[Plan | None, Field(description="What would be done.")] = None
    closed_window: Annotated[ClosedWindow | None, Field(description="The closed window that the Release waits for.")] = None
    drift: Annotated[Drift | None, Field(description="Since when something else runs, and when that is corrected.")] = None
    last_drift: Annotated[LastDrift | None, Field(description="The latest drift, lasting or over.")] = None
    history: Annotated[
        list[HistoryEntry] | None, Field(max_length=10, description="Attempts, newest first.", json_schema_extra=list_map("attemptID"))
    ] = None
    views: Annotated[
        list[View] | None,
        Field(max_length=MOST_VIEWS, description="What is shown elsewhere, newest first.", json_schema_extra=list_map("id")),
    ] = None
    last_ready: Annotated[LastReady | None, Field(description="The pin that it was Ready on last.")] = None
    promotion: Annotated[
        AwaitedPromotion | None,
        Field(description="What runs in the Environment that releases are promoted from, and not here; absent: nothing."),
    ] = None
    foreign: Annotated[
        list[ForeignDeployment] | None,
        Field(max_length=5, description="Foreign deployments, newest first.", json_schema_extra=list_map("deploymentID")),
    ] = None
    ledger: Annotated[LedgerStatus | None, Field(description="What the ledger has.")] = None
    suspension: Annotated[SuspensionEnd | None, Field(description="When the suspension ends by itself, or has; absent: never.")] = None
    last_handled_retry: Annotated[Word | None, Field(description="Token of the last retry.")] = None
    last_handled_refresh: Annotated[Word | None, Field(description="Token of the last refresh.")] = None
    last_handled_override: Annotated[Word | None, Field(description="Token of the last override-window.")] = None
    last_handled_override_commits: Annotated[Word | None, Field(description="Token of the last override-commits.")] = None
    last_handled_abort: Annotated[Word | None, Field(description="Token of the last abort.")] = None
    last_handled_continue: Annotated[Text | None, Field(description="The last answer to a lifecycle hook that was handled, whole.")] = None
    refused_request: Annotated[RefusedRequest | None, Field(description="The last refused request; absent once one was answered.")] = None
    summary: Annotated[ReleaseSummary | None, Field(description="What kubectl prints.")] = None
