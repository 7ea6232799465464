"""Writes a changed manifest to stdout, into a file, or to the cluster."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import API_VERSION
from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.manifests import pinned_objects, yaml_text
from ecs_release.cli.kubectl.manifests.pinned_objects import Fields
from ecs_release.cli.kubectl.manifests.yaml_edit import edit, replacement_patch, with_fields
from ecs_release.cli.kubectl.own_clone.clone import Clone
from ecs_release.cli.kubectl.terminal.errors import CommandError

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_BUILD_URLS = ("CIRCLE_BUILD_URL", "TRAVIS_BUILD_WEB_URL", "BUILDKITE_BUILD_URL", "CI_JOB_URL")


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """The object to write: `identity` are the immutable fields of its spec, `live` is the object in the cluster."""

    kind: str
    namespace: str
    name: str
    identity: Mapping[str, Any]
    live: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        """Kind and name as kubectl writes them."""
        return f"{self.kind.lower()}/{self.name}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags for spec.change and for the destination."""
    parser.add_argument("--description", metavar="TEXT", help="Why, for spec.change; without it what is done is said")
    parser.add_argument("--requested-by", metavar="WHO", help="Who asks for it; without it git's user.email, else your user in the cluster")
    parser.add_argument("--url", metavar="URL", help="The pull request or build; without it the build's, in CI")
    parser.add_argument("--revision", metavar="REVISION", help="The git revision of the manifests")
    parser.add_argument("--ticket", metavar="TICKET", help="A ticket")
    parser.add_argument("-f", "--output-file", metavar="FILE", help="Write it there; what the file holds else stays, comments too")
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", metavar="yaml|json", help="Output format on stdout")
    parser.add_argument("--apply", action="store_true", help="Write it to the cluster, for teams without GitOps")
    confirmation.add_yes(parser)
    confirmation.add_force(parser)


def change_of(session: Session, description: str) -> dict[str, str | None]:
    """Return spec.change by flags, git, the CI build and the user."""
    given = session.arguments
    return {
        "description": (given.description or description)[:1024],
        "requestedBy": (given.requested_by or Clone().email() or confirmation.user_name(session))[:256],
        "url": given.url or _build_url(session.environment),
        "revision": given.revision,
        "ticket": given.ticket,
    }


def _build_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the CI build; empty outside of CI."""
    server, repository, run = (environment.get(f"GITHUB_{n}", "") for n in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return next((environment[name] for name in _BUILD_URLS if environment.get(name)), "")


def write(session: Session, target: ManifestTarget, fields: Fields, summary: str) -> int:
    """Write the object to where the flags point. `summary` describes the change. Raises CommandError."""
    arguments = session.arguments
    if arguments.apply and arguments.output_file:
        raise CommandError("--apply and --output-file exclude each other: the one writes to the cluster, the other for a pull request")
    if arguments.apply:
        return _apply(session, target, fields, summary)
    if arguments.output_file:
        return _into_file(session, Path(arguments.output_file), target, fields)
    manifest = _manifest(target, fields)
    session.out.note(summary)
    if arguments.output == "json":
        session.out.data(manifest, "json")
    else:
        session.out.write_text(yaml_text.dump(manifest))
    return 0


def _manifest(target: ManifestTarget, fields: Fields) -> dict[str, Any]:
    """Return the whole object as it is in the cluster, with the fields changed."""
    if target.live is None:
        return pinned_objects.new_object(target.kind, target.name, target.namespace, target.identity, fields)
    manifest = pinned_objects.manifest_of(target.live)
    return {**manifest, "spec": with_fields(manifest["spec"], fields)}


def _into_file(session: Session, path: Path, target: ManifestTarget, fields: Fields) -> int:
    """Change the object in a file, or append it."""
    try:
        before = path.read_text() if path.exists() else ""
        documents = yaml_text.load_documents(before)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    fitting = [i for i, d in enumerate(documents) if pinned_objects.has_identity(d, target.kind, target.namespace, target.identity)]
    if len(fitting) > 1:
        raise CommandError(f"{path} holds {target.kind} of {dict(target.identity)} {len(fitting)} times: which one is meant?")
    if not fitting:
        separator = "---\n" if any(d is not None for d in documents) else ""
        after = before + ("\n" if before and not before.endswith("\n") else "") + separator + yaml_text.dump(_manifest(target, fields))
    else:
        result = edit(before, fitting[0], fields)
        after = result.text
        if not result.comments_kept:
            session.out.note(f"warning: {path}: its comments are lost, for the spec is not written in lines of its own")
    try:
        path.write_text(after)
    except OSError as error:
        raise CommandError(f"{path}: {error}") from error
    session.out.note(f"{target.title} written to {path}")
    return 0


def _apply(session: Session, target: ManifestTarget, fields: Fields, summary: str) -> int:
    """Create the object by server-side apply, or change it by one patch that fails if it has changed since.

    Server-side apply cannot remove a `source` that another manager owns, and two writes would be two deployment sets.
    """
    arguments = session.arguments
    if target.live is not None:
        confirmation.check_not_a_child(target.live, "change", force=arguments.force)
        confirmation.check_spec_owner(session, target.live, "change", force=arguments.force)
    confirmation.check_access(session, target.kind, target.name, target.namespace, "patch" if target.live else "create")
    session.out.note(summary)
    confirmation.confirm(session, f"Write {target.title} in namespace {target.namespace}?", yes=arguments.yes)
    if target.live is None:
        session.api.apply({**_manifest(target, fields), "apiVersion": API_VERSION})
    else:
        spec = replacement_patch(target.live["spec"], fields)
        body = {"metadata": {"resourceVersion": target.live["metadata"]["resourceVersion"]}, "spec": spec}
        session.api.patch(target.kind, target.name, target.namespace, body)
    session.out.write_line(f"{target.title} {'changed' if target.live else 'created'}")
    return 0
