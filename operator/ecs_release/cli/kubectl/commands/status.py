"""`status`: the state of a ReleaseSet or Release; with --watch until it is Ready or Stalled."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from ecs_release.api.release import Release
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.aws_reader import AwsReader
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.status import snapshot
from ecs_release.cli.kubectl.status.events import events_of, rows
from ecs_release.cli.kubectl.status.header import header
from ecs_release.cli.kubectl.status.informer import Informer
from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.status.tree import tree
from ecs_release.cli.kubectl.status.watch_log import changes
from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.pages.ages import age, since
from ecs_release.pages.readiness import Readiness, Verdict, readiness

# Ages change without an update: redraw often enough to read, and rarely enough for a slow connection.
_REDRAW_S, _QUIET_S = 1.0, 30.0

_EPILOG = """\
exit codes:
  0  Ready, said of the generation that is there now
  1  Stalled: it will not go on by itself; or an error
  2  neither, or --watch was not told in --timeout

NAME is releaseset/x, release/x, or x: the ReleaseSet of that name, else the Release.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    parser.add_argument("name", metavar="NAME", help="What to show")
    parser.add_argument("-w", "--watch", action="store_true", help="Follow it until it is Ready or Stalled")
    parser.add_argument(
        "--timeout", type=parse_duration, default=1800.0, metavar="DURATION", help="With --watch: how long at most (30m); 0: for ever"
    )
    parser.add_argument("--ecs-events", action="store_true", help="ECS's own newest events about each service, too (asks AWS)")
    flags.add_role(parser)
    flags.add_output(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the status, and return the exit code of the verdict."""
    found = snapshot.read(session.api, resolve(session, arguments.name))
    if arguments.watch:
        found = _watch(session, found, arguments)
    state = readiness(found.body)
    if arguments.output in ("json", "yaml", "name"):
        session.out.objects([found.body], arguments.output, one=True)
    elif not (arguments.watch and session.out.on_terminal):
        session.out.console.print(_render(session, found, wide=arguments.output == "wide"))
    if arguments.output in (None, "wide"):
        _print_events(session, found)
    if arguments.ecs_events and arguments.output in (None, "wide"):
        _print_ecs_events(session, found, through_roles=arguments.assume_roles)
    if arguments.watch:
        _print_failure(session, found, state, arguments.timeout)
    return state.verdict.value


def _watch(session: Session, first: Snapshot, arguments: argparse.Namespace) -> Snapshot:
    """Show updates until there is a verdict, or the timeout. Returns the last snapshot."""
    wide, quiet = arguments.output == "wide", arguments.output in ("json", "yaml", "name")
    if session.out.on_terminal and not quiet:
        with Live(_render(session, first, wide=wide), console=session.out.console, auto_refresh=False) as live:

            def draw(_: Snapshot | None, now: Snapshot) -> None:
                live.update(_render(session, now, wide=wide), refresh=True)

            return _follow(session, first, arguments.timeout, draw, _REDRAW_S)

    def print_changes(before: Snapshot | None, now: Snapshot) -> None:
        for line in () if quiet else changes(before, now, session.now()):
            session.out.write_line(line)
        session.out.flush()

    return _follow(session, first, arguments.timeout, print_changes, _QUIET_S)


def _follow(
    session: Session, first: Snapshot, timeout_s: float, show: Callable[[Snapshot | None, Snapshot], None], interval_s: float
) -> Snapshot:
    """Apply updates until there is a verdict. If the first snapshot has one, nothing is watched."""
    deadline = time.monotonic() + timeout_s if timeout_s else float("inf")
    current = first
    show(None, current)
    if _is_over(current):
        return current
    with Informer(session.api, snapshot.selections(first.body)) as informer:
        while (left_s := deadline - time.monotonic()) > 0:
            before = current
            for update in informer.next(min(left_s, interval_s)):
                current = snapshot.updated(current, update)
            show(before, current)
            if _is_over(current):
                break
    return current


def _is_over(current: Snapshot) -> bool:
    return readiness(current.body).verdict is not Verdict.UNDER_WAY


def _render(session: Session, found: Snapshot, *, wide: bool) -> RenderableType:
    now = session.now()
    return Group(*header(found, now), Text(), tree(found, now, wide=wide))


def _print_events(session: Session, found: Snapshot) -> None:
    shown = rows(events_of(session.api, found.body), session.now())
    if shown:
        session.out.write_line("\nEvents:")
        session.out.rows([], shown)


def _print_ecs_events(session: Session, found: Snapshot, *, through_roles: bool) -> None:
    """Print ECS's events of each service; a refusal is a warning."""
    aws, now = AwsReader(session, through_roles=through_roles), session.now()
    for body in [found.body] if found.release is not None else found.children.values():
        release = Release.model_validate(body)
        target = release.status.target if release.status else None
        if target is None or not target.service_arn:
            continue
        events = aws.service_events(found.environment, target)
        if events:
            session.out.write_line(f"\nECS on {release.spec.service}:")
            session.out.rows([], [[since(when, now), text] for when, text in events])
    for note in aws.notes:
        session.out.note(f"warning: ECS's events could not be read: {note}")


def _print_failure(session: Session, found: Snapshot, state: Readiness, timeout_s: float) -> None:
    """Print on stderr why the object is not Ready."""
    if state.verdict is Verdict.STALLED:
        session.out.note(f"error: {found.reference} is stalled: {state.text}")
    elif state.verdict is Verdict.UNDER_WAY:
        session.out.note(f"error: {found.reference} is not Ready after {age(timeout_s)}: {state.text or state.phase}")
