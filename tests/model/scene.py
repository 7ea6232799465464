"""One world with what the tests need in it: an environment, a project, Releases and the ECS services that they go to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.model.ecs import ACCOUNT, REGION, Ecs, Service
from tests.model.faults import MOST_LATENCY_S
from tests.model.objects import Body, Key, Objects
from tests.model.registry import EcrRegistry, hash_of
from tests.model.world import Snapshots, Switches, Timeline, time_of

BEGAN = "2026-01-01T00:00:00Z"
NAMESPACE, PROJECT, ENVIRONMENT = "shop", "store", "prod"
STAGE = "stage"
"""The Environment that is promoted from."""
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
RELEASES = "abcd"
CLOCK_ERROR_S = MOST_LATENCY_S + 1.0
"""How far from the true time an operator may be whose machine's clock is wrong: a call and the fraction that the header Date leaves out."""
CONTAINERS = ("app", "proxy")
SETTLED_S = 3600.0
"""How long everything has been as it is when a run begins."""
TAG = "live"
"""The environment's tag."""
FREEZE = {"name": "freeze", "kind": "Deny", "startTime": BEGAN, "endTime": "2090-01-01T00:00:00Z", "reason": "audit"}
RETRY, ABORT, REFRESH, CONTINUE = (f"ecs-release.dev/{verb}" for verb in ("retry", "abort", "refresh", "continue"))


@dataclass(frozen=True)
class Gates:
    """What keeps changes from being made in AWS."""

    suspended: bool
    environment_suspended: bool
    observes: bool
    closed: bool

    @property
    def shut(self) -> bool:
        """Whether no attempt may begin, but for a right of its own."""
        return self.suspended or self.environment_suspended or self.observes or self.closed


@dataclass
class Accepted:
    """A mutating call that AWS has carried out. `action` and `attempt` are what status announced when it was sent."""

    call: str
    service: str
    sent: float
    applied: float
    action: str
    attempt: str
    window: str
    cause: str
    release: str = ""
    revision: str = ""
    deployment: str = ""
    force: bool = False
    uid: str = ""
    has_ended: bool = False
    """Whether the attempt had ended."""
    has_moved: bool = False
    """Whether the attempt had moved the environment's tag: what is half done goes on."""
    hook: str = ""
    """The lifecycle hook that the call answers, and how; `announced_hook` is what status announces of that."""
    announced_hook: str = ""


