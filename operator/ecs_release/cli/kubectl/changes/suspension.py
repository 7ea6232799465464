"""Suspension: while `spec.suspend` is true nothing new is changed in AWS."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.changes import confirmation as acting
from ecs_release.cli.kubectl.client.object_references import resolve

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what both verbs take."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")
    acting.add_force(parser)


def run(session: Session, arguments: argparse.Namespace, verb: str, *, suspend: bool) -> int:
    """Set or remove it. Raises CommandError."""
    body = resolve(session, arguments.name)
    kind, meta = str(body["kind"]), body["metadata"]
    done = f"{verb.rstrip('e')}ed"
    if bool(body["spec"].get("suspend")) == suspend:
        session.out.say(f"{acting.name_of(body)} unchanged: it is {'' if suspend else 'not '}suspended")
        return 0
    acting.check_own(body, verb, force=arguments.force)
    acting.check_spec_owner(session, body, verb, force=arguments.force)
    acting.check_access(session, kind, meta["name"], meta["namespace"])
    # Removed, not false: what a manifest does not state is nobody's to put back.
    session.api.patch(kind, meta["name"], meta["namespace"], {"spec": {"suspend": True if suspend else None}})
    session.out.say(f"{acting.name_of(body)} {done}")
    return 0
