"""What may happen: steps of people, of ECS, of the cluster, and faults. An action is a name and arguments that JSON can hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.model import faults
from tests.model.ecs import BROKEN
from tests.model.objects import Body
from tests.model.registry import BEHAVIOURS, hash_of
from tests.model.scene import ABORT, CONTAINERS, CONTINUE, FREEZE, REFRESH, RELEASES, RETRY, STAGE, Scene
from tests.model.world import time_of

Action: TypeAlias = tuple[Any, ...]
"""A name, then its arguments."""
Deed: TypeAlias = Callable[..., None]

DEEDS: dict[str, Deed] = {}
"""What changes the world, by name. `run` knows a few actions more, which are about processes and time."""
HELD_S = 100.0
"""What is held up for so long has nothing under way any more, whatever calls are slow."""
CHOICES: dict[str, tuple[int, tuple[tuple[Any, ...], ...]]] = {}
"""How often each action is chosen, and from which arguments."""


def deed(weight: int, *choices: tuple[Any, ...]) -> Callable[[Deed], Deed]:
    """Register an action: how often it is chosen, and from what each argument is."""

    def register(function: Deed) -> Deed:
        DEEDS[function.__name__] = function
        CHOICES[function.__name__] = (weight, choices)
        return function

    return register


# People, at the cluster.


@deed(12, tuple(RELEASES))
def release(scene: Scene, wanted: str) -> None:
    """Somebody wants another release."""
    if scene.promotes:
        for service in scene.services:
            source = {"releaseHash": hash_of(wanted)}
            scene.objects.edit(scene.key(service, STAGE), lambda body, source=source: body["spec"].update(source=source))
        return
    before = scene.objects.get(scene.asked_of)
    if before is not None and before["spec"]["source"] != {"releaseHash": hash_of(wanted)}:
        scene.asked.append(scene.timeline.now)
        _edit_spec(scene, source={"releaseHash": hash_of(wanted)})


@deed(3)
def retry(scene: Scene) -> None:
    """Somebody asks for another attempt."""
    scene.asked.append(scene.timeline.now)
    _annotate(scene, RETRY)


@deed(2)
def withdraw_retry(scene: Scene) -> None:
    """Somebody takes a retry back that was not acted on."""
    body = scene.objects.get(scene.asked_of)
    if body is None or RETRY not in body["metadata"].get("annotations", {}):
        return
    if _waits_for_retry(scene, body):
        scene.withdrawn.append(scene.timeline.now)
    scene.objects.edit(scene.asked_of, lambda body: body["metadata"]["annotations"].pop(RETRY))


@deed(2)
def abort(scene: Scene) -> None:
    """Somebody wants the attempt to be ended."""
    _annotate(scene, ABORT)


@deed(1)
def refresh(scene: Scene) -> None:
    """Somebody wants the source to be resolved anew."""
    scene.asked.append(scene.timeline.now)
    _annotate(scene, REFRESH)


@deed(4)
def promote(scene: Scene) -> None:
    """Somebody promotes what the other Environment runs by now."""
    if scene.promotes:
        refresh(scene)


@deed(1, (0, 1, 2))
def scale_stage(scene: Scene, desired: int) -> None:
    """Another number of tasks is wanted in the Environment that is promoted from."""
    if scene.promotes:
        scene.ecs.scale("stage-web", desired)


@deed(1, tuple(RELEASES), (True, False))
def console_deploys_to_stage(scene: Scene, wanted: str, pinned: bool) -> None:
    """Somebody deploys by hand in the Environment that is promoted from."""
    if scene.promotes:
        found = scene.ecs.register("stage-web", scene.images_of(wanted, pinned=pinned), {}, "console")
        scene.ecs.deploy("stage-web", found.arn, by="console")


@deed(3, (True, False))
def suspend(scene: Scene, on: bool) -> None:
    """The Release is suspended, or no longer."""
    _edit_spec(scene, suspend=on, suspension=None)


@deed(3, (20, 150, 900, -60))
def suspend_for(scene: Scene, lasts_s: float) -> None:
    """The Release is suspended, until a time that is perhaps past."""
    _edit_spec(scene, suspend=True, suspension={"until": time_of(scene.timeline.now + lasts_s).isoformat()})
    scene.note_gates_in(lasts_s)


@deed(2, (True, False))
def suspend_environment(scene: Scene, on: bool) -> None:
    """The platform team's brake."""
    _edit_environment(scene, suspend={"reason": "an incident"} if on else None)


@deed(2, (20, 150, 900))
def suspend_environment_for(scene: Scene, lasts_s: float) -> None:
    """The platform team's brake, which comes off by itself."""
    _edit_environment(scene, suspend={"reason": "an incident", "until": time_of(scene.timeline.now + lasts_s).isoformat()})
    scene.note_gates_in(lasts_s)


@deed(1, ("Deploy", "Observe"))
def mode(scene: Scene, to: str) -> None:
    """The Environment only observes, or no longer."""
    _edit_environment(scene, mode=to)