@dataclass
class Scene:
    """The world of one run."""

    switches: Switches
    timeline: Timeline = field(default_factory=Timeline)
    calls: list[Accepted] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    """When somebody asked for an attempt: another source, a retry."""

    withdrawn: list[float] = field(default_factory=list)
    """When somebody took a retry back that had to wait, and nothing else was to be done."""
    approved: set[str] = field(default_factory=set)
    """Answers to lifecycle hooks that somebody asked for: hook and action."""
    answered_in_aws: set[str] = field(default_factory=set)
    """Those that somebody gave in AWS."""
    hooks_read: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """By deployment its status, and that of its hooks, as the operator has read them last; nothing where they could not be read."""
    recreated: float = 0.0
    """When what people say they want was made anew."""

    def __post_init__(self) -> None:
        self.registry = EcrRegistry(self.switches.platforms)
        self.ecs = Ecs(self.timeline, self.registry, self.switches)
        self.objects = Objects(self.timeline, BEGAN)
        for release in RELEASES:
            for container in CONTAINERS:
                self.registry.push(repository_of(container), release)
        if self.uses_tag:
            for container in CONTAINERS:
                self.move_tag(container, "a")
        self.goes_elsewhere = False
        self.listed: list[str] = list(CONTAINERS[: self.switches.container_count])
        self.gates: Snapshots[Gates] = Snapshots(self.timeline)
        self.objects.create(("Environment", "", ENVIRONMENT), self._environment())
        self.objects.create(("Project", NAMESPACE, PROJECT), self._project())
        self.add_service("web", "a")
        self.add_service("other", "a")
        if self.switches.has_set:
            self.add_service("api", "a")
        if self.promotes:
            self.objects.create(("Environment", "", STAGE), self._environment())
            for name in self.services:
                self.add_service(name, "a", STAGE)
        # One state is kept of each moment, and gates may be shut in the very one in which a run begins.
        self.note_gates()
        self.timeline.advance(SETTLED_S)
        if self.promotes:
            for name in self.services:
                self.create_release(name, "a", STAGE)
        if self.switches.has_set:
            self.create_set("a")
        else:
            self.create_release("web", "a")
        self.note_gates()

    # What there is.

    @property
    def uses_tag(self) -> bool:
        """Whether services pull the environment's tag."""
        return self.switches.uses_tag and not self.switches.has_set

    @property
    def promotes(self) -> bool:
        """Whether the set takes what is proven in another Environment."""
        return self.switches.promotes and self.switches.has_set

    @property
    def asked_of(self) -> Key:
        """Name the object by which people say what they want: the set, or the Release."""
        return ("ReleaseSet", NAMESPACE, "all") if self.switches.has_set else self.key()

    def key(self, service: str = "web", place: str = ENVIRONMENT) -> Key:
        """Name the Release of a service."""
        where = (service, place)
        found = (k for k, b in self.objects.of_kind("Release") if (b["spec"]["service"], b["spec"]["environmentRef"]["name"]) == where)
        return next(found, ("Release", NAMESPACE, service if place == ENVIRONMENT else f"{place}-{service}"))

    def release_at(self, service: str) -> Body:
        """Find the Release that goes to an ECS service; an empty body where none does."""
        for _, body in self.objects.of_kind("Release"):
            if (body.get("status") or {}).get("target", {}).get("serviceARN", "").endswith(f"/{service}"):
                return body
        return {}

    @staticmethod
    def called(body: Body) -> str:
        """Call a Release by its service, and by its Environment if that is the one that is promoted from."""
        spec = body.get("spec") or {}
        return spec.get("service", "") if spec.get("environmentRef", {}).get("name") != STAGE else f"{STAGE}-{spec['service']}"

    @property
    def services(self) -> tuple[str, ...]:
        """The services of the Project, in the order of their waves."""
        return ("api", "web") if self.switches.has_set else ("web",)

    def service(self, name: str = "web", place: str = ENVIRONMENT) -> Snapshots[Service]:
        """Find a service's states."""
        return self.ecs.services[f"{place}-{name}"]

    @property
    def environment(self) -> Key:
        """Name the Environment."""
        return ("Environment", "", ENVIRONMENT)

    @property
    def project(self) -> Key:
        """Name the Project."""
        return ("Project", NAMESPACE, PROJECT)

    def images_of(self, release: str, *, pinned: bool = True) -> dict[str, str]:
        """Return what the containers of a revision name."""
        images = {}
        for container in CONTAINERS[: max(1, self.switches.container_count)]:
            repository = repository_of(container)
            digest = self.registry.tags[repository, hash_of(release)]
            images[container] = f"{HOST}/{repository}" + (f"@{digest}" if pinned else f":{hash_of(release)}")
        return images

    def digests_of(self, release: str) -> dict[str, str]:
        """Return the digests of a release by listed container."""
        return {c: self.registry.tags[repository_of(c), hash_of(release)] for c in self.listed}

    # How it is set up.

    def move_tag(self, container: str, release: str) -> None:
        """Point the environment's tag to a release."""
        repository = repository_of(container)
        self.registry.move(repository, TAG, self.registry.tags[repository, hash_of(release)], self.timeline.now, "somebody")

    def tagged_images(self) -> dict[str, str]:
        """Return what the containers of a revision name that follows the environment's tag."""
        return {c: f"{HOST}/{repository_of(c)}:{TAG}" for c in CONTAINERS[: max(1, self.switches.container_count)]}

    def add_service(self, name: str, release: str, place: str = ENVIRONMENT) -> None:
        """Create an ECS service that runs a release."""
        images = self.tagged_images() if self.uses_tag else self.images_of(release)
        revision = self.ecs.register(f"{place}-{name}", images, {}, "terraform")
        self.ecs.create_service(f"{place}-{name}", revision.arn, self.switches.desired)

    def create_release(self, name: str, release: str, place: str = ENVIRONMENT) -> None:
        """Create a Release."""
        spec = {
            "projectRef": {"name": PROJECT}, "service": name, "environmentRef": {"name": place},
            "source": {"releaseHash": hash_of(release)}, "suspend": False,
        }  # fmt: skip
        self.objects.create(self.key(name, place), spec, annotations={})
        self.asked.append(self.timeline.now)

    def create_set(self, release: str) -> None:
        """Create a ReleaseSet."""
        spec = {
            "projectRef": {"name": PROJECT}, "serviceSet": "all", "environmentRef": {"name": ENVIRONMENT},
            "source": {"environmentRef": {"name": STAGE}} if self.promotes else {"releaseHash": hash_of(release)}, "suspend": False,
            "strategy": {"waves": [{"services": ["api"]}, {"services": ["web"]}], "onFailure": self.switches.on_failure},
        }  # fmt: skip
        self.objects.create(self.asked_of, spec, annotations={})
        self.asked.append(self.timeline.now)

    def recreate(self) -> None:
        """Make the object anew by which people say what they want: without status, and with another uid."""
        before = self.objects.get(self.asked_of)
        if before is not None:
            self.objects.delete(self.asked_of)
            self.objects.create(self.asked_of, before["spec"], annotations={})
            self.asked.append(self.timeline.now)
            self.recreated = self.timeline.now
            self.note_gates()

    def note_gates(self) -> None:
        """Note how the gates stand now."""
        environment, release = self.objects.get(self.environment), self.objects.get(self.key())
        spec = environment["spec"] if environment else {}
        # A suspended set starts no further service: what it has started goes on.
        suspended = not self.switches.has_set and bool(release and self.is_suspended(release["spec"]))
        stopped = bool(spec.get("suspend")) and not self._is_past(spec["suspend"])
        self.gates.set(Gates(suspended, stopped, spec.get("mode") == "Observe", bool(spec.get("windows"))))

    def note_gates_in(self, lasts_s: float) -> None:
        """Note how the gates stand once a suspension may count as past: an operator's time has an error."""
        self.timeline.after(max(0.0, lasts_s - CLOCK_ERROR_S), self.note_gates)

    def is_suspended(self, spec: Body) -> bool:
        """Return whether the spec of a Release or a ReleaseSet suspends it now, by whatever clock an operator may have."""
        return bool(spec.get("suspend")) and not self._is_past(spec.get("suspension") or {})

    def _is_past(self, suspension: Body) -> bool:
        return "until" in suspension and datetime.fromisoformat(suspension["until"]) <= time_of(self.timeline.now + CLOCK_ERROR_S)

    def _environment(self) -> dict[str, Any]:
        switches = self.switches
        return {
            "allowedNamespaces": {"names": [NAMESPACE]},
            "aws": {"accountID": ACCOUNT, "region": REGION, "roleARN": f"arn:aws:iam::{ACCOUNT}:role/release"},
            "target": {"cluster": "prod", "serviceName": "{environment}-{service}", "allowed": [
                {"namespaces": [NAMESPACE], "clusters": ["*"], "serviceNames": ["*"]},
            ]},
            "rollout": {
                "progressDeadlineSeconds": switches.deadline_s,
                "baseRevision": "Latest" if switches.base_latest and not self.uses_tag else "Service",
                "onDrift": "Correct" if switches.corrects and not self.uses_tag else "Report", "correctAfterSeconds": 120,
                "method": "EnvironmentTag" if self.uses_tag else "TaskDefinition",
            },
            "artifacts": {"environmentTag": TAG} if self.uses_tag else {},
            "observation": {"intervalSeconds": switches.interval_s, "graceSeconds": 300},
            "mode": "Deploy",
            **({"commits": {"branch": "main", "backwards": "Hold", "unknown": "Hold"}} if switches.asks_graph else {}),
        }  # fmt: skip

    def _project(self) -> dict[str, Any]:
        """Return the Project as people want it now."""
        web: dict[str, Any] = {"name": "web", "containers": [{"name": c, "repository": repository_of(c)} for c in self.listed]}
        if self.goes_elsewhere:
            web["targets"] = [{"environment": ENVIRONMENT, "serviceName": "prod-other"}]
        others = [{"name": n, "containers": [{"name": "app", "repository": "shop/app"}]} for n in self.services if n != "web"]
        git = {"git": {"url": "https://git.example.com/shop"}} if self.switches.asks_graph else {}
        return {"serviceSets": [{"name": "all", "services": [*others, web]}], **git}

    def edit_project(self) -> None:
        """Write the Project as people want it now."""
        self.objects.edit(self.project, lambda body: body.update(spec=self._project()))


def repository_of(container: str) -> str:
    """Name a container's repository."""
    return f"shop/{container}"
