"""Environment: an account, a region, a role and an ECS cluster, and what each namespace may release there. Written by the platform team."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ecs_release.api.bounded_types import Arn
from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.conditions import Condition
from ecs_release.api.meta import ACCOUNT, ECS_NAME, PATTERN, REGION, ROLE_ARN, Model, NamespaceName, ObjectMeta, Time
from ecs_release.api.promotion import Promotion, PromotionStatus
from ecs_release.api.rollout import RolloutDefaults
from ecs_release.api.schema import list_map, rule, rules
from ecs_release.api.suspension import EnvironmentSuspension, SuspensionEnd
from ecs_release.api.view_sinks import NotifyGitHub, NotifySlack
from ecs_release.api.windows import ClosedWindow, Window

Pattern = Annotated[str, Field(min_length=1, max_length=255, pattern=PATTERN)]
NamespacePattern = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9*?-]+$")]
_PLACEHOLDERS = (
    "self.replace('{project}', '').replace('{serviceSet}', '').replace('{service}', '').replace('{environment}', '')"
    ".replace('{namespace}', '')"
    ".matches('^[a-zA-Z0-9_-]*$')"
)
_KEEP_TAG = (
    "self.contains('{environment}') && self.contains('{service}') && self.replace('{environment}', '').replace('{service}', '')"
    ".replace('{namespace}', '').replace('{project}', '').replace('{container}', '').matches('^[a-zA-Z0-9_.-]*$')"
)


class SelectorRequirement(Model):
    """One requirement of a label selector."""

    key: Annotated[str, Field(min_length=1, max_length=317, description="Label key.")]
    operator: Annotated[Literal["In", "NotIn", "Exists", "DoesNotExist"], Field(description="How key and values relate.")]
    values: Annotated[list[Annotated[str, Field(max_length=63)]] | None, Field(max_length=64, description="Values for In and NotIn.")] = (
        None
    )


class NamespaceSelector(Model):
    """Selects namespaces by their labels; an empty one selects all."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]] | None,
        Field(max_length=32, description="Labels that a namespace must have."),
    ] = None
    match_expressions: Annotated[
        list[SelectorRequirement] | None, Field(max_length=16, description="Requirements that a namespace's labels must meet.")
    ] = None


class AllowedNamespaces(Model):
    """Which namespaces may release into the Environment, by name or by selector."""

    model_config = rules(("has(self.names) != has(self.selector)", "set exactly one of names and selector"))

    names: Annotated[
        list[NamespaceName] | None,
        Field(max_length=100, description="Names of namespaces.", json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = None
    selector: Annotated[NamespaceSelector | None, Field(description="Labels of namespaces; an empty selector admits all.")] = None


class Aws(Model):
    """The account and region that services run in, and the role to reach them with."""

    model_config = rules(
        ("self.accountID == oldSelf.accountID", "accountID is immutable: create another Environment"),
        ("self.region == oldSelf.region", "region is immutable: create another Environment"),
    )

    account_id: Annotated[str, Field(max_length=12, pattern=ACCOUNT, description="The AWS account, 12 digits, quoted.")]
    region: Annotated[str, Field(max_length=32, pattern=REGION, description="The AWS region.")]
    role_arn: Annotated[
        str | None,
        Field(max_length=2048, pattern=ROLE_ARN, description="IAM role to assume; absent: the operator's own credentials are used."),
    ] = None
    external_id: Annotated[
        str | None,
        Field(min_length=2, max_length=1224, pattern=r"^[\w+=,.@:/-]+$", description="External id that the role's trust policy asks for."),
    ] = None


class AllowedTarget(Model):
    """A rule about what a Project may name as a target. * and ? are wildcards."""

    namespaces: Annotated[list[NamespacePattern], Field(min_length=1, max_length=50, description="Namespaces of the Projects.")]
    clusters: Annotated[list[Pattern], Field(min_length=1, max_length=50, description="ECS clusters that they may name.")]
    service_names: Annotated[list[Pattern], Field(min_length=1, max_length=50, description="ECS services that they may name.")]


class EnvironmentTarget(Model):
    """Which ECS service a Project's service is."""

    cluster: Annotated[str, Field(min_length=1, max_length=255, pattern=ECS_NAME, description="The ECS cluster, by name.")]
    service_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="Template of ECS service names, of {namespace} {project} {serviceSet} {service} {environment}.",
            json_schema_extra=rule(
                _PLACEHOLDERS, "must be made of letters, digits, _, - and {namespace} {project} {serviceSet} {service} {environment}"
            ),
        ),
    ]
    allowed: Annotated[
        list[AllowedTarget] | None,
        Field(max_length=50, description="What Projects may name in targets; absent: only what the template gives."),
    ] = None