@deed(3, (True, False))
def close_window(scene: Scene, on: bool) -> None:
    """A freeze begins or ends."""
    _edit_environment(scene, windows=[FREEZE] if on else None)


@deed(1, (1, 2))
def list_containers(scene: Scene, count: int) -> None:
    """The Project lists more or fewer containers."""
    if count <= scene.switches.container_count:
        scene.listed[:] = CONTAINERS[:count]
        scene.edit_project()


@deed(1, (True, False))
def point_elsewhere(scene: Scene, on: bool) -> None:
    """The Project points the service at another ECS service that is there already, or back."""
    scene.goes_elsewhere = on
    scene.edit_project()


@deed(1)
def restore_without_status(scene: Scene) -> None:
    """The Release, or the set, comes back from a backup: another uid, and no status."""
    scene.recreate()


# People, at AWS.


@deed(3, tuple(RELEASES), (True, False))
def console_deploys(scene: Scene, wanted: str, pinned: bool) -> None:
    """Somebody registers a revision by hand, and deploys it."""
    found = scene.ecs.register("prod-web", scene.images_of(wanted, pinned=pinned), {}, "console")
    scene.ecs.deploy("prod-web", found.arn, by="console")


@deed(2, tuple(RELEASES), (False, True))
def terraform_registers(scene: Scene, wanted: str, broken: bool) -> None:
    """Terraform registers a revision, and leaves the service alone. All that is built on a broken one crashes."""
    scene.ecs.register("prod-web", scene.images_of(wanted), {}, "terraform", {BROKEN: "true"} if broken else {"SIZE": "2"})


@deed(1)
def console_copies(scene: Scene) -> None:
    """Somebody registers what runs anew, tags and all, with another setting, and deploys it."""
    runs = scene.ecs.revisions[scene.service().now.primary.revision].now
    settings = {**runs.settings, "LEVEL": f"{scene.timeline.now:.0f}"}
    found = scene.ecs.register("prod-web", runs.images, runs.tags, "console", settings)
    scene.ecs.deploy("prod-web", found.arn, by="console")


@deed(1)
def console_forces(scene: Scene) -> None:
    """Somebody forces a new deployment of what is there."""
    scene.ecs.deploy("prod-web", scene.service().now.primary.revision, by="console", force=True)


@deed(1)
def console_returns(scene: Scene) -> None:
    """Somebody sets the service back to the revision before."""
    known = scene.ecs.completed["prod-web"]
    if len(known) > 1:
        scene.ecs.deploy("prod-web", known[-2].revision, by="console")


@deed(2, (0, 1, 2, 3))
def scale(scene: Scene, desired: int) -> None:
    """Autoscaling, or somebody, wants another number of tasks."""
    scene.ecs.scale("prod-web", desired)


# ECS and images.


@deed(2, tuple(RELEASES))
def somebody_moves_the_tag(scene: Scene, wanted: str) -> None:
    """A pipeline moves the environment's tag, and deploys nothing."""
    if scene.uses_tag:
        for container in CONTAINERS:
            scene.move_tag(container, wanted)


@deed(1)
def deregister_unused(scene: Scene) -> None:
    """All revisions that no deployment uses are deregistered."""
    used = {d.revision for d in scene.service().now.deployments}
    for arn in scene.ecs.revisions:
        if arn not in used:
            scene.ecs.deregister(arn)


@deed(6, tuple(RELEASES), BEHAVIOURS)
def behave(scene: Scene, wanted: str, behaviour: str) -> None:
    """From now on tasks of a release behave otherwise."""
    scene.registry.behaviour[wanted] = behaviour


@deed(2)
def spot_takes_a_task(scene: Scene) -> None:
    """A task is taken away."""
    scene.ecs.stop_task("prod-web", "Your Spot Task was interrupted")


@deed(2)
def alarm_goes_off(scene: Scene) -> None:
    """A CloudWatch alarm fails the deployment, if alarms watch it."""
    if scene.switches.alarms:
        scene.ecs.fail("prod-web", "ECS deployment failed: alarm detected.", rolls_back=scene.switches.rollback)


@deed(2, (True, True, False))
def answer_hook(scene: Scene, goes_on: bool) -> None:
    """Somebody answers in AWS the hook that pauses a deployment: the last one, where there are two."""
    for name in scene.ecs.services:
        for hook in scene.ecs.open_hooks(name)[-1:]:
            scene.answered_in_aws.add(f"{hook} {'CONTINUE' if goes_on else 'ROLLBACK'}")
            scene.ecs.answer_hook(name, hook, goes_on=goes_on)


@deed(2, ("CONTINUE", "CONTINUE", "ROLLBACK"), (False, False, False, True))
def approve(scene: Scene, action: str, late: bool) -> None:
    """Somebody answers by annotation the hook that pauses a deployment; `late`: that of the deployment before, which they looked at.

    Where two wait it is the first one.
    """
    state = scene.ecs.services["prod-web"].now
    looked_at = (state.deployments[-1] if late else state.primary).id
    hooks = scene.ecs.hooks_of(looked_at, state)
    hook = next((h for h, status in hooks.items() if status == "AWAITING_ACTION"), next(iter(hooks)))
    scene.approved.add(f"{hook} {action}")
    _annotate(scene, CONTINUE, f"/{hook}/{action}/so it is")


