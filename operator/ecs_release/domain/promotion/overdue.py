"""What waits for its promotion: proven to run in the Environment that releases come from, and not here; since when, and when to say so.

It waits since the first of the attempts there, without a break, whose artifacts do not run here: so what is replaced there every hour
waits, too. Artifacts are the same if their digests are, or the release hashes that tags confirm; and if a commits service says so, what
runs here may contain them. What is not known is not judged: status stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ecs_release.api.promotion import OVERDUE, UNPROVEN, WAITING, AwaitedImage, AwaitedPromotion
from ecs_release.api.promotion import Promotion as Rule
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, Pin, ReleaseStatus, Running
from ecs_release.domain.artifacts.claimed_hash import confirmed_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.commit_rules import Answers, Question, is_commit_hash
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts, UpstreamState
from ecs_release.domain.environments.working_time import later
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.ports.commits import Relation
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.verification.proof import ImageDigests, Match

_AGAIN = timedelta(days=1)


class Here(StrEnum):
    """Whether an artifact of the other Environment runs here, or something that contains it."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An image as it may be known in two Environments: the digests that it may show, and its release hash if a tag confirms it."""

    digests: ImageDigests
    release_hash: str = ""


Artifacts = Mapping[str, Artifact]
"""By container."""
Ran = Mapping[str, tuple[tuple[str, str], ...]]
"""By container the digests (empty: unknown) and the confirmed release hashes (empty: none) that run, or ran, together."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What status says next of a promotion that is waited for, when to look again, and the Event that tells of it."""

    status: AwaitedPromotion | None = None
    next: datetime | None = None
    events: tuple[EventNote, ...] = ()


def questions(facts: Facts) -> tuple[Question, ...]:
    """List what to ask the commit graph: how the commits that were proven there stand to those that run here."""
    there, rule = facts.upstream.there, _rule(facts)
    if there is None or rule is None or there.status is None or facts.status.running is None:
        return ()
    runs = _running(Draft.of(facts.status), facts.status.running)
    found: dict[Question, None] = {}
    for artifacts in (_pinned(facts, there.status), *(proven for _, proven in _proven_there(there.status))):
        for name, artifact in artifacts.items():
            for _, here in runs.get(name, ()):
                if artifact.release_hash != here and is_commit_hash(artifact.release_hash) and is_commit_hash(here):
                    found[Question(artifact.release_hash, here)] = None
    return tuple(found)


def awaited(facts: Facts, draft: Draft, runs: Running | None, *, is_ours: bool) -> Awaited:
    """Return what waits for its promotion into the Release. `runs` is what runs now; `is_ours` whether the service is the Release's."""
    before, rule, state = facts.status.promotion, _rule(facts), facts.upstream.state
    if facts.place.environment is None:
        # Where it goes is not known, or not allowed, just now: nobody counts it meanwhile.
        return Awaited(before)
    if rule is None or not is_ours or state in (UpstreamState.NONE, UpstreamState.LEVEL):
        return Awaited()
    before = before if before is not None and before.environment == rule.from_.name else None
    if facts.seen.unread is not None or draft.missing or runs is None:
        return Awaited(before)
    there = facts.upstream.there
    if state is UpstreamState.PROVEN and there is not None:
        return _compared(facts, draft, _running(draft, runs), rule, there, before)
    if state is UpstreamState.UNREAD:
        return Awaited(before, facts.now + timedelta(seconds=facts.limits.retry_s))
    if state is UpstreamState.UNPROVEN and before is not None:
        before = before.model_copy(update={"state": UNPROVEN})
    return Awaited(before)


def _compared(facts: Facts, draft: Draft, runs: Ran, rule: Rule, there: Release, before: AwaitedPromotion | None) -> Awaited:
    """Compare what is proven there with what runs here."""
    assert there.status is not None
    status, wanted = there.status, _pinned(facts, there.status)
    here = _is_here(wanted, runs, facts.upstream.relations)
    if here is Here.UNKNOWN:
        return Awaited(before)
    if here is Here.YES:
        return Awaited()
    runs = _behind(runs, wanted, facts.upstream.relations)
    if _went_back(facts, draft, status, wanted, runs):
        return Awaited()
    since = _since(facts, draft, status, runs, before)
    is_same_wait = before is not None and before.since_time == since
    waits = AwaitedPromotion(
        environment=rule.from_.name,
        release=there.metadata.name,
        hash=_name(status),
        images=[AwaitedImage(container=i.container, digest=i.digest, release_hash=i.release_hash) for i in _images(facts, status)],
        since_time=since,
        told_time=before.told_time if before is not None and is_same_wait else None,
        told=before.told if before is not None and is_same_wait else None,
    )
    return _due(facts.now, rule, waits, comes=_comes(draft, wanted))


