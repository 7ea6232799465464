"""Suspension: while `spec.suspend` is true nothing new is changed in AWS."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.client.object_references import resolve

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of both commands."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")
    confirmation.add_force(parser)


def run(session: Session, arguments: argparse.Namespace, verb: str, *, suspend: bool) -> int:
    """Set or remove `spec.suspend`. Raises CommandError."""
    body = resolve(session, arguments.name)
    kind, meta = str(body["kind"]), body["metadata"]
    done = f"{verb.rstrip('e')}ed"
    if bool(body["spec"].get("suspend")) == suspend:
        session.out.write_line(f"{confirmation.reference_of(body)} unchanged: it is {'' if suspend else 'not '}suspended")
        return 0
    confirmation.check_not_a_child(body, verb, force=arguments.force)
    confirmation.check_spec_owner(session, body, verb, force=arguments.force)
    confirmation.check_access(session, kind, meta["name"], meta["namespace"])
    # Removed, not set to false: a field that no manifest has causes no diff in GitOps tools.
    session.api.patch(kind, meta["name"], meta["namespace"], {"spec": {"suspend": True if suspend else None}})
    session.out.write_line(f"{confirmation.reference_of(body)} {done}")
    return 0
