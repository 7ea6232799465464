"""A ReleaseSet's status: how far the release of a service set is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Count, Generation, Text, Word
from ecs_release.api.commits import AttemptCommits
from ecs_release.api.conditions import Condition
from ecs_release.api.meta import MicroTime, Model, Time
from ecs_release.api.release_status import Pin, PinnedImage, PlannedImage, RefusedRequest
from ecs_release.api.schema import list_map
from ecs_release.api.suspension import SuspensionEnd
from ecs_release.api.view_status import MOST_VIEWS, View

PREVIOUS, KEPT = "Previous", "Kept"


class SetService(Model):
    """One service of the set."""

    name: Annotated[Word, Field(description="Service.")]
    release: Annotated[Word | None, Field(description="Its child Release.")] = None
    hash: Annotated[Word | None, Field(description="Wanted release hash or tag.")] = None
    images: Annotated[
        list[PinnedImage] | None, Field(max_length=10, description="Wanted images.", json_schema_extra=list_map("container"))
    ] = None
    previous: Annotated[
        list[PinnedImage] | None,
        Field(max_length=10, description="What it returns to in a rollback.", json_schema_extra=list_map("container")),
    ] = None
    wants: Annotated[Word | None, Field(description="Previous if a rollback takes it back, or has done so; absent: images.")] = None
    origin: Annotated[Word | None, Field(description="Kept if it has no image at the hash, and what runs is kept.")] = None
    state: Annotated[Word | None, Field(description="Its state: Pending, Waiting, Progressing, Ready, Failed, Left; more may come.")] = None
    message: Annotated[Text | None, Field(description="The same in a sentence.")] = None
    note: Annotated[Text | None, Field(description="What to know about its images: older than what runs, kept.")] = None
    start_time: Annotated[MicroTime | None, Field(description="When this deployment set started it.")] = None
    generation: Annotated[Generation | None, Field(description="Generation of the child that was written last.")] = None

    @property
    def reverting(self) -> bool:
        """Whether a rollback takes it back, or has done so."""
        return self.wants == PREVIOUS


class SetWave(Model):
    """One wave of the set."""

    name: Annotated[Word, Field(description="Number of the wave.")]
    services: Annotated[
        list[Word] | None, Field(max_length=50, description="Its services.", json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = None
    state: Annotated[Word | None, Field(description="Pending, Open or Finished; more may come.")] = None
    start_time: Annotated[MicroTime | None, Field(description="When it opened.")] = None
    completion_time: Annotated[MicroTime | None, Field(description="When it was finished.")] = None


class SetCounts(Model):
    """Child Releases, counted by state."""

    total: Annotated[Count | None, Field(description="All.")] = None
    ready: Annotated[Count | None, Field(description="Ready.")] = None
    failed: Annotated[Count | None, Field(description="Failed or rolled back.")] = None
    waiting: Annotated[Count | None, Field(description="Waiting.")] = None
    progressing: Annotated[Count | None, Field(description="Under way.")] = None


class SetPlanEntry(Model):
    """What would be done for one service."""

    service: Annotated[Word, Field(description="Service.")]
    images: Annotated[
        list[PlannedImage] | None, Field(max_length=10, description="From what to what.", json_schema_extra=list_map("container"))
    ] = None
    blocked_by: Annotated[Text | None, Field(description="What must happen first.")] = None


class SetHistoryEntry(Model):
    """A deployment set: who, why, when, and how it ended."""

    id: Annotated[Word, Field(description="Its id.")]
    source_hash: Annotated[Word | None, Field(description="Hash of its source.")] = None
    hash: Annotated[Word | None, Field(description="Release hash or tag that was asked for.")] = None
    outcome: Annotated[Word | None, Field(description="How it ended.")] = None
    message: Annotated[Text | None, Field(description="The same in a sentence.")] = None
    cause: Annotated[Word | None, Field(description="Why it was made.")] = None
    override: Annotated[Word | None, Field(description="The override-window that lets it through closed windows.")] = None
    commits: Annotated[Text | None, Field(description="By what right it began although the commit graph speaks against it.")] = None
    commit_range: Annotated[
        AttemptCommits | None,
        Field(description="The commits that it brings, if known by its end, and the same for each service that changes its commit."),
    ] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None
    reason: Annotated[Text | None, Field(description="The reason of the retry or refresh that began it.")] = None
    start_time: Annotated[Time | None, Field(description="When it began.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None
    waited_seconds: Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Seconds of that spent waiting for windows.")] = None


class SetLastReadyService(Model):
    """What one service ran when the set was Ready."""

    name: Annotated[Word, Field(description="Service.")]
    pin: Annotated[Pin | None, Field(description="Its pin; none if nothing has proven it: no task ran.")] = None


class SetLastReady(Model):
    """The pins that the set was Ready on last."""

    source_hash: Annotated[Word | None, Field(description="Hash of its source.")] = None
    time: Annotated[MicroTime | None, Field(description="When it became Ready.")] = None
    services: Annotated[
        list[SetLastReadyService] | None, Field(max_length=50, description="What its services ran.", json_schema_extra=list_map("name"))
    ] = None


class ReleaseSetSummary(Model):
    """What kubectl prints."""

    hash: Annotated[Word | None, Field(description="Wanted release hash or tag.")] = None
    running_hash: Annotated[Word | None, Field(description="Release hash that all services run.")] = None
    progress: Annotated[Word | None, Field(description="Ready services of all.")] = None
    message: Annotated[Text | None, Field(description="The message of condition Ready.")] = None
    requested_by: Annotated[Word | None, Field(description="Who asked for it, as spec.change claims.")] = None
    applied_by: Annotated[Word | None, Field(description="Who applied it, as the API server authenticated them.")] = None
    description: Annotated[Text | None, Field(description="Why.")] = None


class ReleaseSetStatus(Model):
    """The observed state of a ReleaseSet."""

    observed_generation: Annotated[Generation | None, Field(description="The generation that this status is about.")] = None
    phase: Annotated[Word | None, Field(description="For people and field selectors; an open set.")] = None
    conditions: Annotated[
        list[Condition] | None, Field(max_length=32, description="Ready, Reconciling and Stalled.", json_schema_extra=list_map("type"))
    ] = None
    source_hash: Annotated[Word | None, Field(description="Hash of source, services and overrides.")] = None
    resolved_time: Annotated[MicroTime | None, Field(description="When all was resolved.")] = None
    releases: Annotated[SetCounts | None, Field(description="Child Releases.")] = None
    services: Annotated[list[SetService] | None, Field(max_length=50, description="Its services.", json_schema_extra=list_map("name"))] = (
        None
    )
    waves: Annotated[list[SetWave] | None, Field(max_length=21, description="Its waves.", json_schema_extra=list_map("name"))] = None
    plan: Annotated[
        list[SetPlanEntry] | None, Field(max_length=50, description="What would be done.", json_schema_extra=list_map("service"))
    ] = None
    history: Annotated[
        list[SetHistoryEntry] | None, Field(max_length=10, description="Deployment sets, newest first.", json_schema_extra=list_map("id"))
    ] = None
    views: Annotated[
        list[View] | None,
        Field(max_length=MOST_VIEWS, description="What is shown elsewhere, newest first.", json_schema_extra=list_map("id")),
    ] = None
    last_ready: Annotated[SetLastReady | None, Field(description="The pins that it was Ready on last.")] = None
    waiting_since: Annotated[MicroTime | None, Field(description="Since when all that is left waits for a window.")] = None
    suspension: Annotated[SuspensionEnd | None, Field(description="When the suspension ends by itself, or has; absent: it does not.")] = (
        None
    )
    last_handled_retry: Annotated[Word | None, Field(description="Token of the last retry.")] = None
    last_handled_refresh: Annotated[Word | None, Field(description="Token of the last refresh.")] = None
    last_handled_override: Annotated[Word | None, Field(description="Token of the last override-window.")] = None
    last_handled_override_commits: Annotated[Word | None, Field(description="Token of the last override-commits.")] = None
    last_handled_abort: Annotated[Word | None, Field(description="Token of the last abort.")] = None
    last_handled_continue: Annotated[Text | None, Field(description="The last answer to a lifecycle hook that was handled, whole.")] = None
    refused_request: Annotated[
        RefusedRequest | None, Field(description="The request that was refused; absent once a later one was answered.")
    ] = None
    summary: Annotated[ReleaseSetSummary | None, Field(description="What kubectl prints.")] = None
