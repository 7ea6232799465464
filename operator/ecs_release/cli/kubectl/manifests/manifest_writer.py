"""Where a changed manifest goes: to stdout, into a file, or straight to the cluster."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import API_VERSION
from ecs_release.cli.kubectl.artifacts import git
from ecs_release.cli.kubectl.changes import confirmation as acting
from ecs_release.cli.kubectl.manifests import pinned_objects as pinned
from ecs_release.cli.kubectl.manifests import yaml_text as text
from ecs_release.cli.kubectl.manifests.pinned_objects import Fields
from ecs_release.cli.kubectl.manifests.yaml_edit import edited, replacing, with_fields
from ecs_release.cli.kubectl.terminal.errors import CommandError

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_BUILD_URLS = ("CIRCLE_BUILD_URL", "TRAVIS_BUILD_WEB_URL", "BUILDKITE_BUILD_URL", "CI_JOB_URL")


@dataclass(frozen=True, slots=True)
class Target:
    """The object to write: its identity is what its spec may never change, `live` what the cluster has of it."""

    kind: str
    namespace: str
    name: str
    identity: Mapping[str, Any]
    live: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        """Name it as kubectl does."""
        return f"{self.kind.lower()}/{self.name}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say why, who, and where it goes."""
    parser.add_argument("--description", metavar="TEXT", help="Why, for spec.change; without it what is done is said")
    parser.add_argument("--requested-by", metavar="WHO", help="Who asks for it; without it git's user.email, else your user in the cluster")
    parser.add_argument("--url", metavar="URL", help="The pull request or build; without it the build's, in CI")
    parser.add_argument("--revision", metavar="REVISION", help="The git revision of the manifests")
    parser.add_argument("--ticket", metavar="TICKET", help="A ticket")
    parser.add_argument("-f", "--output-file", metavar="FILE", help="Write it there; what the file holds else stays, comments too")
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", metavar="yaml|json", help="Output format on stdout")
    parser.add_argument("--apply", action="store_true", help="Write it to the cluster, for teams without GitOps")
    acting.add_yes(parser)
    acting.add_force(parser)


def change(session: Session, description: str) -> dict[str, str | None]:
    """Say why and who, by flags and by what is known here."""
    given = session.arguments
    return {
        "description": (given.description or description)[:1024],
        "requestedBy": (given.requested_by or git.email() or acting.user_name(session))[:256],
        "url": given.url or _build_url(session.environment),
        "revision": given.revision,
        "ticket": given.ticket,
    }


def _build_url(environment: Mapping[str, str]) -> str:
    """Return the page of the CI build that runs this; an empty string elsewhere."""
    server, repository, run = (environment.get(f"GITHUB_{n}", "") for n in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return next((environment[name] for name in _BUILD_URLS if environment.get(name)), "")


def deliver(session: Session, target: Target, fields: Fields, says: str) -> int:
    """Write it where the flags say. `says` tells in a line what it does. Raises CommandError."""
    arguments = session.arguments
    if arguments.apply and arguments.output_file:
        raise CommandError("--apply and --output-file exclude each other: the one writes to the cluster, the other for a pull request")
    if arguments.apply:
        return _apply(session, target, fields, says)
    if arguments.output_file:
        return _into_file(session, Path(arguments.output_file), target, fields)
    manifest = _manifest(target, fields)
    session.out.note(says)
    if arguments.output == "json":
        session.out.data(manifest, "json")
    else:
        session.out.stdout.write(text.dump(manifest))
    return 0


def _manifest(target: Target, fields: Fields) -> dict[str, Any]:
    """Write the whole object: as the cluster has it, with the fields changed."""
    if target.live is None:
        return pinned.fresh(target.kind, target.name, target.namespace, target.identity, fields)
    manifest = pinned.of_live(target.live)
    return {**manifest, "spec": with_fields(manifest["spec"], fields)}


def _into_file(session: Session, path: Path, target: Target, fields: Fields) -> int:
    """Change the object in a file, or add it there."""
    try:
        before = path.read_text() if path.exists() else ""
        documents = text.load_documents(before)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    fitting = [i for i, d in enumerate(documents) if pinned.is_same(d, target.kind, target.namespace, target.identity)]
    if len(fitting) > 1:
        raise CommandError(f"{path} holds {target.kind} of {dict(target.identity)} {len(fitting)} times: which one is meant?")
    if not fitting:
        separator = "---\n" if any(d is not None for d in documents) else ""
        after = before + ("\n" if before and not before.endswith("\n") else "") + separator + text.dump(_manifest(target, fields))
    else:
        result = edited(before, fitting[0], fields)
        after = result.text
        if not result.kept:
            session.out.note(f"warning: {path}: its comments are lost, for the spec is not written in lines of its own")
    try:
        path.write_text(after)
    except OSError as error:
        raise CommandError(f"{path}: {error}") from error
    session.out.note(f"{target.title} written to {path}")
    return 0


def _apply(session: Session, target: Target, fields: Fields, says: str) -> int:
    """Write it to the cluster: created by server-side apply, or changed by one patch that fails where somebody was faster.

    Server-side apply cannot take `source` away from whoever set it, and two writes would be two deployment sets.
    """
    arguments = session.arguments
    if target.live is not None:
        acting.check_own(target.live, "change", force=arguments.force)
        acting.check_spec_owner(session, target.live, "change", force=arguments.force)
    acting.check_access(session, target.kind, target.name, target.namespace, "patch" if target.live else "create")
    session.out.note(says)
    acting.confirm(session, f"Write {target.title} in namespace {target.namespace}?", yes=arguments.yes)
    if target.live is None:
        session.api.apply({**_manifest(target, fields), "apiVersion": API_VERSION})
    else:
        spec = replacing(target.live["spec"], fields)
        body = {"metadata": {"resourceVersion": target.live["metadata"]["resourceVersion"]}, "spec": spec}
        session.api.patch(target.kind, target.name, target.namespace, body)
    session.out.say(f"{target.title} {'changed' if target.live else 'created'}")
    return 0