def _due(now: datetime, rule: Rule, waits: AwaitedPromotion, *, comes: bool) -> Awaited:
    """Return when it is overdue and, if it is, whether to say so now. What is on its way is not said to be overdue."""
    due = _overdue_at(rule, waits.since_time or now)
    state = OVERDUE if due is not None and due <= now and not comes else WAITING
    waits = waits.model_copy(update={"state": state, "due_time": due})
    if state == WAITING:
        return Awaited(waits, None if comes else due)
    told = min(waits.told_time, now) + _AGAIN if waits.told_time is not None else due
    tell = later(rule.working_hours, max(told, now), 0) if told is not None else None
    if tell is None or tell > now:
        return Awaited(waits, tell)
    waits = waits.model_copy(update={"told_time": now.replace(microsecond=0), "told": (waits.told or 0) + 1})
    return Awaited(
        waits, later(rule.working_hours, now + _AGAIN, 0), (EventNote("Warning", "PromotionOverdue", "Promote", text_of(waits)),)
    )


def text_of(waits: AwaitedPromotion) -> str:
    """Say what is overdue, for people."""
    since = f" since {waits.since_time:%Y-%m-%d %H:%M} UTC" if waits.since_time is not None else ""
    what = f"{waits.hash or 'another artifact'} is proven to run in {waits.environment} and not here"
    return f"{what}. What is newer there waits for its promotion{since}: promote it"


def _overdue_at(rule: Rule, since: datetime) -> datetime | None:
    if rule.overdue_after_seconds is None:
        return None
    try:
        due = later(rule.working_hours, since, rule.overdue_after_seconds)
    except Blocked:
        # The Environment's status says so.
        return None
    return due.replace(microsecond=0) if due is not None else None


def _rule(facts: Facts) -> Rule | None:
    return facts.place.environment.spec.promotion if facts.place.environment is not None else None


def _images(facts: Facts, status: ReleaseStatus) -> list[AwaitedImage]:
    """Return the images that are proven there, of the containers that the Project lists; of all if it lists none of them."""
    pinned = (status.pin.images if status.pin is not None else None) or ()
    listed = {c.name for c in facts.place.target.containers} if facts.place.target is not None else set()
    found = [AwaitedImage(container=i.container, digest=i.digest, release_hash=confirmed_hash(i.release_hash)) for i in pinned]
    return [i for i in found if i.container in listed] or found


def _pinned(facts: Facts, status: ReleaseStatus) -> Artifacts:
    """Return what is proven there."""
    proofs = attempts.proofs(status.pin) if status.pin is not None else {}
    return {i.container: Artifact(proofs[i.container], i.release_hash or "") for i in _images(facts, status)}


def _proven_there(status: ReleaseStatus) -> Iterator[tuple[HistoryEntry, Artifacts]]:
    """Yield the attempts there that were proven, newest first, and what each has proven."""
    for entry in status.history or ():
        if entry.outcome in attempts.PROVEN:
            yield entry, {i.container: _artifact(i.to_digest, i.to_hash) for i in entry.images or () if i.to_digest and not i.unlisted}


def _as_ran(artifacts: Artifacts) -> Ran:
    return {name: tuple((digest, a.release_hash) for digest in a.digests.digests) for name, a in artifacts.items()}


def _artifact(digest: str | None, release_hash: str | None) -> Artifact:
    return Artifact(ImageDigests(frozenset({digest or ""})), confirmed_hash(release_hash) or "")


def _running(draft: Draft, runs: Running) -> Ran:
    """Return what runs here; if no task is to run, what would. A platform's digest stands for that of its pinned manifest list, too."""
    proofs = attempts.proofs(draft.pin) if draft.pin is not None else {}
    pinned = {i.container: _ran(i.digest, i.release_hash) for i in (draft.pin.images if draft.pin else None) or ()}
    if not runs.desired_count and not runs.running_count:
        return {name: (image,) for name, image in pinned.items()}
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for container in runs.containers or ():
        shown = [_ran(d.digest, d.release_hash) for d in container.digests or () if d.tasks]
        wanted = proofs.get(container.name)
        found[container.name] = tuple(
            (pinned[container.name][0], release_hash or pinned[container.name][1])
            if wanted is not None and wanted.match(digest) is Match.YES
            else (digest, release_hash)
            for digest, release_hash in shown
        )
    return found


def _ran(digest: str | None, release_hash: str | None) -> tuple[str, str]:
    return digest or "", confirmed_hash(release_hash) or ""


def _is_here(artifacts: Artifacts, runs: Ran, answers: Answers) -> Here:
    """Return whether artifacts run, all of them, in every task; one that does not is enough for No."""
    found = {_image_is_here(artifact, runs.get(name, ()), answers) for name, artifact in artifacts.items()}
    if not artifacts or Here.NO in found:
        return Here.NO
    return Here.UNKNOWN if Here.UNKNOWN in found else Here.YES


