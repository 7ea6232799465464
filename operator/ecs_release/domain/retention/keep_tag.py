"""`artifacts.keepTag`: a tag that stays on the digest that runs, so that a lifecycle rule can spare it.

It moves once a Release is Ready, and nothing waits for it.
"""

from __future__ import annotations

from collections import defaultdict

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.registry_images import KeepTag
from ecs_release.domain.artifacts.source import hash_of_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.suspension import suspension_of
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.retention.image_availability import repository

_MOST = 128


def holds(facts: Facts, status: ReleaseStatus) -> tuple[KeepTag, ...]:
    """List the tags that are to point to what runs: none unless the Release is Ready on its own digests and may change AWS."""
    target, pin, ready = facts.place.target, status.pin, find(status.conditions, ConditionType.READY)
    if target is None or pin is None or ready is None or ready.status != TRUE or facts.seen.unread is not None:
        return ()
    if pin.source_hash != facts.source_hash or attempts.is_open(status.rollout) or suspension_of(facts) is not None or problem(facts):
        return ()
    digests = attempts.digests(pin)
    listed = [(repository(target, c.repository), _name(facts, c.name), digests.get(c.name, "")) for c in target.containers]
    return tuple(dict.fromkeys(KeepTag(place, tag, digest) for place, tag, digest in listed if tag and digest))


def problem(facts: Facts) -> str:
    """Return why the tag that the Environment configures cannot be held; an empty string if it can, or none is configured."""
    target, environment = facts.place.target, facts.place.environment
    if target is None or environment is None or not environment.spec.artifacts.keep_tag:
        return ""
    where = f"spec.artifacts.keepTag of Environment {environment.metadata.name!r}"
    digests = attempts.digests(facts.wanted.pin) if facts.wanted.pin is not None else {}
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for container in target.containers:
        tag = _name(facts, container.name)
        wanted[container.repository, tag].add(digests.get(container.name, ""))
        if len(tag) > _MOST:
            return f"{where} gives {tag!r}, which is longer than the {_MOST} characters that ECR allows: shorten it"
        if tag == target.environment_tag:
            return f"{where} gives {tag!r}, which is the environment's tag: the two must differ"
        if hash_of_tags((tag,), target.tag_formats):
            return f"{where} gives {tag!r}, which reads as a release hash by artifacts.tagFormats: change one of them"
    shared = next((r for (r, _), found in wanted.items() if len(found) > 1), "")
    if shared:
        return f"containers of this service want different images of repository {shared!r}: put {{container}} into {where}"
    return ""


def _name(facts: Facts, container: str) -> str:
    """Return the tag of a container's image; an empty string if none is configured."""
    environment: Environment | None = facts.place.environment
    template = (environment.spec.artifacts.keep_tag if environment else None) or ""
    spec = facts.release.spec
    values = {
        "environment": spec.environment_ref.name,
        "namespace": facts.release.metadata.namespace or "",
        "project": spec.project_ref.name,
        "service": spec.service,
        "container": container,
    }
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
