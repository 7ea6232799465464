"""The ledger's part of a Release's status: what is recorded, and what the records need beyond the rest of the status."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecs_release.api.bounded_types import Arn, Count, StatusDigest, Text, Word
from ecs_release.api.meta import MicroTime, Model, Time
from ecs_release.api.schema import list_map


class AttemptRecord(Model):
    """What the ledger has of an attempt, and needs for it."""

    state: Annotated[Word | None, Field(description="What of the attempt the ledger has: Start, End; absent: nothing yet.")] = None
    outcome: Annotated[Word | None, Field(description="The outcome that the ledger has.")] = None
    pin: Annotated[Word | None, Field(description="Hash of all artifacts that it deploys, the other services of its set included.")] = None
    release_set: Annotated[Word | None, Field(description="The ReleaseSet that it was made for.")] = None
    set_source_hash: Annotated[Word | None, Field(description="Hash of that set's source.")] = None
    requested_time: Annotated[MicroTime | None, Field(description="When the operator first saw the request.")] = None
    request_id: Annotated[Word | None, Field(description="AWS's id of the UpdateService request.")] = None
    service_deployment_arn: Annotated[Arn | None, Field(description="Its service deployment, by which CloudTrail's events name it.")] = None


class ForeignImage(Model):
    """A container's image before and after a foreign deployment."""

    container: Annotated[Word, Field(description="Container.")]
    from_digest: Annotated[StatusDigest | None, Field(description="Digest before.")] = None
    from_hash: Annotated[Word | None, Field(description="Release hash before.")] = None
    to_digest: Annotated[StatusDigest | None, Field(description="Digest after.")] = None
    to_hash: Annotated[Word | None, Field(description="Release hash after.")] = None


class ForeignDeployment(Model):
    """A deployment of the service that no Release started."""

    deployment_id: Annotated[Word, Field(description="ECS deployment.")]
    task_definition: Annotated[Arn | None, Field(description="Its revision.")] = None
    changed_by: Annotated[Arn | None, Field(description="Who started it, by CloudTrail.")] = None
    user_agent: Annotated[Text | None, Field(description="With which tool.")] = None
    images: Annotated[
        list[ForeignImage] | None, Field(max_length=30, description="From what to what.", json_schema_extra=list_map("container"))
    ] = None
    outcome: Annotated[Word | None, Field(description="Completed, Failed or Replaced; absent while it is under way.")] = None
    start_time: Annotated[Time | None, Field(description="When it began.")] = None
    completion_time: Annotated[Time | None, Field(description="When it was seen to have ended.")] = None
    state: Annotated[Word | None, Field(description="What of it the ledger has: Start, End; absent: nothing yet.")] = None


class LedgerStatus(Model):
    """What the ledger has of this Release."""

    since_time: Annotated[MicroTime | None, Field(description="Deployments that no Release started are recorded from then on.")] = None
    current: Annotated[Word | None, Field(description="Checksum of the current record that the ledger has.")] = None
    left_out: Annotated[
        Count | None, Field(description="Attempts that waited too long for the ledger: they are in the operator's audit log only.")
    ] = None