def _image_is_here(artifact: Artifact, shown: tuple[tuple[str, str], ...], answers: Answers) -> Here:
    found = {_is_same(artifact, digest, release_hash, answers) for digest, release_hash in shown}
    if Here.NO in found:
        return Here.NO
    # A container that shows nothing is about to come, or not to be seen: that says nothing.
    return Here.UNKNOWN if not found or Here.UNKNOWN in found else Here.YES


def _is_same(artifact: Artifact, digest: str, release_hash: str, answers: Answers) -> Here:
    """Compare an artifact with what runs: by digest, by release hash, and by the commit graph."""
    match = artifact.digests.match(digest)
    if match is Match.YES or (artifact.release_hash and artifact.release_hash == release_hash):
        return Here.YES
    question = Question(artifact.release_hash, release_hash)
    if question in answers.awaited:
        return Here.UNKNOWN
    answer = answers.known.get(question)
    if isinstance(answer, Relation):
        return Here.NO if answer.ahead else Here.YES
    return Here.UNKNOWN if match is Match.UNKNOWN else Here.NO


def _behind(runs: Ran, wanted: Artifacts, answers: Answers) -> Ran:
    """Leave out the tasks that run what is wanted already: the others are those that wait."""

    def is_behind(name: str, image: tuple[str, str]) -> bool:
        return name not in wanted or _is_same(wanted[name], *image, answers) is not Here.YES

    return {name: tuple(image for image in shown if is_behind(name, image)) or shown for name, shown in runs.items()}


def _went_back(facts: Facts, draft: Draft, status: ReleaseStatus, wanted: Artifacts, runs: Ran) -> bool:
    """Return whether it was taken back there behind what runs here: it ran there before that did, and was pushed before it."""
    proven = [artifacts for _, artifacts in _proven_there(status)]
    ends = next((n for n, a in enumerate(proven) if _is_here(a, runs, facts.upstream.relations) is Here.YES), len(proven))
    ran_before = any(_is_here(wanted, _as_ran(artifacts), Answers()) is Here.YES for artifacts in proven[ends + 1 :])
    return ran_before and _is_older(status.pin, draft.pin)


def _is_older(there: Pin | None, here: Pin | None) -> bool:
    """Return whether the images of a pin were pushed before those of another one, as far as that is known."""
    pushed = {i.container: i.pushed_time for i in (here.images if here is not None else None) or ()}
    pairs = [(i.pushed_time, pushed.get(i.container)) for i in (there.images if there is not None else None) or ()]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return any(a < b for a, b in known) and all(a <= b for a, b in known)


def _since(facts: Facts, draft: Draft, status: ReleaseStatus, runs: Ran, before: AwaitedPromotion | None) -> datetime:
    """Return since when something that does not run here was proven to run there, without a break, in whole seconds.

    If the attempts that status remembers do not say when that began, what was said before holds.
    """
    found, has_end = list[datetime](), False
    for entry, proven in _proven_there(status):
        if _is_here(proven, runs, facts.upstream.relations) is Here.YES:
            has_end = True
            break
        time = entry.completion_time or facts.now
        found.append(max(time, _replaced_time(draft, proven) or time))
    if not found and status.last_ready is not None and status.last_ready.time is not None:
        found.append(status.last_ready.time)
    if before is not None and before.since_time is not None and not has_end:
        found.append(before.since_time)
    return min(*found, facts.now, facts.now).replace(microsecond=0)


def _replaced_time(draft: Draft, artifacts: Artifacts) -> datetime | None:
    """Return when something else took the place of artifacts that ran here before, by an attempt; None if they did not."""
    replaced: datetime | None = None
    for entry in draft.history:
        if entry.outcome in attempts.PROVEN:
            ran = {i.container: (_ran(i.to_digest, i.to_hash),) for i in entry.images or () if not i.unlisted}
            if _is_here(artifacts, ran, Answers()) is Here.YES:
                return replaced
            replaced = entry.completion_time or replaced
    return None


def _comes(draft: Draft, artifacts: Artifacts) -> bool:
    """Return whether an attempt that brings the artifacts is under way."""
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout):
        return False
    brings = {i.container: (_ran(i.to_digest, i.to_hash),) for i in rollout.images or () if not i.unlisted}
    return _is_here(artifacts, brings, Answers()) is Here.YES


def _name(status: ReleaseStatus) -> str | None:
    """Return what people call that which is proven there."""
    if status.summary is not None and status.summary.hash:
        return status.summary.hash
    images = (status.pin.images if status.pin is not None else None) or ()
    return short_digest(images[0].digest or "") if images else None
