"""`rollback`: write the manifest that goes back to what ran before, by digest."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.source import Source
from ecs_release.cli.kubectl.artifacts import git
from ecs_release.cli.kubectl.artifacts import hash_prefix as hashes
from ecs_release.cli.kubectl.changes import confirmation as acting
from ecs_release.cli.kubectl.changes.field_owners import release_set_of
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.manifests import manifest_writer as delivering
from ecs_release.cli.kubectl.manifests import pinned_objects as pinned
from ecs_release.cli.kubectl.manifests import rollback_target as rollbacks
from ecs_release.cli.kubectl.manifests.manifest_writer import Target
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_MOST = 9_999_999_999


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")

    which = parser.add_mutually_exclusive_group()
    which.add_argument("--to", type=_number, metavar="N", help="Go back to this release number, as the ledger has it")
    which.add_argument("--to-hash", metavar="HASH", help="Go back to this release hash, which may be abbreviated")
    parser.add_argument("--ledger-table", metavar="TABLE", help="Name or ARN of the ledger's table, where it is not known otherwise")
    flags.add_role(parser)
    delivering.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write it. Raises CommandError."""
    body = resolve(session, arguments.name)
    acting.check_own(body, "roll back", force=arguments.force)
    pins = _pins(session, body)
    spec = body["spec"]
    says = f"roll back to {pinned.summary(pins)}"
    if body["kind"] == RELEASE_SET:
        identity = {key: spec[key] for key in ("projectRef", "serviceSet", "environmentRef")}
        whole = rollbacks.members(ReleaseSet.model_validate(body)) <= pins.keys()
        fields = pinned.pinning(spec, pins, list(pins), whole=whole)
    else:
        identity = {key: spec[key] for key in ("projectRef", "service", "environmentRef")}
        fields = {"source": next(iter(pins.values())).to_kubernetes()}
    fields |= pinned.change(delivering.change(session, says))
    meta = body["metadata"]
    target = Target(str(body["kind"]), meta["namespace"], meta["name"], identity, body)
    lines = [f"{target.title}: {says}:", *pinned.steps(pins, body)]
    return delivering.deliver(session, target, fields, "\n".join(lines))


def _pins(session: Session, body: dict[str, Any]) -> dict[str, Source]:
    """Return what each service is to run. Raises CommandError."""
    if session.arguments.to is not None:
        return _of_number(session, body, session.arguments.to)
    if session.arguments.to_hash:
        return _at_hash(session, body, session.arguments.to_hash)
    if body["kind"] == RELEASE_SET:
        return rollbacks.set_before(ReleaseSet.model_validate(body))
    release = Release.model_validate(body)
    return {release.spec.service: rollbacks.release_before(release)}


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no release number; for a release hash there is --to-hash")
    return int(text)


def _of_number(session: Session, body: dict[str, Any], number: int) -> dict[str, Source]:
    """Ask the ledger what a release number means."""
    from ecs_release.cli.kubectl.history.ledger_reader import Question, open_ledger

    spec, namespace = body["spec"], body["metadata"]["namespace"]
    environment, project = spec["environmentRef"]["name"], spec["projectRef"]["name"]
    is_set = body["kind"] == RELEASE_SET
    services = rollbacks.members(ReleaseSet.model_validate(body)) if is_set else {spec["service"]}
    ledger = open_ledger(session, session.arguments.ledger_table, environment)
    entries = ledger.ask(Question(namespace=namespace, project=project, number=number))
    pins = rollbacks.of_number(entries, services, environment, number)
    if rollbacks.never_went_well(entries):
        session.out.note(f"warning: release {number} never went well, as far as the ledger knows")
    return pins


def _at_hash(session: Session, body: dict[str, Any], given: str) -> dict[str, Source]:
    """Return what ran at a release hash, as status tells; one that status has forgotten is looked up in ECR. It may be abbreviated."""
    releases = _releases(session, body)
    known = rollbacks.known_hashes(list(releases.values()))
    if any(h.startswith(given) for h in known):
        return rollbacks.at_hash(releases, rollbacks.expanded(given, known))
    whole = hashes.one_of(given, git.commits(given)) if git.is_abbreviated(given) else given
    return _in_registry(session, body, releases, whole or given) or rollbacks.at_hash(releases, rollbacks.expanded(given, known))


def _in_registry(session: Session, body: dict[str, Any], releases: dict[str, Release], given: str) -> dict[str, Source]:
    """Look a release hash up in ECR, for all of these Releases; nothing where that cannot be asked, or has none that begins so.

    Raises CommandError where it may be several, NotFound where a repository lacks it.
    """
    from ecs_release.cli.kubectl.client.aws_reader import AwsReads

    aws = AwsReads(session, through_roles=session.arguments.assume_roles)
    try:
        targets = hashes.targets_of(session, body, releases)
    except CommandError as refusal:
        session.out.note(f"cannot look for release hash {given} in ECR: {refusal}")
        return {}
    whole = hashes.expanded(session, given, list(targets.values()), aws) if git.is_abbreviated(given) else given
    found = hashes.images_at(session, whole, targets, aws) if whole else {}
    if found:
        session.out.note(f"warning: status does not remember that {whole} ran there: its images are those that ECR has")
    return found


def _releases(session: Session, body: dict[str, Any]) -> dict[str, Release]:
    """Return the Releases of a set, or the Release itself, by service. Raises NotFound."""
    if body["kind"] == RELEASE:
        release = Release.model_validate(body)
        return {release.spec.service: release}
    meta = body["metadata"]
    found = session.api.list(RELEASE, meta["namespace"], labels=f"{LABEL_RELEASE_SET}={meta['name']}")
    children = [Release.model_validate(r) for r in found if release_set_of(r) == meta["name"]]
    if not children:
        raise NotFound(f"ReleaseSet {meta['name']} has no Releases yet")
    return {r.spec.service: r for r in children}