@deed(1, (True, False))
def freeze(scene: Scene, on: bool) -> None:
    """ECS makes no progress for a while."""
    if on:
        scene.ecs.frozen.add("prod-web")
    else:
        scene.ecs.thaw("prod-web")


# Faults. `crash`, `hand_over` and `run` are the run's own.


@deed(1, (True, False))
def edit_child(scene: Scene, on: bool) -> None:
    """Somebody edits a Release by hand that belongs to a set."""
    if scene.switches.has_set and scene.objects.get(scene.key()) is not None:
        images = [{"container": c, "digest": d} for c, d in scene.digests_of("d" if on else "c").items()]
        scene.objects.edit(scene.key(), lambda body: body["spec"].update(source={"images": images}))


CHOICES["fault"] = (10, ())
CHOICES["lag"] = (3, (tuple(faults.LAGS),))
CHOICES["outage"] = (1, (("ecs", "ecr"), (20, 120, 400)))
CHOICES["crash"] = (3, ((0, 0, 600, -600, 90),))
CHOICES["hand_over"] = (2, ((0, 30), (0, 0, 600, -600)))
CHOICES["run"] = (40, ((1, 3, 10, 30, 60, 150, 400, 900),))
CHOICES["rest"] = (2, ())

FAULTS = (
    *((call, fault) for call in faults.READS for fault in faults.READ_FAULTS),
    *((call, fault) for call in faults.WRITES for fault in faults.WRITE_FAULTS),
    *((call, fault) for call in faults.KUBE for fault in faults.KUBE_FAULTS),
)


_FOLLOWED = ("release", "retry", "restore_without_status", "console_deploys", "suspend", "close_window", "scale", "list_containers")
_SOON_S = (0, 1, 3, 10, 30)


def choose(chance: random.Random) -> list[Action]:
    """Make up what happens next: one action, or one in the middle of whose consequences something goes wrong."""
    first = _one(chance)
    if first[0] not in _FOLLOWED or chance.random() < 0.5:
        return [first]
    actions = [first, ("run", chance.choice(_SOON_S))]
    if chance.random() < 0.25:
        actions += [("fault", "stop_service_deployment", chance.choice(faults.WRITE_FAULTS)), ("abort",)]
    elif chance.random() < 0.6:
        actions.append(_fault(chance))
    return [*actions, ("run", chance.choice(CHOICES["run"][1][0]))]


def _one(chance: random.Random) -> Action:
    names = list(CHOICES)
    name = chance.choices(names, [CHOICES[n][0] for n in names])[0]
    return _fault(chance) if name == "fault" else (name, *(chance.choice(options) for options in CHOICES[name][1]))


def _fault(chance: random.Random) -> Action:
    """Make a fault up, rather of what changes something than of what reads."""
    writes = [f for f in FAULTS if f[0] in faults.WRITES or f[0] in faults.KUBE]
    return ("fault", *chance.choice(writes if chance.random() < 0.7 else FAULTS))


def _edit_spec(scene: Scene, **changes: Any) -> None:
    if scene.objects.get(scene.asked_of) is not None:
        scene.objects.edit(scene.asked_of, lambda body: body["spec"].update(changes))
        scene.note_gates()


def _edit_environment(scene: Scene, **changes: Any) -> None:
    def change(body: Body) -> None:
        body["spec"].update(changes)
        body["spec"] = {k: v for k, v in body["spec"].items() if v is not None}

    scene.objects.edit(scene.environment, change)
    scene.note_gates()


def _waits_for_retry(scene: Scene, body: Body) -> bool:
    """Say whether nothing but a retry is to be done for a Release, and that was held up for so long that nothing of it is under way."""
    status, now = body.get("status") or {}, scene.timeline.now
    rollout, pin = status.get("rollout") or {}, status.get("pin") or {}
    pinned = {i["container"]: i["digest"] for i in pin.get("images") or ()}
    has_ended = rollout.get("outcome") not in (None, "Abandoned") and status["observedGeneration"] == body["metadata"]["generation"]
    deployed = {i["container"]: i["toDigest"] for i in rollout.get("images") or () if not i.get("unlisted")}
    is_settled = has_ended and deployed.items() <= pinned.items() and rollout.get("sourceHash") == pin.get("sourceHash")
    is_new = status.get("lastHandledRetry") != body["metadata"]["annotations"][RETRY]
    return not scene.switches.has_set and is_new and is_settled and all(g.shut for g in scene.gates.between(now - HELD_S, now))


def _annotate(scene: Scene, annotation: str, rest: str = "") -> None:
    if scene.objects.get(scene.asked_of) is not None:
        token = f"{scene.timeline.now:.0f}{rest}"
        scene.objects.edit(scene.asked_of, lambda body: body["metadata"].setdefault("annotations", {}).update({annotation: token}))
