"""Requests to the operator: a token and a reason in an annotation, which it handles once and acknowledges in status."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_release.api.meta import to_microtime
from ecs_release.api.visible_text import visible
from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.cli.kubectl.terminal.errors import CommandError

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_POLL_S = 0.5
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its verb, its annotation, and the field of status that acknowledges it."""

    verb: str
    annotation: str
    acknowledged: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of all requests."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="Wait until the operator has acknowledged it (the default)"
    )
    parser.add_argument("--timeout", type=parse_duration, default=60.0, metavar="DURATION", help="How long to wait: 60s by default")
    parser.add_argument("--reason", metavar="TEXT", help="Why, for history and ledger; an Environment may require it")
    confirmation.add_force(parser)


def run(session: Session, arguments: argparse.Namespace, request: Request) -> int:
    """Set the annotation, and wait for the answer. Raises CommandError, also if the operator refuses the request."""
    body = resolve(session, arguments.name)
    kind, meta = str(body["kind"]), body["metadata"]
    confirmation.check_not_a_child(body, request.verb, force=arguments.force)
    confirmation.check_access(session, kind, meta["name"], meta["namespace"])
    token = _token(to_microtime(session.now()), arguments.reason)
    session.api.patch(kind, meta["name"], meta["namespace"], {"metadata": {"annotations": {request.annotation: token}}})
    if arguments.wait:
        _await(session, kind, meta, request, token, arguments.timeout)
    session.out.write_line(f"{confirmation.reference_of(body)} {'acknowledged' if arguments.wait else 'asked'}: {request.verb} {token}")
    return 0


def _token(time: str, reason: str | None) -> str:
    """Return the annotation's value. Raises CommandError for a reason that status cannot hold as it is."""
    return time if reason is None else f"{time}/{checked_reason(reason)}"


def checked_reason(reason: str) -> str:
    """Return a reason as a request holds it. Raises CommandError for one that status cannot hold as it is."""
    if not reason.strip() or len(reason) > _LONGEST_REASON or visible(reason) != reason:
        raise CommandError(f"--reason must be a text of 1 to {_LONGEST_REASON} characters, without control characters")
    return reason.strip()


def _await(session: Session, kind: str, meta: dict[str, Any], request: Request, token: str, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while True:
        body = session.api.get(kind, meta["name"], meta["namespace"])
        status = body.get("status") or {}
        if status.get(request.acknowledged) == token:
            refused = status.get("refusedRequest") or {}
            if (refused.get("request"), refused.get("token")) == (request.verb, token):
                raise CommandError(str(refused.get("message")))
            return
        if (body["metadata"].get("annotations") or {}).get(request.annotation) != token:
            raise CommandError(f"somebody else has asked to {request.verb} {confirmation.reference_of(body)} since: see its status")
        if time.monotonic() > end:
            raise CommandError(
                f"the {request.verb} of {confirmation.reference_of(body)} was not acknowledged within {timeout_s:.0f} s"
                f" ({_ready_text(status)}): it stays asked for; does the operator run?"
            )
        time.sleep(_POLL_S)


def _ready_text(status: dict[str, Any]) -> str:
    ready = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), None)
    return f"{ready.get('reason')}: {ready.get('message')}" if ready else "it has no status yet"
