"""The ports that a process sees the world through: answers are put into the domain's words here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ecs_release.aws.sessions.error_codes import problem_of
from ecs_release.domain import ports
from ecs_release.domain.ecs import service as seen
from ecs_release.domain.model.errors import Ambiguous, Blocked, Conflict, Denied, NotFound, Retryable, Throttled
from ecs_release.domain.ports.commits import CommitRange, FullHash, Membership, Relation, Repository, Unknown
from ecs_release.domain.ports.protocols import EventNote, ObjectKey, Priority, ServicesAnswer, StartedDeployment
from tests.model import ecs as world_ecs
from tests.model import faults
from tests.model.ecs import Service
from tests.model.objects import Conflicts, Gone
from tests.model.registry import Image
from tests.model.scene import Accepted, Scene
from tests.model.world import START, time_of

T = TypeVar("T")


@dataclass
class Link:
    """What lies between one process and the world. One that is cut lets nothing through in either direction, for ever."""

    scene: Scene
    faults: faults.Faults
    crash: Callable[[], None]
    is_cut: bool = False
    is_fenced: bool = False
    """The process has lost its lease: it may read, and change nothing."""

    def now(self) -> float:
        """Bring the world up to the present."""
        self.scene.timeline.advance(asyncio.get_running_loop().time())
        return self.scene.timeline.now

    async def through(self) -> None:
        """Wait for ever if the process is dead."""
        if self.is_cut:
            await asyncio.get_running_loop().create_future()

    async def read(self, call: str, answer: Callable[[float], T]) -> T:
        """Read: `answer` is given the time of the state to answer from."""
        await self._travel()
        fault = self.faults.take(call, self.now())
        if fault in (faults.CRASH_BEFORE, faults.CRASH_AFTER):
            await self._crash()
        self._refuse(call, fault)
        found = answer(self.now() - self.faults.lag_s())
        await self._travel()
        return found

    async def write(self, call: str, apply: Callable[[], T]) -> T:
        """Change something in AWS: applied at once, later, or not at all; answered, or not."""
        await self._travel()
        if self.is_fenced:
            raise Retryable(f"{call}: the lease is lost")
        fault = self.faults.take(call, self.now())
        if fault == faults.CRASH_BEFORE:
            await self._crash()
        if fault == faults.CRASH_DELAYED:
            self.scene.timeline.after(self.faults.chance.uniform(0.0, faults.MOST_DELAY_S), partial(_try, apply))
            await self._crash()
        if fault == faults.LOST_BEFORE:
            await self._lost(call)
        self._refuse(call, fault)
        found = apply()
        if fault == faults.CRASH_AFTER:
            await self._crash()
        if fault == faults.LOST_AFTER:
            await self._lost(call)
        await self._travel()
        return found

    async def kube(self, call: str, apply: Callable[[], T], *, mutating: bool = False) -> T:
        """Call the API server: what it answers is the truth."""
        await self.through()
        await asyncio.sleep(0.005)
        if mutating and self.is_fenced:
            raise Retryable(f"{call}: the lease is lost")
        fault = self.faults.take(call, self.now())
        if fault == faults.CRASH_BEFORE:
            await self._crash()
        if fault in (faults.LOST_BEFORE, faults.THROTTLED):
            raise Retryable(f"{call}: no answer of the API server")
        found = apply()
        if fault == faults.CRASH_AFTER:
            await self._crash()
        if fault == faults.LOST_AFTER:
            raise Retryable(f"{call}: no answer of the API server")
        await self.through()
        return found

    async def _travel(self) -> None:
        await self.through()
        await asyncio.sleep(self.faults.latency_s())
        await self.through()

    async def _lost(self, call: str) -> None:
        await asyncio.sleep(5.0)
        await self.through()
        raise Ambiguous(f"ecs:{call}: ReadTimeoutError: no answer")

    async def _crash(self) -> None:
        self.crash()
        await asyncio.get_running_loop().create_future()

    @staticmethod
    def _refuse(call: str, fault: str) -> None:
        if fault == faults.THROTTLED:
            raise Throttled(f"ecs:{call}: AWS asks to slow down (ThrottlingException)")
        if fault == faults.DENIED:
            raise Denied(f"ecs:{call}: no policy allows it (AccessDeniedException)")
        if fault == faults.REFUSED:
            if call in faults.READS:
                raise Retryable(f"ecs:{call}: ServerException")
            text = "Too many concurrent attempts to create a new revision of the specified family."
            raise problem_of(ClientError({"Error": {"Code": "ClientException", "Message": text}}, call), f"ecs:{call}", mutating=True)


def _try(apply: Callable[[], Any]) -> None:
    """Apply what nobody waits for any more."""
    try:
        apply()
    except Blocked:
        return


class ModelEcs:
    """The port Ecs."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._revisions: dict[str, seen.TaskDefinition] = {}

    @property
    def _ecs(self) -> world_ecs.Ecs:
        return self._link.scene.ecs

    async def describe_services(self, cluster: str, names: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> ServicesAnswer:
        def answer(at: float) -> ServicesAnswer:
            found = {n: self._service(self._ecs.services[n].at(at)) for n in names if n in self._ecs.services}
            return ServicesAnswer(found, time_of(self._link.scene.timeline.now).replace(microsecond=0))

        return await self._link.read("describe_services", answer)

    async def list_tasks(self, cluster: str, service: str, *, priority: Priority = Priority.OBSERVATION) -> list[str]:
        def answer(at: float) -> list[str]:
            if service not in self._ecs.services:
                raise Blocked("RejectedByAWS", f"ecs:ListTasks: ServiceNotFoundException: {service}")
            state = self._ecs.services[service].at(at)
            return [t.arn for t in state.tasks]

        return await self._link.read("list_tasks", answer)

    async def list_stopped_tasks(self, cluster: str, *, service: str = "", deployment_id: str = "") -> list[str]:
        def answer(at: float) -> list[str]:
            states = [snapshots.at(at) for name, snapshots in self._ecs.services.items() if service in ("", name)]
            shown = [self._task(s, t) for s in states for t in s.stopped]
            return [t.arn for t in shown if deployment_id in ("", t.started_by)]

        return await self._link.read("list_tasks", answer)

    async def list_cluster_tasks(self, cluster: str, pages: int) -> list[str] | None:
        return None

    async def describe_tasks(self, cluster: str, arns: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> list[seen.Task]:
        def answer(at: float) -> list[seen.Task]:
            wanted, found = set(arns), []
            for snapshots in self._ecs.services.values():
                state = snapshots.at(at)
                found += [self._task(state, t) for t in (*state.tasks, *state.stopped) if t.arn in wanted]
            return found

        return await self._link.read("describe_tasks", answer)

    async def describe_task_definition(self, arn: str, *, fresh: bool = False) -> seen.TaskDefinition:
        if not fresh and arn in self._revisions:
            return self._revisions[arn]

        def answer(at: float) -> seen.TaskDefinition:
            if arn not in self._ecs.revisions:
                raise Blocked("RejectedByAWS", f"ecs:DescribeTaskDefinition: {arn} is not there (ClientException)")
            return _definition(self._ecs.revisions[arn].at(at))

        self._revisions[arn] = found = await self._link.read("describe_task_definition", answer)
        return found

    async def newest_task_definitions(self, family: str, limit: int) -> list[str]:
        def answer(at: float) -> list[str]:
            states = [r.at(at) for r in self._ecs.revisions.values() if r.times[0] <= at]
            found = [r for r in states if r.family == family and r.status == "ACTIVE"]
            return [r.arn for r in sorted(found, key=lambda r: -r.number)][:limit]

        return await self._link.read("describe_task_definition", answer)

    async def register_task_definition(self, content: Mapping[str, Any], tags: Mapping[str, str]) -> seen.TaskDefinition:
        accepted = self.announced("register_task_definition", content["family"])
        images = {c["name"]: c["image"] for c in content["containerDefinitions"]}
        settings = {e["name"]: e["value"] for e in content["containerDefinitions"][0].get("environment", ())}

        def apply() -> seen.TaskDefinition:
            revision = self._ecs.register(content["family"], images, tags, "operator", settings)
            self.note(accepted, revision=revision.arn)
            return _definition(revision)

        return await self._link.write("register_task_definition", apply)

    async def update_service(self, cluster: str, service: str, task_definition: str, *, force: bool = False) -> StartedDeployment:
        accepted = self.announced("update_service", service)

        def apply() -> StartedDeployment:
            revision = self._ecs.revisions[task_definition].now
            if service == "prod-web" and self._link.scene.switches.controller != "ECS":
                raise Blocked("RejectedByAWS", "ecs:UpdateService: Unable to update task definition on services with another controller")
            if service not in self._ecs.services or revision.status != "ACTIVE":
                raise Blocked("RejectedByAWS", f"ecs:UpdateService: {task_definition} is INACTIVE (ClientException)")
            before = {d.id for d in self._ecs.services[service].now.deployments}
            made = self._ecs.deploy(service, task_definition, by="operator", force=force)
            if made.id not in before:
                self.note(accepted, revision=task_definition, deployment=made.id, force=force)
            return StartedDeployment(made.id, made.revision, time_of(self._link.scene.timeline.now).replace(microsecond=0), "request")

        return await self._link.write("update_service", apply)

    async def service_deployment(self, cluster: str, service_arn: str, deployment_id: str) -> seen.ServiceDeployment | None:
        if not self._link.scene.switches.has_deployments_api:
            return None

        def answer(at: float) -> seen.ServiceDeployment | None:
            state = self._ecs.services[service_arn.rpartition("/")[2]].at(at)
            fate = self._ecs.fates.get(deployment_id)
            if fate is None or fate.created > at:
                return None
            arn = f"{service_arn.replace(':service/', ':service-deployment/')}/{deployment_id.rpartition('/')[2]}"
            found = state.deployment(deployment_id)
            stage = found.stage if found is not None else ""
            pauses, known = self._link.scene.switches.pauses, self._ecs.hooks_of(deployment_id, state)
            hooks = tuple(seen.Hook(hook, status, "PAUSE") for hook, status in known.items() if pauses and status)
            traffic = (0.0 if stage in (world_ecs.SCALE_UP, world_ecs.POST_SCALE_UP) else 100.0) if stage else None
            by_alarm, by_breaker = "alarm" in fate.failed_by, "circuit breaker" in fate.failed_by
            return seen.ServiceDeployment(
                arn, self._ecs.status_of(deployment_id, state), stage=stage, traffic=traffic, hooks=hooks,
                triggered_alarms=("errors",) if by_alarm else (), breaker="TRIGGERED" if by_breaker else "",
            )  # fmt: skip

        self._note_hooks(deployment_id, None)
        try:
            found = await self._link.read("service_deployment", answer)
        except Denied:
            return None
        except Retryable:
            return None
        self._note_hooks(deployment_id, found)
        return found

    def _note_hooks(self, deployment_id: str, found: seen.ServiceDeployment | None) -> None:
        """Note what the process that may write status has read of a deployment and its hooks last."""
        if not self._link.is_fenced and not self._link.is_cut:
            hooks = {h.id: h.status for h in found.hooks} if found is not None else {}
            self._link.scene.hooks_read[deployment_id] = (found.status if found is not None else "", hooks)

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[seen.ProtectedTask]:
        return []

    async def stop_service_deployment(self, arn: str) -> bool:
        if not arn:
            return False
        accepted = self.announced("stop_service_deployment", arn.split("/")[-2])

        def apply() -> bool:
            deployment_id = f"ecs-svc/{arn.rpartition('/')[2]}"
            stopped = self._ecs.stop_deployment(deployment_id)
            if stopped:
                self.note(accepted, deployment=deployment_id)
            return stopped

        try:
            return await self._link.write("stop_service_deployment", apply)
        except Blocked:
            return False

    async def continue_service_deployment(self, arn: str, hook_id: str, action: str) -> None:
        name, deployment_id = arn.split("/")[-2], f"ecs-svc/{arn.rpartition('/')[2]}"
        accepted = self.announced("continue_service_deployment", name)

        def apply() -> None:
            waits = self._ecs.hooks_of(deployment_id, self._ecs.services[name].now).get(hook_id) == "AWAITING_ACTION"
            if not waits or not self._link.scene.switches.pauses:
                raise Blocked("RejectedByAWS", f"ecs:ContinueServiceDeployment on hook {hook_id}: it does not await an action")
            self._ecs.answer_hook(name, hook_id, goes_on=action == "CONTINUE")
            self.note(accepted, deployment=deployment_id, hook=f"{hook_id} {action}")

        await self._link.write("continue_service_deployment", apply)

    # What was announced, and what AWS has accepted.

    def announced(self, call: str, service: str) -> Accepted:
        """Note what status announces as a call is sent; of a tag, which no service is named for, of the only Release."""
        scene = self._link.scene
        body = scene.release_at(service) if service else scene.objects.get(scene.key()) or {}
        rollout = (body.get("status") or {}).get("rollout") or {}
        asked = (i for i in rollout.get("interventions") or () if i.get("cause") == "Requested" and not i.get("acceptedTime"))
        answer: Mapping[str, Any] = next(asked, {})
        return Accepted(
            call, service, self._link.now(), 0.0, (rollout.get("intent") or {}).get("action", ""), rollout.get("attemptID", ""),
            rollout.get("window") or "", rollout.get("cause", ""), scene.called(body), uid=(body.get("metadata") or {}).get("uid", ""),
            has_ended=bool(rollout.get("outcome")), has_moved=rollout.get("environmentTag") == "Moved",
            announced_hook=f"{answer.get('hookID')} {answer.get('action')}",
        )  # fmt: skip

    def note(self, accepted: Accepted, **found: Any) -> None:
        """Note what AWS has carried out."""
        scene = self._link.scene
        accepted.applied = scene.timeline.now
        for name, value in found.items():
            setattr(accepted, name, value)
        scene.calls.append(accepted)

    # Into the domain's words.

    def _service(self, state: Service) -> seen.Service:
        switches = self._link.scene.switches
        failed = {text.partition("(deployment ")[2].partition(")")[0] for _, text in state.events}
        running, pending = ([t for t in state.tasks if t.status == s] for s in (world_ecs.RUNNING, world_ecs.PENDING))
        return seen.Service(
            arn=state.arn, name=state.name, status="ACTIVE", created_at=time_of(state.created), task_definition=state.primary.revision,
            controller=switches.controller if state.name == "prod-web" else "ECS", desired=state.desired, running=len(running), pending=len(pending),
            deployments=tuple(self._deployment(state, d) for d in state.deployments), circuit_breaker=switches.breaker or switches.alarms,
            rollback=switches.rollback and (switches.breaker or switches.alarms), failed_deployments=frozenset(failed),
            newest_event=state.events[0][0] if state.events else "", last_event=state.events[0][1] if state.events else "",
            alarms=switches.alarms, strategy=switches.strategy, hooked=switches.pauses,
            bake_s=switches.bake_s if switches.strategy != "ROLLING" else 0.0,
        )  # fmt: skip

    @staticmethod
    def _deployment(state: Service, found: world_ecs.Deployment) -> seen.Deployment:
        own = [t for t in state.tasks if t.deployment == found.id]
        running = sum(t.status == world_ecs.RUNNING for t in own)
        return seen.Deployment(
            found.id, found.status, found.revision, state.desired, len(own) - running, running, found.failed_tasks, time_of(found.created),
            found.state, found.reason,
        )  # fmt: skip

    def _task(self, state: Service, task: world_ecs.Task) -> seen.Task:
        by = state.name if self._link.scene.switches.starts_by_service else task.deployment
        images = self._ecs.revisions[task.revision].now.images
        # A container's digest is told once its image was pulled.
        pulled = task.status == world_ecs.RUNNING or task.exit_code is not None
        containers = tuple(
            seen.Container(c, images[c], shown if pulled else "", task.status, task.exit_code, task.reason)
            for c, shown in task.shows.items()
        )
        desired = world_ecs.STOPPED if task.stopping else world_ecs.RUNNING
        stopped_at = time_of(task.stopped) if task.stopped is not None else None
        code = "EssentialContainerExited" if task.exit_code is not None else "TaskFailedToStart" if task.stopped is not None else ""
        return seen.Task(
            task.arn, task.revision, by, task.status, desired, containers, task.reason, code, time_of(task.created), stopped_at, state.name
        )


def _definition(revision: world_ecs.Revision) -> seen.TaskDefinition:
    environment = [{"name": n, "value": v} for n, v in revision.settings.items()]
    containers = [{"name": c, "image": i, "environment": environment} for c, i in revision.images.items()]
    content = {"family": revision.family, "containerDefinitions": containers}
    by = f"arn:aws:iam::{world_ecs.ACCOUNT}:role/{revision.registered_by}"
    return seen.TaskDefinition(
        revision.arn, revision.family, revision.number, revision.status, content, dict(revision.tags), (), by, time_of(revision.registered)
    )


class ModelRegistry:
    """The port Registry."""

    def __init__(self, link: Link, ecs: ModelEcs) -> None:
        self._link = link
        self._ecs = ecs

    async def image(self, repository: str, *, tag: str = "", digest: str = "") -> seen.RegistryImage | None:
        def answer(_: float) -> seen.RegistryImage | None:
            registry = self._link.scene.registry
            found = registry.images.get(digest or registry.tags.get((repository, tag), ""))
            return self._image(found) if found is not None and found.repository == repository else None

        return await self._link.read("image", answer)

    async def images(self, repository: str, digests: Collection[str]) -> ports.protocols.ImagesAnswer:
        def answer(_: float) -> ports.protocols.ImagesAnswer:
            known = self._link.scene.registry.images
            return ports.protocols.ImagesAnswer({d: self._image(known[d]) for d in digests if d in known})

        return await self._link.read("image", answer)

    async def manifest_lists_naming(self, repository: str, images: Collection[seen.RegistryImage]) -> ports.protocols.ImagesAnswer:
        def answer(_: float) -> ports.protocols.ImagesAnswer:
            registry = self._link.scene.registry
            lists = {n.digest: registry.of_digest(n.digest) for n in images}
            return ports.protocols.ImagesAnswer({d: self._image(i) for d, i in lists.items() if i is not None and d in i.platforms})

        return await self._link.read("image", answer)

    async def tag_digest(self, repository: str, tag: str) -> str:
        return await self._link.read("image", lambda _: self._link.scene.registry.tags.get((repository, tag), ""))

    async def check_movable(self, repository: str, tag: str) -> None:
        return

    async def move_tag(self, repository: str, tag: str, digest: str) -> None:
        accepted = self._ecs.announced("move_tag", "")

        def apply() -> None:
            self._link.scene.registry.move(repository, tag, digest, self._link.scene.timeline.now, "operator")
            self._ecs.note(accepted)

        await self._link.write("move_tag", apply)

    def _image(self, image: Image) -> seen.RegistryImage:
        tags = tuple(t for (r, t), d in self._link.scene.registry.tags.items() if r == image.repository and d == image.digest)
        return seen.RegistryImage(image.digest, tags, image.platforms, START)


class Missing:
    """A queue, or a sink, that is not there."""

    async def receive(self) -> Any:
        raise Retryable("sqs:ReceiveMessage: the queue does not exist (NonExistentQueue)")

    async def send(self, notifications: Any) -> int:
        raise Retryable("sns:Publish: the topic does not exist (NotFoundException)")


class ModelAws:
    """The port Aws: one account and region."""

    def __init__(self, link: Link, ledger: Any) -> None:
        self._ecs, self._ledger = ModelEcs(link), ledger
        self._registry = ModelRegistry(link, self._ecs)

    def ecs(self, access: Any) -> ModelEcs:
        return self._ecs

    def registry(self, access: Any, registry_id: str, region: str) -> ModelRegistry:
        return self._registry

    def event_queue(self, access: Any, url: str) -> Any:
        return Missing()

    def sink(self, access: Any, arn: str) -> Any:
        return Missing()

    def ledger(self, access: Any, table: str, *, create: bool = False) -> Any:
        return self._ledger

    async def caller(self, access: Any) -> str:
        return "arn:aws:sts::111122223333:assumed-role/release/operator"


class ModelCluster:
    """The port Cluster."""

    def __init__(self, link: Link, wrote: Callable[[str, Mapping[str, Any]], None]) -> None:
        """`wrote` is called with each status that this process has written."""
        self._link = link
        self._wrote = wrote
        self.notes: list[tuple[str, EventNote]] = []

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        return await self._link.kube("get", lambda: self._link.scene.objects.get(_key(key)))

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        def apply() -> Mapping[str, Any]:
            body = self._link.scene.objects.write_status(_key(key), dict(status), uid, resource_version)
            self._wrote(str(key), body)
            return body

        return await self._changing("write_status", apply)

    async def list_labelled(self, kind: str, namespace: str, label: str, value: str, *, most: int) -> list[Mapping[str, Any]] | None:
        def answer() -> list[Mapping[str, Any]] | None:
            found = self._link.scene.objects.of_kind(kind)
            labelled = [b for k, b in found if k[1] == namespace and (b["metadata"].get("labels") or {}).get(label) == value]
            return labelled if len(labelled) <= most else None

        return await self._link.kube("get", answer)

    async def create(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        metadata = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
        return await self._changing("create", lambda: self._link.scene.objects.create(_key(key), body["spec"], **metadata))

    async def replace(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._changing("replace", lambda: self._link.scene.objects.replace(_key(key), dict(body)))

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        await self._changing("delete", lambda: self._link.scene.objects.delete(_key(key), uid))

    async def _changing(self, call: str, apply: Callable[[], T]) -> T:
        try:
            return await self._link.kube(call, apply, mutating=True)
        except Conflicts as error:
            raise Conflict from error
        except Gone as error:
            raise NotFound from error

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        if not self._link.is_cut:
            self.notes.append((str(key), note))

    async def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        await self._link.through()
        for key, body in self._link.scene.objects.of_kind(kind):
            yield key[1], key[2], body["metadata"]["uid"]

    async def count(self, kind: str) -> int:
        return await self._link.kube("count", lambda: len(self._link.scene.objects.of_kind(kind)))

    async def refusal(self, namespace: str) -> str:
        return ""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return {}

    async def has_policy(self, resource: str, name: str) -> bool:
        return False


def _key(key: ObjectKey) -> tuple[str, str, str]:
    return (key.kind, key.namespace, key.name)


class ModelCommits:
    """The commit graph: a line, in which each release follows the one before it in the alphabet. All of it is merged."""

    def __init__(self, link: Link) -> None:
        """What is asked travels as calls to AWS do."""
        self._link = link

    async def relation(self, repository: Repository, a: str, b: str) -> Relation | Unknown:
        apart = ord(a[0]) - ord(b[0])
        return await self._link.read("relation", lambda _: Relation(max(0, apart), max(0, -apart)))

    async def membership(self, repository: Repository, a: str, max_age_s: float) -> Membership | Unknown:
        return await self._link.read("membership", lambda at: Membership(True, a, time_of(at)))

    async def full_hash(self, repository: Repository, abbreviated: str, max_age_s: float) -> FullHash | Unknown:
        return await self._link.read("full_hash", lambda at: FullHash(abbreviated[0] * 40, time_of(at)))

    async def between(self, repository: Repository, a: str, b: str) -> CommitRange | Unknown:
        raise NotImplementedError("no decision lists commits")
