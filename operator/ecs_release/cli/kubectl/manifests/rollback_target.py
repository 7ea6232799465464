"""Targets of a rollback: what ran before, by the status of a ReleaseSet or Release. By digest, for tags may have moved."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.api.source import Source, SourceImage
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound
from ecs_release.domain.artifacts.claimed_hash import confirmed_hash
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.attempts import GOOD
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.sets.child_state import LEFT, wanted_images


def _image(container: str, digest: str | None, release_hash: str | None) -> SourceImage:
    """Return an image by digest. A hash that is only claimed is not repeated."""
    return SourceImage(container=container, digest=digest or "", release_hash=confirmed_hash(release_hash))


def previous_of_set(release_set: ReleaseSet) -> dict[str, Source]:
    """Return what each service of a set ran before its latest deployment set. Raises CommandError."""
    name, status = release_set.metadata.name, release_set.status
    members = [s for s in (status.services if status else None) or () if s.state != LEFT]
    if status is None or not members or status.observed_generation != release_set.metadata.generation:
        raise CommandError(f"the status of ReleaseSet {name} is not up to date: wait until the operator has seen its spec")
    unknown = sorted(s.name for s in members if not s.previous)
    if unknown:
        raise NotFound(f"nothing is known of what {', '.join(unknown)} ran before: name a release with --to, or a hash with --to-hash")
    if all(digests_of(s.previous) == digests_of(s.images) for s in members):
        raise NotFound(f"ReleaseSet {name} ran the same before: name a release with --to, or a hash with --to-hash")
    return {s.name: Source(images=[_image(i.container, i.digest, i.release_hash) for i in s.previous or ()]) for s in members}


def previous_of_release(release: Release) -> Source:
    """Return the images on which a Release was Ready before its current source. Raises NotFound."""
    status = release.status
    wanted = digests_of(status.pin.images if status and status.pin else None)
    ready = (status.last_ready.images if status and status.last_ready else None) or ()
    if ready and wanted and {i.container: i.digest for i in ready} != wanted:
        return Source(images=[_image(i.container, i.digest, i.release_hash) for i in ready])
    for entry in (status.history if status else None) or ():
        source = _of_entry(entry)
        if source is not None and source.digests != wanted and source.digests.keys() == wanted.keys():
            return source
    raise NotFound(f"Release {release.metadata.name} has run nothing else that it remembers: name a release with --to")


def _of_entry(entry: HistoryEntry) -> Source | None:
    """Return the images that a successful attempt deployed; None for any other."""
    images = [i for i in entry.images or () if not i.unlisted and i.to_digest]
    if entry.outcome not in GOOD or not images:
        return None
    return Source(images=[_image(i.container, i.to_digest, i.to_hash) for i in images])


def known_hashes(releases: Sequence[Release]) -> set[str]:
    """Return the release hashes in the pins and the history of some Releases."""
    return {h for r in releases for source in _ran(r) for i in source.images or () if (h := i.release_hash)}


def _ran(release: Release) -> list[Source]:
    """Return the images of a Release's pin and of its successful attempts, newest first."""
    status = release.status
    pinned = (status.pin.images if status and status.pin else None) or ()
    wanted = Source(images=[_image(i.container, i.digest, i.release_hash) for i in pinned] or None)
    earlier = [_of_entry(entry) for entry in (status.history if status else None) or ()]
    return [source for source in (wanted, *earlier) if source is not None and source.images]


def expand_hash(abbreviated: str, known: set[str]) -> str:
    """Return the only release hash that begins with an abbreviation. Raises CommandError if several do, NotFound if none does."""
    if abbreviated in known:
        return abbreviated
    fitting = sorted(h for h in known if h.startswith(abbreviated))
    if len(fitting) > 1:
        raise CommandError(f"{abbreviated} is ambiguous: it may be {', '.join(fitting)}")
    if not fitting:
        raise NotFound(f"release hash {abbreviated} has not run there, as far as status remembers; there are: {', '.join(sorted(known))}")
    return fitting[0]


def sources_at_hash(releases: Mapping[str, Release], release_hash: str) -> dict[str, Source]:
    """Return what each service ran at a release hash. Raises NotFound with the services that did not."""
    found: dict[str, Source] = {}
    for service, release in releases.items():
        for source in _ran(release):
            if {i.release_hash for i in source.images or ()} == {release_hash}:
                found.setdefault(service, source)
    missing = sorted(releases.keys() - found.keys())
    if missing:
        raise NotFound(f"{', '.join(missing)} has not run {release_hash}, as far as status remembers: a set goes back whole")
    return found


def left_commit(of: Release | ReleaseSet) -> str | None:
    """Return the commit that a rollback goes back from: of the attempt under way, else what runs; None if that is not one, or not known."""
    status = of.status
    if status is None:
        return None
    if isinstance(status, ReleaseSetStatus):
        is_open = next((not e.outcome for e in status.history or ()), False)
        lines = [i.release_hash for s in status.services or () if s.state != LEFT for i in wanted_images(s)]
        found = lines if is_open else [status.summary.running_hash if status.summary else None]
    else:
        its = [i.to_hash for i in status.rollout.images or () if not i.unlisted] if status.rollout and not status.rollout.outcome else []
        found = its or [status.running.hash if status.running else None]
    commits = {c or "" for c in found}
    only = commits.pop() if len(commits) == 1 else ""
    return only if is_commit_hash(only) else None


def services_of(release_set: ReleaseSet) -> set[str]:
    """Return the services in the status of a set."""
    status = release_set.status
    return {s.name for s in (status.services if status else None) or () if s.state != LEFT}


def sources_of_number(entries: Sequence[LedgerEntry], services: Collection[str], environment: str, number: int) -> dict[str, Source]:
    """Return the images of a release number for some services by the ledger's entries, those of this environment first.

    Raises NotFound if the ledger has none of them.
    """
    found: dict[str, Source] = {}
    for entry in sorted(entries, key=lambda e: (e.environment != environment, e.start_time)):
        images = [i for i in entry.images or () if not i.unlisted and i.to_digest]
        if entry.service in services and images:
            pinned = [_image(i.container, i.to_digest, i.to_hash) for i in images]
            found.setdefault(entry.service, Source(images=pinned))
    if not found:
        raise NotFound(f"the ledger has no release {number} of {', '.join(sorted(services))}: see kubectl ecs-release history --all")
    return {service: found[service] for service in sorted(found)}


def never_succeeded(entries: Sequence[LedgerEntry]) -> bool:
    """Return whether no attempt of a release succeeded anywhere."""
    return not any(e.stage is Stage.END and e.outcome in GOOD for e in entries)
