"""Facts of Releases as tests find them most often: before an attempt, in it, after it, and drifted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ecs_release.api.conditions import Condition
from ecs_release.api.drift_status import Drift
from ecs_release.api.release_status import (
    ChangedBy,
    HistoryEntry,
    ImageChange,
    Intent,
    LastReady,
    Pin,
    PinnedImage,
    ReadyImage,
    ReleaseStatus,
    Rollout,
    Running,
)
from ecs_release.domain.artifacts.registry_images import Finding, Presence, Repository, RequiredImage
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.service import Hook, Service, ServiceDeployment
from ecs_release.domain.environments.claims import Claim
from tests.builders import facts as builders
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, release, target

# Revision 2 comes up beside revision 1.
BOTH = service(
    deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(2), task(1, OLD), task(1, OLD)),
    strategy="BLUE_GREEN",
)  # fmt: skip


def attempt_under_way(
    seen: Service = BOTH, *, idle_s: float = 60, intent: str = "UpdateService", abort: bool = False, **more: Any
) -> Facts:
    """An attempt from revision 1 to 2 that saw progress some seconds ago. `abort` asks to end it; `intent` is the latest one."""
    web = release(annotations={"ecs-release.dev/abort": "1"})
    source = source_hash(web.spec.source)
    then = NOW - timedelta(seconds=idle_s)
    pin = Pin(source_hash=source, resolved_time=then, images=[PinnedImage(container="app", digest=NEW)])
    accepted = None if intent == "StopServiceDeployment" else then
    rollout = Rollout(
        attempt_id="a", source_hash=source, deployment_id="ecs-svc/2", task_definition=revision(2), rollback_target=revision(1),
        start_time=then, last_progress_time=then, intent=Intent(action=intent, accepted_time=accepted),
        images=[{"container": "app", "to_digest": NEW}],
    )  # fmt: skip
    status = ReleaseStatus(observed_generation=1, pin=pin, rollout=rollout, last_handled_abort=None if abort else "1")
    usual: dict[str, Any] = {"running": task_definition(2, NEW)}
    return builders.facts(release=web.model_copy(update={"status": status}), pin=pin, seen=seen, **usual | more)


REPOSITORY = Repository(target().registry_access, "111122223333", "eu-west-1", "shop/web")


WANTED, FORMER = RequiredImage("app", REPOSITORY, NEW), RequiredImage("app", REPOSITORY, OLD, former=True)


# Revision 2 runs, and has for some time; or nothing does.
RUNS = service(deployment(2), tasks=(task(2), task(2)))


NOTHING = service(deployment(2), desired=0)


def deployed(
    wanted: Presence | None = Presence.TAGGED,
    former: Presence | None = Presence.TAGGED,
    seen: Service = RUNS,
    before: str = "",
    **more: Any,
) -> Facts:
    """A Release whose attempt has succeeded, and what was found of its images (None: not looked up yet)."""
    found = {a: Finding(p, "refused" if p is Presence.UNREADABLE else "") for a, p in ((WANTED, wanted), (FORMER, former)) if p is not None}
    given_ = attempt_under_way(seen, artifacts=(WANTED, FORMER), findings=found, **more)
    rollout = given_.status.rollout
    assert rollout is not None
    done = rollout.model_copy(update={"outcome": "Succeeded", "images": [ImageChange(container="app", from_digest=OLD, to_digest=NEW)]})
    conditions = (
        [Condition(type="ArtifactAvailable", status="False", last_transition_time=NOW, reason=before, message="so")] if before else None
    )
    status = given_.status.model_copy(update={"rollout": done, "conditions": conditions})
    return changed(given_, status=status)


def attempt_due(**more: Any) -> Facts:
    """An attempt is due: version 1 runs, nothing was tried yet."""
    given_ = attempt_under_way(service(deployment(1), tasks=(task(1, OLD),)), artifacts=(WANTED,), **more)
    status = given_.status.model_copy(update={"rollout": None})
    return changed(given_, status=status, running=task_definition(1, OLD), attempt_id="b")


def keeping(given: Facts, keep: str | None = "keep.{environment}.{service}", containers: Any = None, **spec: Any) -> Facts:
    """The same in an Environment that keeps a tag on what runs (None: it does not)."""
    artifacts = {"keepTag": keep} | spec.pop("artifacts", {})
    place = environment(artifacts={k: v for k, v in artifacts.items() if v is not None}, **spec)
    its_target = target(place, containers=containers) if containers else target(place)
    return changed(given, environment=place, target=its_target)


CORRECT = {"onDrift": "Correct", "correctAfterSeconds": 900}


# Somebody deployed revision 3.
FOREIGN = deployment(3, age_s=1000)


OTHERS = (task(3, OTHER), task(3, OTHER))


DRIFTED = service(FOREIGN, tasks=OTHERS)


def past_attempt(days_ago: float, cause: str = drift.CAUSE, outcome: str | None = "Succeeded", digest: str = NEW) -> HistoryEntry:
    """An attempt of the history, by default one that corrected drift."""
    images = [ImageChange(container="app", to_digest=digest)]
    at = NOW - timedelta(days=days_ago)
    return HistoryEntry(attempt_id=f"{days_ago}{cause}", cause=cause, source_hash="", outcome=outcome, images=images, start_time=at)


def drifted(
    seen: Service = DRIFTED,
    *history: HistoryEntry,
    stood_s: float | None = 901,
    rollout: Any = CORRECT,
    ready: bool = True,
    place: Any = None,
    spec: Any = None,
    annotations: Any = None,
    changed_by: ChangedBy | None = None,
    changed: str = "ecs-svc/3",
    **more: Any,
) -> Facts:
    """A Release that was Ready on NEW a month ago; `stood_s` is since when the deployment is known to be completed."""
    web = release(annotations=annotations or {}, **spec or {})
    source, then = source_hash(web.spec.source), NOW - timedelta(days=30)
    pin = Pin(source_hash=source, resolved_time=then, images=[PinnedImage(container="app", digest=NEW, release_hash="bbbbbbb")])
    entries = [e.model_copy(update={"source_hash": source}) for e in history or (past_attempt(29, "Requested"),)]
    latest = Rollout(**entries[0].model_dump(include={"attempt_id", "cause", "source_hash", "outcome", "images", "start_time"}))
    stood = NOW - timedelta(seconds=stood_s) if stood_s is not None else None
    due = stood + timedelta(seconds=900) if stood is not None else None
    status = ReleaseStatus(
        observed_generation=1, pin=pin, rollout=latest, history=entries, running=Running(deployment_id=changed, changed_by=changed_by),
        drift=Drift(deployment_id="ecs-svc/3", completed_time=stood, correct_time=due) if stood is not None else None,
        last_ready=LastReady(source_hash=source, time=then, images=[ReadyImage(container="app", digest=NEW)]) if ready else None,
    )  # fmt: skip
    where = environment(rollout=rollout, **(place or {}))
    usual: dict[str, Any] = {
        "running": task_definition(3, OTHER), "may_correct": drift.is_due(status, NOW), "attempt_id": "a9", "claims": (Claim(NOW, "shop/web"),),
        "release_hashes": {OTHER: "ccccccc"},
    }  # fmt: skip
    return builders.facts(
        release=web.model_copy(update={"status": status}), environment=where, pin=pin, seen=seen, **usual | more,
    )  # fmt: skip


def with_rollout(given: Facts, **changes: Any) -> Facts:
    """Change the attempt under way, and what ECS listed before it."""
    rollout = given.status.rollout
    assert rollout is not None and rollout.intent is not None
    intent = rollout.intent.model_copy(update={"deployments": ["ecs-svc/1"], **changes.pop("intent", {})})
    return changed(given, status=given.status.model_copy(update={"rollout": rollout.model_copy(update={"intent": intent, **changes})}))


PAUSE = Hook("ABC", "AWAITING_ACTION", "PAUSE")


def service_deployment(**more: Any) -> ServiceDeployment:
    """What the API says of the deployment under way; `PAUSE` is a hook that holds it."""
    return ServiceDeployment("arn:sd", **{"status": "IN_PROGRESS", "stage": "POST_SCALE_UP"} | more)
