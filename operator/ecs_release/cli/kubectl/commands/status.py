"""`status`: how a ReleaseSet or Release stands; with --watch until it is Ready, or will not be."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from ecs_release.api.release import Release
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.aws_reader import AwsReads
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.status import snapshot as scene
from ecs_release.cli.kubectl.status.events import events_of, rows
from ecs_release.cli.kubectl.status.header import heading
from ecs_release.cli.kubectl.status.informer import Feed
from ecs_release.cli.kubectl.status.readiness import Standing, Verdict, standing
from ecs_release.cli.kubectl.status.snapshot import Scene
from ecs_release.cli.kubectl.status.tree import tree
from ecs_release.cli.kubectl.status.watch_log import changes
from ecs_release.cli.kubectl.terminal.durations import age, seconds, since

# How old a thing is changes without news: often enough for eyes, rarely enough for a slow line.
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
        "--timeout", type=seconds, default=1800.0, metavar="DURATION", help="With --watch: how long at most (30m); 0: for ever"
    )
    parser.add_argument("--ecs-events", action="store_true", help="ECS's own newest events about each service, too (asks AWS)")
    flags.add_role(parser)
    flags.add_output(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Show it, and return what the exit code says."""
    found = scene.read(session.api, resolve(session, arguments.name))
    if arguments.watch:
        found = _watch(session, found, arguments)
    stand = standing(found.body)
    if arguments.output in ("json", "yaml", "name"):
        session.out.objects([found.body], arguments.output, one=True)
    elif not (arguments.watch and session.out.on_terminal):
        session.out.console.print(_picture(session, found, wide=arguments.output == "wide"))
    if arguments.output in (None, "wide"):
        _print_events(session, found)
    if arguments.ecs_events and arguments.output in (None, "wide"):
        _print_ecs_events(session, found, through_roles=arguments.assume_roles)
    if arguments.watch:
        _say_end(session, found, stand, arguments.timeout)
    return stand.verdict.value


def _watch(session: Session, first: Scene, arguments: argparse.Namespace) -> Scene:
    """Follow until the verdict is there, or the time is over. Returns the last scene."""
    wide, quiet = arguments.output == "wide", arguments.output in ("json", "yaml", "name")
    if session.out.on_terminal and not quiet:
        with Live(_picture(session, first, wide=wide), console=session.out.console, auto_refresh=False) as live:

            def draw(_: Scene | None, now: Scene) -> None:
                live.update(_picture(session, now, wide=wide), refresh=True)

            return _follow(session, first, arguments.timeout, draw, _REDRAW_S)

    def tell(before: Scene | None, now: Scene) -> None:
        for line in () if quiet else changes(before, now, session.now()):
            session.out.say(line)
        session.out.stdout.flush()

    return _follow(session, first, arguments.timeout, tell, _QUIET_S)


def _follow(session: Session, first: Scene, timeout_s: float, show: Callable[[Scene | None, Scene], None], pace_s: float) -> Scene:
    """Take news in until there is a verdict. The first scene was read just now: where it tells one, nothing is watched."""
    deadline = time.monotonic() + timeout_s if timeout_s else float("inf")
    current = first
    show(None, current)
    if _is_over(current):
        return current
    with Feed(session.api, scene.selections(first.body)) as feed:
        while (left_s := deadline - time.monotonic()) > 0:
            before = current
            for news in feed.next(min(left_s, pace_s)):
                current = scene.updated(current, news)
            show(before, current)
            if _is_over(current):
                break
    return current


def _is_over(current: Scene) -> bool:
    return standing(current.body).verdict is not Verdict.UNDER_WAY


def _picture(session: Session, found: Scene, *, wide: bool) -> RenderableType:
    now = session.now()
    return Group(*heading(found, now), Text(), tree(found, now, wide=wide))


def _print_events(session: Session, found: Scene) -> None:
    shown = rows(events_of(session.api, found.body), session.now())
    if shown:
        session.out.say("\nEvents:")
        session.out.rows([], shown)


def _print_ecs_events(session: Session, found: Scene, *, through_roles: bool) -> None:
    """Print what ECS says of each service; that it cannot be read is a warning."""
    aws, now = AwsReads(session, through_roles=through_roles), session.now()
    for body in [found.body] if found.release is not None else found.children.values():
        release = Release.model_validate(body)
        target = release.status.target if release.status else None
        if target is None or not target.service_arn:
            continue
        events = aws.service_events(found.environment, target)
        if events:
            session.out.say(f"\nECS on {release.spec.service}:")
            session.out.rows([], [[since(when, now), text] for when, text in events])
    for note in aws.notes:
        session.out.note(f"warning: ECS's events could not be read: {note}")


def _say_end(session: Session, found: Scene, stand: Standing, timeout_s: float) -> None:
    """Say on stderr why it did not end well."""
    if stand.verdict is Verdict.STALLED:
        session.out.note(f"error: {found.reference} is stalled: {stand.text}")
    elif stand.verdict is Verdict.UNDER_WAY:
        session.out.note(f"error: {found.reference} is not Ready after {age(timeout_s)}: {stand.text or stand.phase}")
