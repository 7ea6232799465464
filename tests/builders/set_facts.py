"""What a decision about a ReleaseSet rests on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.release import Release
from ecs_release.api.release_status import LastReady, Pin, PinnedImage, ReadyImage, ReleaseStatus, Rollout
from ecs_release.api.releaseset import ReleaseSet, ReleaseSetSpec
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.child_manifests import child_name, labels, owner_reference
from ecs_release.domain.sets.facts import Child, SetFacts, set_source_hash
from tests.builders.ecs import NEW, NOW, OLD
from tests.builders.objects import release_object, release_set_object


def set_facts(
    *, suspend: bool = False, outcome: str | None = None, started: bool = False, age_s: float = 100, other: bool = False, **more: Any
) -> SetFacts:
    body = release_set_object("all", suspend=suspend)
    wanted = set_source_hash(ReleaseSet.model_validate(body).spec)
    begun = {"startTime": NOW.isoformat()} if started else {}
    body["status"] = {
        "sourceHash": "other" if other else wanted,
        "resolvedTime": (NOW - timedelta(seconds=age_s)).isoformat(),
        "history": [{"id": "a"} | ({"outcome": outcome} if outcome else {})],
        "services": [{"name": "web"} | begun, {"name": "api"}],
    }
    return SetFacts(release_set=ReleaseSet.model_validate(body), now=NOW, new_id="b", **more)


def set_spec(**fields: Any) -> ReleaseSetSpec:
    usual = {"projectRef": {"name": "p"}, "serviceSet": "s", "environmentRef": {"name": "e"}, "source": {"releaseHash": "a"}}
    return ReleaseSetSpec.model_validate({**usual, **fields})


def child(
    digest: str = NEW,
    *,
    generation: int = 2,
    observed: int = 2,
    situation: conditions.Situation | None = None,
    pinned: str = NEW,
    since: datetime = NOW,
    rollout: Rollout | None = None,
    handled: str | None = None,
    settled: bool = True,
    service: str = "web",
    **more: Any,
) -> Child:
    """A Release that a set has told to run `digest`, with a status of generation `observed`; its conditions are of `since`.

    `pinned` is what was resolved last, if anything, and `settled` whether that was Ready.
    """
    said = conditions.merge(None, conditions.kstatus_conditions(situation or conditions.ready(Reason.SUCCEEDED, "")), observed, since)
    pin = Pin(id="p", images=[PinnedImage(container="app", digest=pinned)]) if pinned else None
    status = ReleaseStatus(
        observed_generation=observed, conditions=said, pin=pin, rollout=rollout, last_handled_retry=handled,
        last_ready=LastReady(pin_id="p", images=[ReadyImage(container="app", digest=pinned)]) if settled else None,
    )  # fmt: skip
    body = release_object(
        more.pop("name", "c"), meta={"generation": generation, **more.pop("meta", {})}, annotations=more.pop("annotations", {}), service=service,
        status=status.to_kubernetes(), source=more.pop("source", {"images": [{"container": "app", "digest": digest}]}),
    )  # fmt: skip
    return Child(Release.model_validate(body), body)


def set_of_two(
    web: dict[str, Any], api: dict[str, Any], *, states: tuple[str, str] = ("Open", "Pending"), started_s: float = 3600, **spec: Any
) -> SetFacts:
    """A set that takes services from OLD to NEW: `web`, started so long ago, in the first wave, then `api`; each child as `child` says."""
    body = release_set_object("all", strategy={"waves": [{"services": ["web"]}, {"services": ["api"]}], **spec.pop("strategy", {})}, **spec)
    release_set = ReleaseSet.model_validate(body)
    told = {"web": web, "api": api}
    lines = [
        {"name": name, "images": [{"container": "app", "digest": NEW}], "previous": [{"container": "app", "digest": OLD}], "generation": 1}
        for name in told
    ]
    lines[0]["startTime"] = (NOW - timedelta(seconds=started_s)).isoformat()
    body["status"] = {
        "observedGeneration": 1, "sourceHash": set_source_hash(release_set.spec), "resolvedTime": NOW.isoformat(), "history": [{"id": "a"}],
        "services": lines, "waves": [{"name": str(i), "services": [n], "state": s} for i, (n, s) in enumerate(zip(told, states, strict=True), 1)],
    }  # fmt: skip
    children = {}
    for name, how in told.items():
        meta = {"labels": labels(release_set, name), "ownerReferences": [owner_reference(release_set)]}
        made = child(name=child_name("all", name), service=name, meta=meta, **how)
        children[made.name] = made
    return SetFacts(release_set=ReleaseSet.model_validate(body), now=NOW, new_id="b", members=("web", "api"), children=children)
