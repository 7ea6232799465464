"""`artifacts.keepTag`: a tag that stays on the digest that runs, so that a lifecycle rule can spare it.

It follows what is true, and makes nothing true: it moves once a Release is Ready, and nothing waits for it.
"""

from __future__ import annotations

from collections import defaultdict

from ecs_release.api.conditions import ConditionType
from ecs_release.api.environment import Environment
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.registry_images import Hold
from ecs_release.domain.artifacts.source import hash_of_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.suspension import brake
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.retention.image_availability import repository

_MOST = 128


def holds(facts: Facts, status: ReleaseStatus) -> tuple[Hold, ...]:
    """List the tags that shall point to what runs: none unless the Release is Ready on its own digests and may change AWS."""
    target, pin, ready = facts.target, status.pin, find(status.conditions, ConditionType.READY)
    if target is None or pin is None or ready is None or ready.status != TRUE or facts.unread is not None:
        return ()
    if pin.source_hash != facts.source_hash or attempts.is_open(status.rollout) or brake(facts) is not None or problem(facts):
        return ()
    digests = attempts.digests(pin)
    listed = [(repository(target, c.repository), _name(facts, c.name), digests.get(c.name, "")) for c in target.containers]
    return tuple(dict.fromkeys(Hold(place, tag, digest) for place, tag, digest in listed if tag and digest))


def problem(facts: Facts) -> str:
    """Say why the tag that the Environment asks for cannot be held; an empty string where it can, or none is asked for."""
    target, environment = facts.target, facts.environment
    if target is None or environment is None or not environment.spec.artifacts.keep_tag:
        return ""
    where = f"spec.artifacts.keepTag of Environment {environment.metadata.name!r}"
    digests = attempts.digests(facts.pin) if facts.pin is not None else {}
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
    """Return the tag of a container's image; an empty string where none is asked for."""
    environment: Environment | None = facts.environment
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
