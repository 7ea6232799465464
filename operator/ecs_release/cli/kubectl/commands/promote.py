"""`promote`: write the manifest that takes what is proven to run in one Environment to another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project, ServiceSet
from ecs_release.api.release import Release
from ecs_release.api.source import Source
from ecs_release.cli.kubectl.importing.names import object_name
from ecs_release.cli.kubectl.manifests import manifest_writer, pinned_objects
from ecs_release.cli.kubectl.manifests.manifest_writer import ManifestTarget
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied, NotFound
from ecs_release.domain.artifacts.source import pinned_source
from ecs_release.domain.promotion.proof import why_unproven

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.add_argument("source", metavar="FROM", help="The Environment whose proven images are taken")
    parser.add_argument("target", metavar="TO", help="The Environment that they go to")
    parser.add_argument("--project", metavar="NAME", help="The Project; not needed where the namespace has one only")
    parser.add_argument("--service-set", metavar="NAME", help="The service set; not needed where the Project has one only")
    parser.add_argument("--service", action="append", metavar="NAME", help="This service alone; may be given several times")
    parser.add_argument("--name", metavar="NAME", help="Name of the ReleaseSet, where TO has several of the service set, or none yet")
    parser.add_argument("--allow-unready", action="store_true", help="Take what is wanted in FROM even where it is not proven to run")
    manifest_writer.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Write the manifest. Raises CommandError."""
    if arguments.source == arguments.target:
        raise CommandError("FROM and TO are the same Environment")
    for name in (arguments.source, arguments.target):
        _check_environment(session, name)
    project = _project(session, arguments.project)
    service_set = _service_set(project, arguments.service_set)
    order = [s.name for s in service_set.services]
    target = _target(session, project, service_set)
    spec = target.live["spec"] if target.live else {}
    members = list(spec.get("services") or order)
    wanted = list(arguments.service or members)
    _check_services(wanted, members if target.live else order, service_set.name)
    pins = _pins(session, project, arguments.source, wanted)
    whole = set(members) <= set(wanted)
    fields = pinned_objects.pin_fields(spec, pins, order, whole=whole)
    if target.live is None and not whole:
        fields["services"] = [s for s in order if s in wanted]
    what = f"{service_set.name} at {pinned_objects.summary(pins)}" if whole else f"{', '.join(wanted)} at {pinned_objects.summary(pins)}"
    fields |= pinned_objects.change_fields(manifest_writer.change_of(session, f"promote {what} from {arguments.source}"))
    lines = [f"promote from {arguments.source} to {arguments.target}:", *pinned_objects.steps(pins, target.live)]
    return manifest_writer.write(session, target, fields, "\n".join(lines))


def _check_environment(session: Session, name: str) -> None:
    """Fail early for a mistyped name; a user who may not read Environments learns it from the operator. Raises NotFound."""
    try:
        session.api.get(ENVIRONMENT, name)
    except NotFound as error:
        raise NotFound(f"there is no Environment {name!r}: see kubectl get environments") from error
    except Denied:
        return


def _project(session: Session, name: str | None) -> Project:
    """Return the Project; the only one in the namespace needs no name. Raises CommandError."""
    if name:
        return Project.model_validate(session.api.get(PROJECT, name, session.namespace))
    found = session.api.list(PROJECT, session.namespace)
    names = sorted(str(p["metadata"]["name"]) for p in found)
    if len(found) != 1:
        raise CommandError(
            f"namespace {session.namespace!r} has several Projects ({', '.join(names)}): give --project"
            if found
            else f"namespace {session.namespace!r} has no Project: choose another with -n"
        )
    return Project.model_validate(found[0])


def _service_set(project: Project, name: str | None) -> ServiceSet:
    """Return the service set; the only one needs no name. Raises CommandError."""
    sets = project.spec.service_sets
    names = ", ".join(s.name for s in sets)
    if not name and len(sets) == 1:
        return sets[0]
    if not name:
        raise CommandError(f"Project {project.metadata.name} has several service sets ({names}): give --service-set")
    found = next((s for s in sets if s.name == name), None)
    if found is None:
        raise NotFound(f"Project {project.metadata.name} has no service set {name!r}; it has: {names}")
    return found


def _target(session: Session, project: Project, service_set: ServiceSet) -> ManifestTarget:
    """Return the ReleaseSet of the service set in TO, or a new one. Raises CommandError."""
    arguments, namespace = session.arguments, session.namespace
    identity = {
        "projectRef": {"name": project.metadata.name},
        "serviceSet": service_set.name,
        "environmentRef": {"name": arguments.target},
    }
    live = [s for s in session.api.list(RELEASE_SET, namespace) if pinned_objects.has_identity(s, RELEASE_SET, namespace, identity)]
    if arguments.name:
        live = [s for s in live if s["metadata"]["name"] == arguments.name]
    if len(live) > 1:
        names = ", ".join(sorted(str(s["metadata"]["name"]) for s in live))
        raise CommandError(f"{arguments.target} has several ReleaseSets of {service_set.name} ({names}): give --name")
    name = live[0]["metadata"]["name"] if live else arguments.name or object_name(f"{service_set.name}-{arguments.target}")
    return ManifestTarget(RELEASE_SET, namespace, name, identity, live[0] if live else None)


def _check_services(wanted: Sequence[str], members: Sequence[str], service_set: str) -> None:
    unknown = sorted(set(wanted) - set(members))
    if unknown:
        raise NotFound(f"service set {service_set} has no {', '.join(unknown)} there; it has: {', '.join(members)}")


def _pins(session: Session, project: Project, environment: str, services: Sequence[str]) -> dict[str, Source]:
    """Return what each service is proven to run. Raises CommandError with the services without proof."""
    selector = f"spec.projectRef.name={project.metadata.name},spec.environmentRef.name={environment}"
    by_service: dict[str, list[Release]] = {}
    for body in session.api.list(RELEASE, session.namespace, fields=selector):
        release = Release.model_validate(body)
        by_service.setdefault(release.spec.service, []).append(release)
    pins: dict[str, Source] = {}
    refused: list[str] = []
    for service in services:
        source, why = _pin(by_service.get(service, []))
        if why and source is not None and session.arguments.allow_unready:
            session.out.note(f"warning: {service}: {why}")
        elif why:
            refused.append(f"{service}: {why}")
            continue
        if source is not None:
            pins[service] = source
    if refused:
        raise CommandError(f"not promoted from {environment}: {len(refused)} of {len(services)} services: {'; '.join(refused)}")
    return pins


def _pin(releases: list[Release]) -> tuple[Source | None, str]:
    """Return a service's source, and why it is not proven (empty if it is)."""
    if not releases:
        return None, "no Release of it goes there"
    chosen: Any = next((r for r in releases if not why_unproven(r)), releases[0])
    pin = chosen.status.pin if chosen.status else None
    return (pinned_source(pin) if pin and pin.images else None), why_unproven(chosen)
