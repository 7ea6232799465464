"""ECS: services, their deployments and what becomes of each, tasks and revisions. Times are seconds of true time.

Amazon ECS developer guide: "Deploy Amazon ECS services by replacing tasks", "How the Amazon ECS deployment circuit breaker detects
failures". Coarse on purpose: what counts is what may be seen, in which order, and not how long it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.model.registry import CANNOT_PULL, CRASHES, HANGS, EcrRegistry, Image
from tests.model.world import Snapshots, Switches, Timeline

REGION, ACCOUNT = "eu-west-1", "111122223333"
BROKEN = "BROKEN"
SCALE_UP, POST_SCALE_UP, BAKE_TIME, CLEAN_UP = "SCALE_UP", "POST_SCALE_UP", "BAKE_TIME", "CLEAN_UP"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
PRIMARY, ACTIVE = "PRIMARY", "ACTIVE"
IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"
PENDING, RUNNING, STOPPED = "PENDING", "RUNNING", "STOPPED"
SUPERSEDED, ROLLED_BACK = "SUPERSEDED", "ROLLED_BACK"

_PLACE_S, _PULL_S, _CRASH_S, _HEALTHY_S, _SETTLE_S, _BACKOFF_S, _MOST_BACKOFF_S = 4.0, 5.0, 4.0, 8.0, 6.0, 10.0, 600.0
_BREAKER = 3
_STOPPED_KEPT = 10


@dataclass(frozen=True, slots=True)
class Revision:
    """A task definition's revision."""

    arn: str
    family: str
    number: int
    images: Mapping[str, str]
    tags: Mapping[str, str]
    registered_by: str
    registered: float
    settings: Mapping[str, str] = field(default_factory=dict)
    """What is beside images and tags: a revision built on this one has it, too. `BROKEN` makes every task crash."""
    status: str = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Task:
    """One task, and the digests that it shows by container."""

    arn: str
    revision: str
    deployment: str
    created: float
    shows: Mapping[str, str]
    status: str = PENDING
    stopping: bool = False
    since: float = 0.0
    """When it began to run."""
    stopped: float | None = None
    reason: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment. `resolved` are the digests that its first task has found, by container."""

    id: str
    revision: str
    created: float
    status: str = PRIMARY
    state: str = IN_PROGRESS
    reason: str = ""
    failed_tasks: int = 0
    resolved: Mapping[str, str] = field(default_factory=dict)
    stage: str = ""
    """Its lifecycle stage, where deployments go in stages."""
    continued: frozenset[str] = frozenset()
    """Its hooks at which it was told to go on."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service as it is at one moment. `rolls_back` is the deployment from which ECS is rolling back, empty where none."""

    name: str
    arn: str
    created: float
    desired: int
    deployments: tuple[Deployment, ...] = ()
    tasks: tuple[Task, ...] = ()
    stopped: tuple[Task, ...] = ()
    events: tuple[tuple[str, str], ...] = ()
    rolls_back: str = ""

    @property
    def primary(self) -> Deployment:
        """The deployment that ECS works towards."""
        return next(d for d in self.deployments if d.status == PRIMARY)

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Find a deployment that is listed."""
        return next((d for d in self.deployments if d.id == deployment_id), None)

    @property
    def running(self) -> tuple[Task, ...]:
        """All tasks that run and shall go on."""
        return tuple(t for t in self.tasks if t.status == RUNNING and not t.stopping)


@dataclass
class Fate:
    """What became of a deployment in truth, for the oracle; and who asked for it."""

    by: str
    created: float
    revision: str
    end: str = ""
    ended: float = 0.0
    failed_by: str = ""
    """What ECS says of a failure."""
    completed: float | None = None
    succeeded_by: str = ""
    progressed: float = 0.0
    """When a task of it came up for the last time."""
    resolved: Mapping[str, str] = field(default_factory=dict)
    """As of the deployment."""

    def ends(self, how: str, now: float) -> None:
        """Note the end: the first one counts, but a failure that is rolled back is a rollback."""
        if not self.end or (self.end, how) == (FAILED, ROLLED_BACK):
            self.end, self.ended = how, now


class Ecs:
    """ECS in one account and region, of one cluster."""

    def __init__(self, timeline: Timeline, registry: EcrRegistry, switches: Switches) -> None:
        """There is nothing at first."""
        self.timeline = timeline
        self.registry = registry
        self.switches = switches
        self.services: dict[str, Snapshots[Service]] = {}
        self.revisions: dict[str, Snapshots[Revision]] = {}
        self.fates: dict[str, Fate] = {}
        self.completed: dict[str, list[Deployment]] = {}
        self.proofs: dict[str, list[dict[str, str]]] = {}
        """What all tasks were seen to run, by container, while a deployment was PRIMARY and had not failed: names of releases."""
        self.frozen: set[str] = set()
        """Services for which ECS does nothing just now."""
        self._numbers = 0
        self._steps: dict[str, float] = {}

    # Revisions.

    def register(
        self, family: str, images: Mapping[str, str], tags: Mapping[str, str], by: str, settings: Mapping[str, str] | None = None
    ) -> Revision:
        """Register a revision."""
        number = 1 + sum(r.now.family == family for r in self.revisions.values())
        arn, now = f"{ARN}:task-definition/{family}:{number}", self.timeline.now
        found = Revision(arn, family, number, dict(images), dict(tags), by, now, dict(settings or {}))
        self.revisions[found.arn] = Snapshots(self.timeline)
        self.revisions[found.arn].set(found)
        return found

    def deregister(self, arn: str) -> None:
        """Make a revision INACTIVE."""
        self.revisions[arn].set(replace(self.revisions[arn].now, status="INACTIVE"))

    # Services.

    def create_service(self, name: str, revision: str, desired: int) -> None:
        """Create a service that has run for a while."""
        self.services[name] = Snapshots(self.timeline)
        self.completed[name] = []
        self.services[name].set(Service(name, f"{ARN}:service/prod/{name}", self.timeline.now, desired))
        self.deploy(name, revision, by="terraform")

    def deploy(self, name: str, revision: str, *, by: str, force: bool = False) -> Deployment:
        """Do what UpdateService does. To name the revision that is PRIMARY already deploys nothing, unless that is forced."""
        service = self.services[name].now
        if service.deployments and service.primary.revision == revision and not force:
            return service.primary
        self._numbers += 1
        found = Deployment(f"ecs-svc/{self._numbers:019}", revision, self.timeline.now)
        stage = SCALE_UP if self.switches.strategy != "ROLLING" and service.deployments else ""
        found = replace(found, reason=f"ECS deployment {found.id} in progress.", stage=stage)
        self.fates[found.id] = Fate(by, self.timeline.now, revision)
        self._make_primary(name, found)
        return found

    def scale(self, name: str, desired: int) -> None:
        """Change how many tasks are wanted."""
        service = self.services[name].now
        if service.desired == desired:
            return
        self._set(name, replace(service, desired=desired))
        if self.switches.scaling_is_progress and service.primary.state == COMPLETED:
            self._change(name, service.primary.id, state=IN_PROGRESS)
        self._soon(name)

    def stop_task(self, name: str, reason: str) -> None:
        """Stop a running task from outside, as Spot does."""
        running = self.services[name].now.running
        if running:
            self._stop(name, running[-1], reason)
            self._soon(name)

    def fail(self, name: str, reason: str, *, rolls_back: bool) -> None:
        """Fail the PRIMARY deployment, and return to the last completed one where that is set up, and there is one."""
        service = self.services[name].now
        failed = service.primary
        if failed.state != IN_PROGRESS or service.rolls_back:
            return
        self.fates[failed.id].ends(FAILED, self.timeline.now)
        self.fates[failed.id].failed_by = reason
        text = f"(service {name}) (deployment {failed.id}) deployment failed: tasks failed to start."
        self._set(name, replace(service, events=((str(len(service.events)), text), *service.events)[:20]))
        self._change(name, failed.id, state=FAILED, reason=reason)
        if rolls_back and self._target(name, failed) is not None:
            self.timeline.after(self.switches.rollback_s, lambda: self._roll_back(name, failed))

    def stop_deployment(self, deployment_id: str) -> bool:
        """Do what StopServiceDeployment does with ROLLBACK: False where that is over."""
        for name, snapshots in self.services.items():
            primary = snapshots.now.primary
            if primary.id == deployment_id and primary.state == IN_PROGRESS and self._target(name, primary) is not None:
                self.fates[deployment_id].ends(ROLLED_BACK, self.timeline.now)
                self._roll_back(name, primary, stopped=True)
                return True
        return False

    def status_of(self, deployment_id: str, service: Service) -> str:
        """Return a service deployment's status as a state of its service shows it."""
        fate = self.fates[deployment_id]
        if service.rolls_back == deployment_id:
            return "ROLLBACK_IN_PROGRESS"
        found = service.deployment(deployment_id)
        if found is not None and found.status == PRIMARY and found.state == IN_PROGRESS and fate.completed is None:
            return "IN_PROGRESS"
        if fate.end == ROLLED_BACK:
            return "ROLLBACK_SUCCESSFUL"
        if found is not None and found.state == FAILED:
            return "STOPPED"
        return "SUCCESSFUL" if fate.completed is not None else "STOPPED"

    def thaw(self, name: str) -> None:
        """Have ECS go on."""
        self.frozen.discard(name)
        self._soon(name)

    def accepted(self, release: str, repositories: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """Return the digests that prove a release, by container."""
        by_repository = {i.repository: i for i in self.registry.images.values() if i.release == release}
        return {c: by_repository[r].digests for c, r in repositories.items()}

    # How a deployment goes on.

    def _make_primary(self, name: str, new: Deployment) -> None:
        service = self.services[name].now
        kept: list[Deployment] = []
        for known in service.deployments:
            if known.id == new.id:
                continue
            if known.status == PRIMARY:
                fate = self.fates[known.id]
                fate.succeeded_by = new.id
                if known.state == IN_PROGRESS and fate.completed is None:
                    fate.ends(SUPERSEDED, self.timeline.now)
            kept.append(replace(known, status=ACTIVE))
        self._set(name, replace(service, deployments=(new, *kept), rolls_back=""))
        self._soon(name)

    def _soon(self, name: str, seconds: float = _PLACE_S) -> None:
        due = self.timeline.now + seconds
        if due < self._steps.get(name, float("inf")):
            self._steps[name] = due
            self.timeline.after(seconds, lambda: self._step(name, due))

    def _step(self, name: str, due: float) -> None:
        """Let the scheduler look once: it starts what is missing, stops what is too much, and completes what is whole."""
        if self._steps.get(name) != due:
            return
        del self._steps[name]
        if name in self.frozen:
            return
        service = self.services[name].now
        primary = service.primary
        own = [t for t in service.tasks if t.deployment == primary.id and not t.stopping]
        if primary.state != FAILED:
            for _ in range(service.desired - len(own)):
                self._start(name)
        for task in own[service.desired :]:
            self._stop(name, task, "Scaling activity initiated")
        service = self.services[name].now
        healthy = [t for t in service.running if t.deployment == service.primary.id and self.timeline.now - t.since >= _HEALTHY_S]
        old = [t for t in service.tasks if t.deployment != service.primary.id and not t.stopping]
        if self._goes_in_stages(name, service, len(healthy)):
            return
        spare = len(healthy) + len(old) - service.desired
        for task in sorted(old, key=lambda t: t.status == RUNNING)[: max(0, spare)]:
            self._stop(name, task, "Service scheduler initiated")
        self._complete_if_whole(name)

    def _goes_in_stages(self, name: str, service: Service, healthy: int) -> bool:
        """Bring a deployment to its next stage if it is due. Until the last one old tasks stay."""
        primary = service.primary
        if primary.state != IN_PROGRESS or primary.stage in ("", CLEAN_UP):
            return False
        if primary.stage == SCALE_UP and healthy >= service.desired:
            self._change(name, primary.id, stage=POST_SCALE_UP)
            if not self.switches.pauses:
                self._bake(name, primary.id)
        return True

    def hooks_of(self, deployment_id: str, service: Service) -> dict[str, str]:
        """Return the PAUSE hooks of a deployment as a state of its service shows them: by id their status, empty before they are reached."""
        found, hook = service.deployment(deployment_id), f"pause-{deployment_id.rpartition('/')[2].lstrip('0')}"
        names = (hook, f"{hook}-too") if self.switches.pauses_twice else (hook,)
        if found is None or found.stage in ("", SCALE_UP):
            return dict.fromkeys(names, "")
        waits = found.stage == POST_SCALE_UP and service.primary.id == deployment_id and found.state == IN_PROGRESS
        else_ = "AWAITING_ACTION" if waits else "FAILED"
        return {n: "SUCCEEDED" if found.stage != POST_SCALE_UP or n in found.continued else else_ for n in names}

    def open_hooks(self, name: str) -> list[str]:
        """List the hooks that wait now."""
        service = self.services[name].now
        return [h for h, status in self.hooks_of(service.primary.id, service).items() if status == "AWAITING_ACTION"]

    def answer_hook(self, name: str, hook: str, *, goes_on: bool) -> None:
        """Have a deployment go on after POST_SCALE_UP, if that is its last hook that waits: it bakes, then cleans up; or have it rolled back."""
        primary, waits = self.services[name].now.primary, self.open_hooks(name)
        if hook not in waits:
            return
        if not goes_on:
            self.fail(name, "Service deployment rolled back because ContinueServiceDeployment was called.", rolls_back=True)
            return
        self._change(name, primary.id, continued=primary.continued | {hook})
        if waits == [hook]:
            self._bake(name, primary.id)

    def _bake(self, name: str, deployment_id: str) -> None:
        self._change(name, deployment_id, stage=BAKE_TIME)
        self.timeline.after(self.switches.bake_s, lambda: self._baked(name, deployment_id))

    def _baked(self, name: str, deployment_id: str) -> None:
        primary = self.services[name].now.primary
        if primary.id == deployment_id and primary.state == IN_PROGRESS:
            self._change(name, deployment_id, stage=CLEAN_UP)
            self.fates[deployment_id].progressed = self.timeline.now
            self._soon(name, 1.0)

    def _complete_if_whole(self, name: str) -> None:
        service = self.services[name].now
        primary = service.primary
        new = [t for t in service.running if t.deployment == primary.id and self.timeline.now - t.since >= _HEALTHY_S]
        whole = len(new) == service.desired and len(service.tasks) == len(new)
        if whole and primary.state == IN_PROGRESS:
            self.timeline.after(_SETTLE_S, lambda: self._complete(name, primary.id))

    def _complete(self, name: str, deployment_id: str) -> None:
        service = self.services[name].now
        primary = service.primary
        new = [t for t in service.running if t.deployment == primary.id]
        if primary.id != deployment_id or primary.state != IN_PROGRESS or len(new) != service.desired or name in self.frozen:
            return
        fate = self.fates[primary.id]
        fate.completed = self.timeline.now if fate.completed is None else fate.completed
        fate.ends(COMPLETED, self.timeline.now)
        done = replace(primary, state=COMPLETED, reason=f"ECS deployment {primary.id} completed.", failed_tasks=0)
        self.completed[name] = [*(d for d in self.completed[name] if d.id != done.id), done]
        self._set(name, replace(service, deployments=(done,), rolls_back=""))

    def _start(self, name: str) -> None:
        service = self.services[name].now
        primary = service.primary
        revision = self.revisions[primary.revision].now
        if not primary.resolved:
            found = {c: self.registry.of_reference(r) for c, r in revision.images.items()}
            primary = self._change(name, primary.id, resolved={c: self._shown(i) for c, i in found.items()})
            self.fates[primary.id].resolved = primary.resolved
        self._numbers += 1
        task = Task(f"{ARN}:task/prod/{self._numbers:032x}", revision.arn, primary.id, self.timeline.now, primary.resolved)
        service = self.services[name].now
        self._set(name, replace(service, tasks=(*service.tasks, task)))
        behaviours = {self.registry.behaviour_of(self.registry.of_digest(d)) for d in task.shows.values()}
        if BROKEN in revision.settings:
            behaviours.add(CRASHES)
        if HANGS not in behaviours:
            self.timeline.after(_PULL_S, lambda: self._pulled(name, task.arn, behaviours))

    def _shown(self, image: Image | None) -> str:
        if image is None:
            return ""
        return image.platforms[0] if image.platforms and self.switches.shows_platform else image.digest

    def _pulled(self, name: str, arn: str, behaviours: set[str]) -> None:
        task = next((t for t in self.services[name].now.tasks if t.arn == arn), None)
        if task is None or task.stopping:
            return
        if CANNOT_PULL in behaviours:
            self._fails(name, task, "CannotPullContainerError: pull image manifest has been retried", None)
            return
        service = self.services[name].now
        self._set(
            name,
            replace(service, tasks=tuple(replace(t, status=RUNNING, since=self.timeline.now) if t is task else t for t in service.tasks)),
        )
        if CRASHES in behaviours:
            self.timeline.after(_CRASH_S, lambda: self._crashes(name, arn))
        else:
            self._change(name, task.deployment, failed_tasks=0)
            self.fates[task.deployment].progressed = self.timeline.now
            self._soon(name, _HEALTHY_S)

    def _crashes(self, name: str, arn: str) -> None:
        task = next((t for t in self.services[name].now.tasks if t.arn == arn), None)
        if task is not None and not task.stopping:
            self._fails(name, task, "Essential container in task exited", 1)

    def _fails(self, name: str, task: Task, reason: str, exit_code: int | None) -> None:
        self._stop(name, replace(task, exit_code=exit_code), reason)
        found = self.services[name].now.deployment(task.deployment)
        failures = found.failed_tasks + 1 if found is not None else 0
        self._change(name, task.deployment, failed_tasks=failures)
        service = self.services[name].now
        if found is not None and found.status == PRIMARY and found.state == IN_PROGRESS and failures >= _BREAKER and self.switches.breaker:
            self.fail(name, "ECS deployment circuit breaker: tasks failed to start.", rolls_back=self.switches.rollback)
        if service.primary.state != FAILED:
            self._soon(name, min(_MOST_BACKOFF_S, _BACKOFF_S * 2 ** max(0, failures - _BREAKER)))

    def _stop(self, name: str, task: Task, reason: str) -> None:
        service = self.services[name].now
        gone = replace(task, status=STOPPED, stopping=True, stopped=self.timeline.now, reason=reason)
        left = tuple(t for t in service.tasks if t.arn != task.arn)
        self._set(name, replace(service, tasks=left, stopped=(gone, *service.stopped)[:_STOPPED_KEPT]))

    def _target(self, name: str, failed: Deployment) -> Deployment | None:
        """Return the deployment that ECS rolls back to: the last one that was completed."""
        return next((d for d in reversed(self.completed[name]) if d.id != failed.id), None)

    def _roll_back(self, name: str, failed: Deployment, *, stopped: bool = False) -> None:
        service = self.services[name].now
        if service.primary.id != failed.id or not (stopped or service.primary.state == FAILED):
            return
        target = self._target(name, failed)
        assert target is not None
        self.completed[name] = [d for d in self.completed[name] if d.id != target.id]
        self.fates[failed.id].ends(ROLLED_BACK, self.timeline.now)
        why = "stopped by user" if stopped else "circuit breaker"
        reason = f"ECS deployment {why}: rolling back to deploymentId {target.id}."
        if self.switches.reuses_ids:
            back = replace(target, status=PRIMARY, state=IN_PROGRESS, reason=reason, stage="")
        else:
            self._numbers += 1
            # Of what the tags meant when that was deployed (developer guide, "Container image resolution").
            back = Deployment(f"ecs-svc/{self._numbers:019}", target.revision, self.timeline.now, reason=reason, resolved=target.resolved)
            self.fates[back.id] = Fate("ecs", self.timeline.now, back.revision, resolved=back.resolved)
        self._make_primary(name, back)
        self._set(name, replace(self.services[name].now, rolls_back=failed.id))

    # Changes.

    def _change(self, name: str, deployment_id: str, **changes: Any) -> Deployment:
        service = self.services[name].now
        deployments = tuple(replace(d, **changes) if d.id == deployment_id else d for d in service.deployments)
        self._set(name, replace(service, deployments=deployments))
        return next((d for d in deployments if d.id == deployment_id), service.primary)

    def _set(self, name: str, service: Service) -> None:
        self.services[name].set(service)
        running = self.shown_by_all(service)
        if running is not None and service.deployments and self.is_good(service):
            seen = self.proofs.setdefault(service.primary.id, [])
            if running not in seen:
                seen.append(running)

    @staticmethod
    def is_good(service: Service) -> bool:
        """Return whether the PRIMARY is neither failed nor being rolled back."""
        return service.primary.state != FAILED

    def shown_by_all(self, service: Service) -> dict[str, str] | None:
        """Return the release that all running tasks show, by container; None where none runs, or they differ."""
        found: dict[str, str] | None = None
        for task in service.running:
            shown = {c: i.release if (i := self.registry.of_digest(d)) else "" for c, d in task.shows.items()}
            if found is not None and found != shown:
                return None
            found = shown
        return found
