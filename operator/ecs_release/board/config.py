"""Settings of the board: flags, each also an environment variable with the prefix ECS_RELEASE_BOARD_."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ecs_release.api.meta import REGION, NamespaceName
from ecs_release.pages.links import HOSTS

_HOST = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_HEADER = r"^[A-Za-z0-9-]{1,64}$"
_LOAD_BALANCER = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:loadbalancer/app/[A-Za-z0-9-]+/[0-9a-f]+$"
_KEYS = r"^$|^https://[^\s/@?#]+(/[^\s@?#]*[^\s@?#/])?$|^http://127\.0\.0\.1:\d+$"
# Elastic Load Balancing, "Authenticate users using an Application Load Balancer".
_KEYS_OF = {
    "aws": "https://public-keys.auth.elb.{region}.amazonaws.com",
    "aws-us-gov": "https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}",
}
_LOOPBACK = ("127.0.0.1", "::1")
Prefix = Annotated[str, Field(max_length=64)]
Header = Annotated[str, Field(pattern=_HEADER)]
Claim = Annotated[str, Field(min_length=1, max_length=100)]


class BoardSettings(BaseSettings):
    """The board of the ecs-release operator: pages of what runs where.

    It finds the cluster by KUBECONFIG or its service account. It listens on loopback only, for a login proxy in the same pod is in front of
    it, unless a load balancer signs who looks.
    """

    model_config = SettingsConfigDict(
        env_prefix="ECS_RELEASE_BOARD_",
        cli_prog_name="ecs-release-board",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        extra="ignore",
    )

    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="What is logged")] = "info"
    log_format: Annotated[Literal["json", "text"], Field(description="How it is logged")] = "json"
    host: Annotated[
        Literal["127.0.0.1", "::1", "0.0.0.0", "::"],  # noqa: S104 - see below
        Field(description="Address that the pages listen on: one of loopback, unless the login is `load-balancer`"),
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the pages (0: any free one)")] = 8082
    probe_host: Annotated[str, Field(description="Address that the probes /healthz and /readyz listen on")] = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside
    probe_port: Annotated[int | None, Field(ge=0, le=65535, description="Port of the probes (0: any free one); none without it")] = None
    watch_namespaces: Annotated[
        list[NamespaceName],
        NoDecode,
        Field(max_length=50, description="Namespaces whose Releases, ReleaseSets and Projects it shows, comma-separated; without it all"),
    ] = []  # fmt: skip
    login: Annotated[
        Literal["none", "headers", "load-balancer"],
        Field(
            description="Who looks: `headers` of a login proxy; `load-balancer`: what an Application Load Balancer of AWS signs; "
            "`none`: nobody is asked, and whoever reaches the port sees everything"
        ),
    ] = "none"
    user_header: Annotated[Header, Field(description="Header with the user's name")] = "X-Forwarded-User"
    groups_header: Annotated[Header, Field(description="Header with the groups, comma-separated")] = "X-Forwarded-Groups"
    load_balancer_arns: Annotated[
        list[Annotated[str, Field(max_length=300, pattern=_LOAD_BALANCER)]],
        NoDecode,
        Field(max_length=8, description="Load balancers that may sign, comma-separated"),
    ] = []  # fmt: skip
    load_balancer_client_id: Annotated[
        str, Field(max_length=300, description="The board's client at the identity provider, as the load balancer's rule names it")
    ] = ""
    load_balancer_keys_address: Annotated[
        str,
        Field(max_length=300, pattern=_KEYS, description="Where the public keys of load balancers are; without it at AWS, in their region"),
    ] = ""
    user_claim: Annotated[Claim, Field(description="Claim with the user's name, of what a load balancer signs")] = "sub"
    groups_claim: Annotated[Claim, Field(description="Claim with the groups")] = "groups"
    user_prefix: Annotated[Prefix, Field(description="Put before the name, as the API server's own login does")] = ""
    groups_prefix: Annotated[Prefix, Field(description="Put before each group")] = ""
    hosts: Annotated[
        list[Annotated[str, Field(max_length=253, pattern=_HOST)]],
        NoDecode,
        Field(max_length=16, description="Names that the board is reached by, comma-separated; loopback's are always taken"),
    ] = []  # fmt: skip
    link_hosts: Annotated[
        list[Annotated[str, Field(max_length=253, pattern=_HOST)]],
        NoDecode,
        Field(max_length=16, description="Hosts of code and of builds that pages link to, comma-separated, beside AWS's consoles"),
    ] = list(HOSTS)
    commits_address: Annotated[
        str | None,
        Field(max_length=300, pattern=r"^https?://[^\s/@]+$", description="The commits service, http://HOST:PORT; none without it"),
    ] = None
    commits_token_file: Annotated[Path | None, Field(description="File with the token that it takes")] = None
    ledger_table: Annotated[
        str | None,
        Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$", description="DynamoDB table of the ledger, for older attempts; without it there is none"),
    ] = None
    ledger_region: Annotated[str | None, Field(pattern=REGION, description="Its region", validate_default=True)] = None
    streams: Annotated[int, Field(ge=1, le=10000, description="Pages that are kept up to date at a time; more are refused")] = 1000

    @field_validator("ledger_region")
    @classmethod
    def _is_given_with_a_table(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("ledger_table") is not None:
            raise ValueError("must be given with ledger_table")
        return value

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.commits_address is None) != (self.commits_token_file is None):
            raise ValueError("commits_address and commits_token_file belong together")
        return self

    @model_validator(mode="after")
    def _is_behind_a_login(self) -> Self:
        if self.login != "load-balancer":
            if self.host not in _LOOPBACK:
                raise ValueError("host must be 127.0.0.1 or ::1, unless login is load-balancer: whoever reaches the port is believed")
            return self
        if not self.load_balancer_arns or not self.load_balancer_client_id:
            raise ValueError("load_balancer_arns and load_balancer_client_id must be given with login=load-balancer")
        places = {tuple(arn.split(":")[1:4:2]) for arn in self.load_balancer_arns}
        if not self.load_balancer_keys_address:
            if len(places) > 1:
                raise ValueError("load_balancer_arns must be of one region, unless load_balancer_keys_address is given")
            ((partition, region),) = places
            if partition not in _KEYS_OF:
                raise ValueError(f"load_balancer_keys_address must be given in the partition {partition}")
            self.load_balancer_keys_address = _KEYS_OF[partition].format(region=region)
        return self

    @field_validator("hosts", "link_hosts", "watch_namespaces", mode="before")
    @classmethod
    def _is_a_list_of_names(cls, value: Any) -> Any:
        return list(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip())) if isinstance(value, str) else value

    @field_validator("load_balancer_arns", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        return [arn.strip() for arn in value.split(",") if arn.strip()] if isinstance(value, str) else value