TagFormat = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^[a-zA-Z0-9_.-]*\{releaseHash\}[a-zA-Z0-9_.-]*$",
    ),
]


class Artifacts(Model):
    """Where build artifacts are."""

    model_config = rules(
        (
            "!has(self.keepTag) || !has(self.environmentTag) || self.keepTag != self.environmentTag",
            "keepTag and environmentTag must differ",
        ),
        (
            "!has(self.keepTag) || !has(self.tagFormats) || self.tagFormats.all(f, f == '{releaseHash}' ||"
            " !self.keepTag.startsWith(f.split('{releaseHash}')[0]) || !self.keepTag.endsWith(f.split('{releaseHash}')[1]))",
            "keepTag must not read as a release hash by tagFormats",
        ),
    )

    registry_id: Annotated[
        str | None, Field(max_length=12, pattern=ACCOUNT, description="Account of the ECR registry; absent: the services' own.")
    ] = None
    region: Annotated[
        str | None, Field(max_length=32, pattern=REGION, description="Region of the ECR registry; absent: the services' own.")
    ] = None
    role_arn: Annotated[
        str | None, Field(max_length=2048, pattern=ROLE_ARN, description="Role to read the registry with, if the services' role may not.")
    ] = None
    external_id: Annotated[
        str | None, Field(min_length=2, max_length=1224, pattern=r"^[\w+=,.@:/-]+$", description="External id of that role.")
    ] = None
    tag_formats: Annotated[
        list[TagFormat], Field(min_length=1, max_length=10, description="How a release hash becomes a tag; tried in order.")
    ] = ["ref.{releaseHash}", "{releaseHash}"]
    allowed_repositories: Annotated[
        list[Pattern] | None, Field(max_length=100, description="Repositories that Projects may name, with wildcards; absent: all.")
    ] = None
    environment_tag: Annotated[
        str | None,
        Field(max_length=128, pattern=r"^[a-zA-Z0-9_.{}-]+$", description="Tag that method EnvironmentTag moves; of {environment}."),
    ] = None
    keep_tag: Annotated[
        str | None,
        Field(
            max_length=128,
            pattern=r"^[a-zA-Z0-9]+[._-][a-zA-Z0-9_.{}-]*$",
            description="Tag that is kept on the digest that runs, for lifecycle policies to spare; of {environment} {namespace} {project}"
            " {service} {container}, such as keep.{environment}.{service}; absent: none.",
            json_schema_extra=rule(_KEEP_TAG, "must hold {environment} and {service}, and else only {namespace} {project} {container}"),
        ),
    ] = None


class Observation(Model):
    """How often AWS is read."""

    interval_seconds: Annotated[int, Field(ge=5, le=3600, description="Seconds between two reads of every service.")] = 60
    grace_seconds: Annotated[int, Field(ge=0, le=86400, description="How long AWS may be unreadable before Releases report it.")] = 300
    event_queue_url: Annotated[
        str | None, Field(max_length=1024, pattern=r"^https?://", description="SQS queue with EventBridge's events of ECS and ECR.")
    ] = None


class Notify(Model):
    """Where notifications are sent (one sink: a bus feeds topics, a topic feeds queues), and where deployment sets are shown."""

    model_config = rules(
        ("!(has(self.snsTopicARN) && has(self.eventBusARN))", "set at most one of snsTopicARN and eventBusARN"),
        (
            "has(self.snsTopicARN) || has(self.eventBusARN) || has(self.github) || has(self.slack)",
            "set snsTopicARN or eventBusARN, github or slack",
        ),
    )

    sns_topic_arn: Annotated[
        str | None,
        Field(
            max_length=512,
            pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]+(\.fifo)?$",
            description="SNS topic, standard or FIFO.",
        ),
    ] = None
    event_bus_arn: Annotated[
        str | None,
        Field(
            max_length=1600,
            pattern=r"^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[a-zA-Z0-9/._-]+$",
            description="EventBridge event bus.",
        ),
    ] = None
    github: Annotated[NotifyGitHub | None, Field(description="Deployments of GitHub; absent: none.")] = None
    slack: Annotated[NotifySlack | None, Field(description="Messages in Slack; absent: none.")] = None

    @property
    def sink_arn(self) -> str:
        """The one that is set."""
        return self.sns_topic_arn or self.event_bus_arn or ""


