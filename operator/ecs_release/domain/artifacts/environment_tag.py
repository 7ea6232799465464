"""Method EnvironmentTag: the environment's tag in ECR moves to the wanted digest, then a new deployment of the same revision is forced.

So the task definition's owner (Terraform) never sees a difference. The tag belongs to the repository: Releases that share one must want
the same digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.release_status import ImageChange, Pin, Rollout
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Blocked, Problem, Retryable, Waiting
from ecs_release.domain.model.image_names import parse_image, short_digest

METHOD = "EnvironmentTag"

PUT = "PutImage"
"""The call that moves a tag, as an attempt announces it."""
MOVED, RETURNED, TAKEN_OVER, KEPT = "Moved", "Returned", "TakenOver", "Kept"
RETURNS = frozenset(map(str, (Reason.ROLLED_BACK, Reason.ROLLOUT_FAILED, Reason.ABORTED, Reason.TAG_MOVED, Reason.SUPERSEDED)))
"""Outcomes after which the tag is moved back. A deployment that missed its deadline is still followed, and keeps it."""


@dataclass(frozen=True, slots=True)
class Move:
    """A tag to be moved: in which repository, to which digest, and what it points to now (empty: nothing, or not known)."""

    repository: str
    tag: str
    digest: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Sharer:
    """Another Release that uses the same tag of a repository, and the digest that it wants there (empty: not resolved yet)."""

    release: str
    repository: str
    digest: str
    same_set: bool = False
    is_known: bool = True
    """Whether it is known that its Environment admits it."""


def uses(target: Target) -> bool:
    """Return whether a service is rolled out by method EnvironmentTag."""
    return target.policy.method == METHOD


def check_configured(target: Target, environment: Environment) -> None:
    """Check that there is a tag to move. Raises Blocked(InvalidSpec)."""
    if uses(target) and not target.environment_tag:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"method EnvironmentTag needs spec.artifacts.environmentTag of Environment {environment.metadata.name!r}: set it, or use"
            " method TaskDefinition",
        )


def check_used(base: TaskDefinition, target: Target) -> None:
    """Check that a revision pulls the listed containers by the tag. Raises Blocked(UnsupportedTaskDefinition) that names what it pulls."""
    wrong = []
    for container in target.containers:
        image = base.image_of(container.name) or ""
        named = parse_image(image)
        if (named.host, named.repository, named.tag, named.digest) != (
            target.registry_host,
            container.repository,
            target.environment_tag,
            "",
        ):
            wanted = f"{target.registry_host}/{container.repository}:{target.environment_tag}"
            wrong.append(f"container {container.name} uses {image or 'no image'} instead of {wanted}")
    if wrong:
        raise Blocked(
            Reason.UNSUPPORTED_TASK_DEFINITION,
            f"task definition {base.arn} does not follow the environment's tag: {'; '.join(wrong)}: correct it, or use method"
            " TaskDefinition",
        )


def pending_moves(target: Target, pin: Pin, tags: Mapping[str, str]) -> tuple[Move, ...]:
    """List the tags that do not point to what is wanted. `tags` maps containers to the digest that their tag points to now."""
    wanted = {i.container: i.digest or "" for i in pin.images or ()}
    listed = {
        c.repository: Move(c.repository, target.environment_tag, wanted[c.name], tags.get(c.name, ""))
        for c in target.containers
        if c.name in wanted and tags.get(c.name) != wanted[c.name]
    }
    return tuple(listed.values())


def may_have_moved(rollout: Rollout) -> bool:
    """Return whether an attempt has moved the tag, or was about to, and it is not settled yet what becomes of it."""
    announced = rollout.intent is not None and rollout.intent.action == PUT
    return rollout.environment_tag == MOVED or (rollout.environment_tag is None and announced)


def with_origins(images: Sequence[ImageChange], before: Rollout | None) -> list[ImageChange]:
    """Note for an attempt that follows one without success where the tags are to return to: to where they pointed before both.

    What the earlier one has moved them to was never proven, and ECS does not go back to it.
    """
    if before is None or not may_have_moved(before):
        return list(images)
    origins = {i.container: i for i in before.images or () if i.tag_digest and i.to_digest}
    return [
        i.model_copy(update={"tag_digest": o.tag_digest}) if (o := origins.get(i.container)) and i.tag_digest == o.to_digest else i
        for i in images
    ]


def return_moves(target: Target, rollout: Rollout, tags: Mapping[str, str]) -> tuple[Move, ...]:
    """List the tags to move back to where they pointed before an attempt: those that still point to its digest."""
    repositories = {c.name: c.repository for c in target.containers}
    return tuple(
        Move(repositories[i.container], target.environment_tag, i.tag_digest, i.to_digest or "")
        for i in rollout.images or ()
        if i.container in repositories and i.tag_digest and i.to_digest != i.tag_digest and tags.get(i.container) == i.to_digest
    )


def disagreement(target: Target, pin: Pin, sharers: tuple[Sharer, ...]) -> Problem | None:
    """Return the problem that other Releases want another digest of a tag that is about to move; None if all agree.

    Releases of the same ReleaseSet agree soon: the set changes them together.
    """
    pairs = {(c.repository, i.digest or "") for c in target.containers for i in pin.images or () if i.container == c.name}
    wanted = dict(pairs)
    if len(wanted) < len(pairs):
        return Blocked(
            Reason.TARGET_CONFLICT,
            f"containers of this service share a repository, and so tag {target.environment_tag!r}, but want different images: give them"
            " one digest, or use method TaskDefinition",
        )
    others = [s for s in sharers if s.repository in wanted and s.digest != wanted[s.repository]]
    if not others:
        return None
    unknown = [s.release for s in others if not s.is_known]
    if len(unknown) == len(others):
        return Retryable(
            f"Release {unknown[0]} uses tag {target.environment_tag!r} of repository {others[0].repository!r}, too, and whether its"
            " Environment admits that namespace is not known yet: its labels are being read"
        )
    others = [s for s in others if s.is_known]
    names = ", ".join(sorted({f"{s.release} ({short_digest(s.digest) or 'not resolved yet'})" for s in others})[:5])
    text = (
        f"tag {target.environment_tag!r} of repository {others[0].repository!r} belongs to other Releases, too, which want another image:"
        f" {names}. All that share a tag must want one digest: release them together"
    )
    alike = all(s.same_set or not s.digest for s in others)
    return Waiting(Reason.TARGET_CONFLICT, text) if alike else Blocked(Reason.TARGET_CONFLICT, text)


def misplaced_tags(target: Target, pin: Pin, tags: Mapping[str, str]) -> str:
    """Describe the tags that do not point to what is wanted (somebody moved them); an empty string if all do."""
    return ", ".join(
        f"tag {m.tag!r} of repository {m.repository!r} points to {short_digest(m.before) or 'nothing'} instead of {short_digest(m.digest)}"
        for m in pending_moves(target, pin, tags)
    )
