"""Settings of the operator: flags, each also an environment variable with the prefix ECS_RELEASE_."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ecs_release.api.meta import ACCOUNT, REGION, ROLE_ARN, NamespaceName
from ecs_release.cluster.lease import Timing
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.environments.sharding import DEFAULT, shards_of
from ecs_release.domain.verification.health import HealthRules
from ecs_release.engine.runtime.settings import EngineSettings

Seconds = Annotated[float, Field(gt=0, le=86400)]


_ADDRESS = r"^http://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"
_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class Settings(BaseSettings):
    """The ecs-release operator: it releases to AWS ECS what Releases say, and shows what really runs.

    It finds the cluster by KUBECONFIG or its service account, and AWS by boto3's default credential chain (AWS_ENDPOINT_URL is honoured).
    """

    model_config = SettingsConfigDict(
        env_prefix="ECS_RELEASE_",
        cli_prog_name="ecs-release-operator",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        extra="ignore",
    )

    installation: Annotated[
        str,
        Field(
            min_length=1, max_length=63, pattern=_LABEL,
            description="Name of this installation, on every task definition that it registers; it must stay the same for ever",
        ),
    ] = "default"  # fmt: skip
    watch_namespaces: Annotated[
        list[NamespaceName],
        NoDecode,
        Field(max_length=50, description="Namespaces whose Releases, ReleaseSets and Projects it serves, comma-separated; without it all"),
    ] = []  # fmt: skip
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="What is logged")] = "info"
    log_format: Annotated[Literal["json", "text"], Field(description="How it is logged")] = "json"
    probe_host: Annotated[str, Field(description="Address that the probes /healthz and /readyz listen on")] = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside
    probe_port: Annotated[int | None, Field(ge=0, le=65535, description="Port of the probes (0: any free one); none without it")] = None
    metrics_host: Annotated[str, Field(description="Address that /metrics listens on")] = "0.0.0.0"  # noqa: S104 - Prometheus asks from outside
    metrics_port: Annotated[int | None, Field(ge=0, le=65535, description="Port of /metrics (0: any free one); none without it")] = None
    metrics_release_conditions: Annotated[bool, Field(description="A series for each condition of each Release")] = True
    workers: Annotated[int, Field(ge=1, le=256, description="Passes at once")] = 32
    aws_threads: Annotated[int, Field(ge=1, le=64, description="AWS calls at once")] = 24
    aws_rate_share: Annotated[float, Field(gt=0, le=1, description="Share of AWS's published request rates that may be used")] = 0.5
    rollout_interval_seconds: Annotated[Seconds, Field(description="Between two looks at a service whose rollout is under way")] = 5
    retry_interval_seconds: Annotated[Seconds, Field(description="Before a fault that passes by itself is tried again")] = 10
    visible_seconds: Annotated[
        Seconds, Field(description="How long ECS's reads may lag: before a call in doubt is repeated, or a missing deployment believed")
    ] = 30
    rollback_seconds: Annotated[Seconds, Field(description="How long ECS may take to begin a rollback")] = 60
    counts_interval_seconds: Annotated[Seconds, Field(description="Between two status writes that only change counts")] = 60
    unhealthy_after_seconds: Annotated[Seconds, Field(description="How long too few tasks must run to be reported")] = 300
    healthy_after_seconds: Annotated[Seconds, Field(description="How long enough tasks must run to clear that")] = 60
    tag_interval_seconds: Annotated[Seconds, Field(description="Between two looks at the environment's tag in ECR (EnvironmentTag)")] = 600
    base_sweep_seconds: Annotated[Seconds, Field(description="Between two looks for a newer base revision (baseRevision Latest)")] = 900
    resync_seconds: Annotated[Seconds, Field(description="Between two passes over a Release that nothing has happened to")] = 3600
    artifact_interval_seconds: Annotated[Seconds, Field(description="Between two looks for images in their registries")] = 86400
    ghost_sweep_seconds: Annotated[Seconds, Field(description="Between two looks for objects deleted unnoticed")] = 600

    leader_elect: Annotated[
        bool, Field(description="Act only while holding the shard's Lease; switch it off only for a single process")
    ] = True
    lease_namespace: Annotated[
        str | None, Field(min_length=1, max_length=63, description="Namespace of the Lease; without it the pod's own, else `default`")
    ] = None
    lease_duration_seconds: Annotated[int, Field(ge=1, le=3600, description="After how long without renewal another may take over")] = 15
    lease_renew_deadline_seconds: Annotated[
        Seconds, Field(description="After how long without renewal this one stops acting, and ends", validate_default=True)
    ] = 10
    lease_retry_seconds: Annotated[Seconds, Field(description="Between two renewals, or looks at the Lease", validate_default=True)] = 2
    shard: Annotated[str, Field(min_length=1, max_length=63, description="The shard that this operator serves")] = DEFAULT
    shards: Annotated[
        dict[str, list[str]],
        NoDecode,
        Field(
            max_length=100, validate_default=True,
            description="All shards, the same for all operators: JSON, name to accounts and account/region; the rest is shard `default`",
        ),
    ] = {}  # fmt: skip

    ledger_table: Annotated[
        str | None, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$", description="DynamoDB table of the ledger; without it there is none")
    ] = None
    ledger_region: Annotated[str | None, Field(pattern=REGION, description="Its region", validate_default=True)] = None
    ledger_account_id: Annotated[
        str | None,
        Field(pattern=ACCOUNT, description="Its account: another one is refused; without it the role's, else the operator's own"),
    ] = None
    ledger_role_arn: Annotated[
        str | None, Field(pattern=ROLE_ARN, description="Role to use it with; without it the operator's own identity")
    ] = None
    ledger_external_id: Annotated[str | None, Field(min_length=2, max_length=1224, description="External id for that role")] = None
    commits_address: Annotated[
        str | None, Field(pattern=_ADDRESS, description="Address of the commits service, http://HOST:PORT; without it none is asked")
    ] = None
    commits_token_file: Annotated[
        Path | None, Field(description="File with the token of the commits service; needed with its address", validate_default=True)
    ] = None
    connections_file: Annotated[
        Path | None,
        Field(description="YAML file of the connections to GitHub and Slack; without it nothing is shown there"),
    ] = None
    connections_allow_loopback: Annotated[
        bool, Field(description="For tests only: connections may be to this machine, by plain http to 127.0.0.1")
    ] = False
    closing_seconds: Annotated[
        Seconds, Field(description="How long a recorded Release may be missing after the start before its record is closed as deleted")
    ] = 600
    ledger_create: Annotated[bool, Field(description="Make the table where there is none, and switch its point-in-time recovery on")] = (
        False
    )

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip())) if isinstance(value, str) else value

    @field_validator("ledger_region")
    @classmethod
    def _is_given_with_a_table(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("ledger_table") is not None:
            raise ValueError("must be given with ledger_table")
        return value

    @field_validator("commits_token_file")
    @classmethod
    def _is_given_with_an_address(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("commits_address") is not None:
            raise ValueError("must be given with commits_address")
        return value

    @field_validator("lease_renew_deadline_seconds")
    @classmethod
    def _ends_before_others_begin(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("lease_duration_seconds", value + 1):
            raise ValueError("must be less than lease_duration_seconds, or two processes act at once")
        return value

    @field_validator("lease_retry_seconds")
    @classmethod
    def _leaves_time_to_renew(cls, value: float, info: ValidationInfo) -> float:
        if 2 * value > info.data.get("lease_renew_deadline_seconds", 2 * value):
            raise ValueError("must be at most half of lease_renew_deadline_seconds, or one lost answer loses the Lease")
        return value

    @field_validator("shards", mode="before")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        try:
            return json.loads(value, object_pairs_hook=_each_once) if isinstance(value, str) else value
        except json.JSONDecodeError as error:
            raise ValueError(f"no JSON object of shards ({error})") from error

    @field_validator("shards")
    @classmethod
    def _has_no_overlap(cls, value: dict[str, list[str]], info: ValidationInfo) -> dict[str, list[str]]:
        names = shards_of(value).names
        if info.data.get("shard", DEFAULT) not in names:
            raise ValueError(f"there is no shard {info.data['shard']!r}, which this operator shall serve: there are {', '.join(names)}")
        return value

    def ledger_access(self) -> Access | None:
        """Return the access to the ledger; None if there is no ledger."""
        if self.ledger_table is None or self.ledger_region is None:
            return None
        account = self.ledger_account_id or (self.ledger_role_arn or "::::").split(":")[4]
        return Access(account, self.ledger_region, self.ledger_role_arn, self.ledger_external_id)

    def timing(self) -> Timing:
        """Return the durations of the Lease."""
        return Timing(float(self.lease_duration_seconds), self.lease_renew_deadline_seconds, self.lease_retry_seconds)

    def engine(self) -> EngineSettings:
        """Return the settings of the engine."""
        return EngineSettings(
            installation=self.installation,
            namespaces=tuple(self.watch_namespaces),
            shard=self.shard,
            shards=shards_of(self.shards),
            workers=self.workers,
            rollout_interval_s=self.rollout_interval_seconds,
            rollout_tasks_interval_s=4 * self.rollout_interval_seconds,
            retry_interval_s=self.retry_interval_seconds,
            visible_s=self.visible_seconds,
            rollback_s=self.rollback_seconds,
            counts_interval_s=self.counts_interval_seconds,
            ghost_sweep_interval_s=self.ghost_sweep_seconds,
            namespace_interval_s=6 * self.retry_interval_seconds,
            tag_interval_s=self.tag_interval_seconds,
            base_sweep_s=self.base_sweep_seconds,
            resync_s=self.resync_seconds,
            artifact_interval_s=self.artifact_interval_seconds,
            closing_grace_s=self.closing_seconds,
            health=HealthRules(self.unhealthy_after_seconds, self.healthy_after_seconds),
        )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate names: json silently takes the last one."""
    names = [name for name, _ in pairs]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"shard {min(doubled)!r} is there twice: say all that it has in one list")
    return dict(pairs)
