"""`rollback`: write the manifest that goes back to what ran before, by digest."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.source import Source
from ecs_release.cli.kubectl.artifacts import hash_prefix
from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.changes.field_owners import release_set_of
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.manifests import manifest_writer, pinned_objects, rollback_target
from ecs_release.cli.kubectl.manifests.manifest_writer import ManifestTarget
from ecs_release.cli.kubectl.own_clone.clone import Clone, is_abbreviated
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
    manifest_writer.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write the manifest. Raises CommandError."""
    body = resolve(session, arguments.name)
    confirmation.check_not_a_child(body, "roll back", force=arguments.force)
    pins = _pins(session, body)
    spec = body["spec"]
    summary = f"roll back to {pinned_objects.summary(pins)}"
    if body["kind"] == RELEASE_SET:
        identity = {key: spec[key] for key in ("projectRef", "serviceSet", "environmentRef")}
        whole = rollback_target.services_of(ReleaseSet.model_validate(body)) <= pins.keys()
        fields = pinned_objects.pin_fields(spec, pins, list(pins), whole=whole)
    else:
        identity = {key: spec[key] for key in ("projectRef", "service", "environmentRef")}
        fields = {"source": next(iter(pins.values())).to_kubernetes()}
    left = rollback_target.left_commit((ReleaseSet if body["kind"] == RELEASE_SET else Release).model_validate(body))
    fields |= pinned_objects.change_fields({**manifest_writer.change_of(session, summary), "rollbackFrom": left})
    meta = body["metadata"]
    target = ManifestTarget(str(body["kind"]), meta["namespace"], meta["name"], identity, body)
    lines = [f"{target.title}: {summary}:", *pinned_objects.steps(pins, body)]
    return manifest_writer.write(session, target, fields, "\n".join(lines))


def _pins(session: Session, body: dict[str, Any]) -> dict[str, Source]:
    """Return what each service is to run. Raises CommandError."""
    if session.arguments.to is not None:
        return _sources_of_number(session, body, session.arguments.to)
    if session.arguments.to_hash:
        return _sources_at_hash(session, body, session.arguments.to_hash)
    if body["kind"] == RELEASE_SET:
        return rollback_target.previous_of_set(ReleaseSet.model_validate(body))
    release = Release.model_validate(body)
    return {release.spec.service: rollback_target.previous_of_release(release)}


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no release number; for a release hash there is --to-hash")
    return int(text)


def _sources_of_number(session: Session, body: dict[str, Any], number: int) -> dict[str, Source]:
    """Return what each service ran in a release, by the ledger."""
    from ecs_release.cli.kubectl.history.ledger_reader import Query, open_ledger

    spec, namespace = body["spec"], body["metadata"]["namespace"]
    environment, project = spec["environmentRef"]["name"], spec["projectRef"]["name"]
    is_set = body["kind"] == RELEASE_SET
    services = rollback_target.services_of(ReleaseSet.model_validate(body)) if is_set else {spec["service"]}
    ledger = open_ledger(session, session.arguments.ledger_table, environment)
    entries = ledger.query(Query(namespace=namespace, project=project, number=number))
    pins = rollback_target.sources_of_number(entries, services, environment, number)
    if rollback_target.never_succeeded(entries):
        session.out.note(f"warning: release {number} never went well, as far as the ledger knows")
    return pins


def _sources_at_hash(session: Session, body: dict[str, Any], given: str) -> dict[str, Source]:
    """Return what ran at a release hash, by status, else by ECR. The hash may be abbreviated."""
    releases = _releases(session, body)
    known = rollback_target.known_hashes(list(releases.values()))
    if any(h.startswith(given) for h in known):
        return rollback_target.sources_at_hash(releases, rollback_target.expand_hash(given, known))
    whole = hash_prefix.only_match(given, Clone().commits(given)) if is_abbreviated(given) else given
    return _in_registry(session, body, releases, whole or given) or rollback_target.sources_at_hash(
        releases, rollback_target.expand_hash(given, known)
    )


def _in_registry(session: Session, body: dict[str, Any], releases: dict[str, Release], given: str) -> dict[str, Source]:
    """Look up a release hash in ECR for some Releases; empty if ECR cannot be read, or has no such hash.

    Raises CommandError if there are several, NotFound if a repository lacks it.
    """
    from ecs_release.cli.kubectl.client.aws_reader import AwsReader

    aws = AwsReader(session, through_roles=session.arguments.assume_roles)
    try:
        targets = hash_prefix.targets_of(session, body, releases)
    except CommandError as refusal:
        session.out.note(f"cannot look for release hash {given} in ECR: {refusal}")
        return {}
    whole = hash_prefix.expand(session, given, list(targets.values()), aws) if is_abbreviated(given) else given
    found = hash_prefix.images_at(session, whole, targets, aws) if whole else {}
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
