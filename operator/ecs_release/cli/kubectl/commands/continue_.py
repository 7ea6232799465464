"""`continue`: list the lifecycle hooks at which ECS waits, and answer one of them."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_release.api.meta import to_microtime
from ecs_release.api.names import CONTINUE_ANNOTATION, LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.cli.kubectl.changes import confirmation
from ecs_release.cli.kubectl.changes.request_annotations import checked_reason
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.cli.kubectl.terminal.errors import CommandError, Conflict
from ecs_release.domain.ecs.interventions import CONTINUE, ROLLBACK, of_hook
from ecs_release.pages.ages import age

if TYPE_CHECKING:
    from ecs_release.api.hook_status import OpenHook
    from ecs_release.cli.kubectl.client.session import Session

HEAD = ("RELEASE", "STAGE", "HOOK", "LEFT", "THEN")
_POLL_S = 0.5


@dataclass(frozen=True)
class WaitingHook:
    """A hook that awaits action, and the Release whose deployment it holds."""

    body: dict[str, Any]
    hook: OpenHook


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.add_argument("name", metavar="NAME", help="A ReleaseSet or Release: NAME, releaseset/NAME or release/NAME")
    parser.add_argument("hook", metavar="HOOK", nargs="?", help="The hook to answer; without it those that wait are listed")
    parser.add_argument("--rollback", action="store_true", help="Have ECS go back, not on")
    parser.add_argument("--reason", metavar="TEXT", help="Why, for history and ledger; an Environment may require it")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="Wait until AWS has accepted the answer (the default)"
    )
    parser.add_argument("--timeout", type=parse_duration, default=60.0, metavar="DURATION", help="How long to wait: 60s by default")


def run(session: Session, arguments: argparse.Namespace) -> int:
    """List what waits, or answer a hook. Raises CommandError, also if the operator or AWS refuses the answer."""
    found = waiting_hooks(session, arguments.name)
    if arguments.hook is None:
        _list(session, found)
        return 0
    one = next((w for w in found if w.hook.id == arguments.hook), None)
    if one is None:
        waits = f"what waits is {', '.join(w.hook.id for w in found)}" if found else "none does"
        raise CommandError(f"hook {arguments.hook} does not wait for {arguments.name}: {waits}")
    _answer(session, arguments, one)
    return 0


def waiting_hooks(session: Session, name: str) -> list[WaitingHook]:
    """Read the hooks at which a Release, or a ReleaseSet's Releases, wait by status. Raises CommandError."""
    body = resolve(session, name)
    bodies = [body]
    if body["kind"] == RELEASE_SET:
        meta = body["metadata"]
        bodies = session.api.list(RELEASE, meta["namespace"], labels=f"{LABEL_RELEASE_SET}={meta['name']}")
    return [WaitingHook(b, h) for b in bodies for h in _hooks(b)]


def _hooks(body: dict[str, Any]) -> list[OpenHook]:
    status = Release.model_validate(body).status
    return list((status.rollout.hooks if status and status.rollout else None) or ())


def _list(session: Session, found: list[WaitingHook]) -> None:
    if not found:
        session.out.note("No lifecycle hook waits.")
        return
    now = session.now()
    rows = [
        (
            w.body["metadata"]["name"],
            w.hook.stage or "",
            w.hook.id,
            age((w.hook.expires_time - now).total_seconds()) if w.hook.expires_time else "",
            w.hook.timeout_action or "",
        )
        for w in found
    ]
    session.out.rows(HEAD, rows)


def _answer(session: Session, arguments: argparse.Namespace, one: WaitingHook) -> None:
    meta, action = one.body["metadata"], ROLLBACK if arguments.rollback else CONTINUE
    confirmation.check_access(session, RELEASE, meta["name"], meta["namespace"])
    token = to_microtime(session.now())
    value = f"{token}/{one.hook.id}/{action}"
    if arguments.reason is not None:
        value += f"/{checked_reason(arguments.reason)}"
    session.api.patch(RELEASE, meta["name"], meta["namespace"], {"metadata": {"annotations": {CONTINUE_ANNOTATION: value}}})
    if arguments.wait:
        _await(session, meta, one.hook.id, value, arguments.timeout)
    session.out.write_line(f"release/{meta['name']} {'accepted by AWS' if arguments.wait else 'asked'}: {action} of hook {one.hook.id}")


def _await(session: Session, meta: dict[str, Any], hook_id: str, value: str, timeout_s: float) -> None:
    """Wait until AWS has accepted an answer. Raises CommandError if it was refused, or not accepted in time."""
    end, name = time.monotonic() + timeout_s, f"release/{meta['name']}"
    while True:
        body = session.api.get(RELEASE, meta["name"], meta["namespace"])
        status = Release.model_validate(body).status
        refused = status.refused_request if status else None
        if refused is not None and (refused.request, refused.token) == ("continue", value):
            raise CommandError(refused.message or "it was refused")
        known = [e.interventions for e in (status.history if status else None) or ()]
        given = next((i for one in known if (i := of_hook(one, hook_id)) is not None), None)
        handled = status is not None and status.last_handled_continue == value
        if handled and given is not None and given.accepted_time is not None:
            return
        if (body["metadata"].get("annotations") or {}).get(CONTINUE_ANNOTATION) != value:
            raise Conflict(f"somebody else has answered a hook of {name} since: see its status")
        if time.monotonic() > end:
            state = "announced" if given is not None else "not acknowledged"
            raise CommandError(f"the answer to hook {hook_id} of {name} is {state} after {timeout_s:.0f} s: it stays asked for")
        time.sleep(_POLL_S)