Installation = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class EnvironmentSpec(Model):
    """Where an Environment is, and what it allows."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    mode: Annotated[
        Literal["Deploy", "Observe"], Field(description="Observe: no mutating call at all; status shows what would be done.")
    ] = "Deploy"
    suspend: Annotated[EnvironmentSuspension | None, Field(description="Set while nothing may be released.")] = None
    reasons: Annotated[
        Literal["Optional", "Required"],
        Field(
            description="Whether requests by annotation (retry, refresh, abort, overrides) must be <token>/<reason>; others are refused."
        ),
    ] = "Optional"
    allowed_namespaces: Annotated[AllowedNamespaces | None, Field(description="Who may release into it; absent: nobody.")] = None
    aws: Annotated[Aws, Field(description="Account, region and role.")]
    target: Annotated[EnvironmentTarget, Field(description="Which ECS services belong to it.")]
    artifacts: Annotated[Artifacts, Field(description="Where build artifacts are.")] = Artifacts()
    rollout: Annotated[RolloutDefaults | None, Field(description="How services are rolled out, unless their Project overrides it.")] = None
    observation: Annotated[Observation, Field(description="How often AWS is read.")] = Observation()
    windows: Annotated[
        list[Window] | None, Field(max_length=50, description="When releases may or may not start.", json_schema_extra=list_map("name"))
    ] = None
    commits: Annotated[EnvironmentCommits | None, Field(description="What the commit graph must say; absent: it is not asked.")] = None
    promotion: Annotated[
        Promotion | None, Field(description="Where releases are promoted from, and when that is overdue; absent: nothing is said of it.")
    ] = None
    notify: Annotated[Notify | None, Field(description="Where notifications are sent.")] = None
    takes_over_from: Annotated[
        list[Installation] | None,
        Field(
            max_length=10,
            description="Installations of the operator that are gone: their tags on task definitions no longer hold services here.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = None


class ReleaseCounts(Model):
    """Releases into the Environment, counted by state."""

    total: Annotated[int | None, Field(ge=0, le=1000000, description="All that the Environment admits.")] = None
    ready: Annotated[int | None, Field(ge=0, le=1000000, description="Ready.")] = None
    failed: Annotated[int | None, Field(ge=0, le=1000000, description="Failed or rolled back.")] = None
    drifted: Annotated[int | None, Field(ge=0, le=1000000, description="Running something else.")] = None
    waiting: Annotated[int | None, Field(ge=0, le=1000000, description="Waiting.")] = None
    refused: Annotated[
        int | None,
        Field(
            ge=0,
            le=1000000,
            description=(
                "Refused, and in no other number: of a namespace or a target that the Environment does not allow, or of a ReleaseSet that"
                " has not made them."
            ),
        ),
    ] = None


class EnvironmentStatus(Model):
    """The observed state of an Environment."""

    observed_generation: Annotated[int | None, Field(ge=-1, le=2**62, description="The generation that this status is about.")] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(
            max_length=32,
            description=(
                "Ready, Reconciling, Stalled, Authenticated, AppliedByAuthenticated, Observed, Recorded, EventsReceived, Notifying,"
                " ShownOnGitHub, ShownInSlack."
            ),
            json_schema_extra=list_map("type"),
        ),
    ] = None
    last_sweep_time: Annotated[Time | None, Field(description="Every service that can be read was read then or later.")] = None
    notified_time: Annotated[
        Time | None, Field(description="The sink of spec.notify has accepted all notifications of what happened until then.")
    ] = None
    github_since_time: Annotated[Time | None, Field(description="Deployment sets that began since then are shown on GitHub.")] = None
    slack_since_time: Annotated[Time | None, Field(description="Deployment sets that began since then are shown in Slack.")] = None
    releases: Annotated[ReleaseCounts | None, Field(description="Releases into the Environment.")] = None
    closed_window: Annotated[ClosedWindow | None, Field(description="The window that is closed now.")] = None
    promotion: Annotated[PromotionStatus | None, Field(description="What has waited too long for its promotion; absent: nothing has.")] = (
        None
    )
    suspension: Annotated[SuspensionEnd | None, Field(description="When spec.suspend ends by itself, or has; absent: it does not.")] = None
    caller: Annotated[Arn | None, Field(description="The identity that AWS sees.")] = None
    ledger_table: Annotated[Arn | None, Field(description="ARN of the DynamoDB table that attempts are recorded in.")] = None


class Environment(Model):
    """An account, a region, a role and an ECS cluster that services are released into, and the rules for releases into it."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta
    spec: EnvironmentSpec
    status: EnvironmentStatus | None = None
