"""Conditions: their types, the reasons that they may have, and the model that equals metav1.Condition."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import LongText
from ecs_release.api.meta import Model, Time


class ConditionType(StrEnum):
    """Types of conditions. The first three are kstatus's, always all three."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    ARTIFACT_RESOLVED = "ArtifactResolved"
    DEPLOYED = "Deployed"
    IN_SYNC = "InSync"
    ARTIFACT_AVAILABLE = "ArtifactAvailable"
    RECORDED = "Recorded"
    AUTHENTICATED = "Authenticated"
    EVENTS_RECEIVED = "EventsReceived"
    OBSERVED = "Observed"
    NOTIFYING = "Notifying"
    SHOWN_ON_GITHUB = "ShownOnGitHub"
    SHOWN_IN_SLACK = "ShownInSlack"
    APPLIED_BY_AUTHENTICATED = "AppliedByAuthenticated"


class Reason(StrEnum):
    """Reasons of conditions and Events: part of the API, in CamelCase."""

    RESOLVING_ARTIFACT = "ResolvingArtifact"
    ROLLING_OUT = "RollingOut"
    VERIFYING = "Verifying"
    AWAITING_WINDOW = "AwaitingWindow"
    AWAITING_PROJECT = "AwaitingProject"
    AWAITING_ENVIRONMENT = "AwaitingEnvironment"
    AWAITING_REPLICATION = "AwaitingReplication"
    AWAITING_STEADY = "AwaitingSteady"
    AWAITING_RELEASE_SET = "AwaitingReleaseSet"
    AWAITING_HOOK = "AwaitingHook"
    SUSPENDED = "Suspended"
    OBSERVING = "Observing"
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    ABORTED = "Aborted"
    REAPPEARED_OLDER = "ReappearedOlder"
    INVALID_SPEC = "InvalidSpec"
    SERVICE_NOT_FOUND = "ServiceNotFound"
    SOURCE_NOT_READY = "SourceNotReady"
    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    ACCESS_DENIED = "AccessDenied"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    TARGET_CONFLICT = "TargetConflict"
    TARGET_CHANGED = "TargetChanged"
    UNSUPPORTED_CONTROLLER = "UnsupportedController"
    UNSUPPORTED_TASK_DEFINITION = "UnsupportedTaskDefinition"
    REJECTED_BY_AWS = "RejectedByAWS"
    REJECTED_BY_SINK = "RejectedBySink"
    NOT_MERGED = "NotMerged"
    GOES_BACKWARDS = "GoesBackwards"
    COMMIT_UNKNOWN = "CommitUnknown"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_LATE = "SucceededLate"
    OVERTAKEN_SAME_DIGESTS = "OvertakenSameDigests"
    NOTHING_RUNNING = "NothingRunning"
    DRIFTED = "Drifted"
    TASKS_UNHEALTHY = "TasksUnhealthy"
    OBSERVATION_FAILED = "ObservationFailed"
    RELEASE_NAME_CONFLICT = "ReleaseNameConflict"
    TAG_MOVED = "TagMoved"
    ARTIFACT_GONE = "ArtifactGone"
    ARTIFACT_AT_RISK = "ArtifactAtRisk"
    ROLLBACK_TARGET_GONE = "RollbackTargetGone"
    KEEP_TAG_FAILED = "KeepTagFailed"
    BASE_REVISION_OUTDATED = "BaseRevisionOutdated"
    RESOLVED = "Resolved"
    DIGESTS_MATCH = "DigestsMatch"
    DIGESTS_DIFFER = "DigestsDiffer"
    NOT_OBSERVED = "NotObserved"
    NOT_ATTEMPTED = "NotAttempted"
    NO_LEDGER = "NoLedger"
    RECORDED = "Recorded"
    RECORDING = "Recording"
    QUEUE_SHARED = "QueueShared"
    STAMPED = "Stamped"
    NOT_STAMPED = "NotStamped"
    VALID = "Valid"


class Condition(Model):
    """One aspect of an object's state, as metav1.Condition."""

    type: Annotated[str, Field(max_length=316, description="Type of the condition, such as Ready.")]
    status: Annotated[str, Field(max_length=16, description="True, False or Unknown.")]
    observed_generation: Annotated[int | None, Field(ge=0, le=2**62, description="Generation of the spec that this is about.")] = None
    last_transition_time: Annotated[Time, Field(description="When the status changed last.")]
    reason: Annotated[str, Field(max_length=1024, description="A CamelCase word that says why.")]
    message: Annotated[LongText, Field(description="What happened, for people.")] = ""
