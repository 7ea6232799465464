"""Suspension: while `spec.suspend` is true nothing new is changed in AWS; `spec.suspension` says why, and until when."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.cli.kubectl.terminal.errors import CommandError

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of both commands."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")
    confirmation.add_force(parser)


def configure_end(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say why and until when an object is suspended."""
    parser.add_argument("--reason", metavar="TEXT", help="Why; shown in the object's status")
    parser.add_argument(
        "--for", dest="lasts_s", type=parse_duration, metavar="DURATION", help="End by itself after so long: 30m, 2h; without it, never"
    )


def suspend(session: Session, arguments: argparse.Namespace) -> int:
    """Set `spec.suspend`, with the reason and the end that were given and no others. Raises CommandError."""
    until = _until(session.now(), arguments.lasts_s) if arguments.lasts_s is not None else None
    suspension = {name: value for name, value in (("reason", arguments.reason), ("until", until)) if value}
    return _patch(
        session, arguments, "suspend", f"suspended{f' until {until}' if until else ''}", {"suspend": True, "suspension": suspension}
    )


def resume(session: Session, arguments: argparse.Namespace) -> int:
    """Remove `spec.suspend` and `spec.suspension`. Raises CommandError."""
    return _patch(session, arguments, "resume", "resumed", {"suspend": None, "suspension": None})


def _until(now: datetime, lasts_s: float) -> str:
    if lasts_s < 1:
        raise CommandError("--for must be at least a second: without it the suspension ends when it is lifted")
    try:
        return to_time(now + timedelta(seconds=lasts_s))
    except OverflowError as error:
        raise CommandError("--for is longer than a calendar goes: leave it out") from error


def _patch(session: Session, arguments: argparse.Namespace, verb: str, done: str, wanted: dict[str, Any]) -> int:
    """Bring the two fields of spec to what is wanted: a field that no manifest has is removed, so that GitOps tools show no diff."""
    body = resolve(session, arguments.name)
    kind, meta, spec = str(body["kind"]), body["metadata"], body["spec"]
    if all((spec.get(name) or None) == (value or None) for name, value in wanted.items()):
        session.out.write_line(f"{confirmation.reference_of(body)} unchanged: it is {'' if wanted['suspend'] else 'not '}suspended")
        return 0
    confirmation.check_not_a_child(body, verb, force=arguments.force)
    confirmation.check_spec_owner(session, body, verb, force=arguments.force)
    confirmation.check_access(session, kind, meta["name"], meta["namespace"])
    suspension = wanted["suspension"]
    # A merge patch leaves out nothing by itself: reason and end of an earlier suspension would stay.
    replaced = {"reason": None, "until": None} | suspension if suspension else None
    session.api.patch(kind, meta["name"], meta["namespace"], {"spec": {"suspend": wanted["suspend"], "suspension": replaced}})
    session.out.write_line(f"{confirmation.reference_of(body)} {done}")
    return 0
