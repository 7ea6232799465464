"""`where`: in which environments what runs contains a commit, by the graph of the user's own clone."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.live import Live
from rich.text import Text

from ecs_release.api.names import PROJECT
from ecs_release.api.project import Project
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.own_clone.clone import Clone, NamedCommit
from ecs_release.cli.kubectl.status.informer import Informer
from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied, NotFound
from ecs_release.cli.kubectl.terminal.tables import Row, lines
from ecs_release.cli.kubectl.where import cluster_state, rendering
from ecs_release.cli.kubectl.where.clone_graph import CloneGraph
from ecs_release.cli.kubectl.where.cluster_state import ClusterState
from ecs_release.cli.kubectl.where.projects import Choice, choose
from ecs_release.domain.presence import table
from ecs_release.domain.presence.answers import mentioned
from ecs_release.domain.presence.table import PresenceTable
from ecs_release.pages.ages import age

# Ages change without an update, and a fetch may bring what the clone lacks.
_REDRAW_S = 5.0
_MOST_WATCHED = 20
"""Namespaces that are followed: each takes two connections."""

_EPILOG = """\
Whether what runs contains the commit is what the clone's graph says; nothing is fetched. What the clone does not have is unknown.
Projects whose spec.git.url (without it spec.repository) is no remote of the clone are left out, unless --project names one.

exit codes:
  0  live everywhere: every running task of every service contains it
  1  not; with --watch: nor was it within --timeout; also an error
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    parser.add_argument(
        "commit", metavar="HASH|BRANCH", nargs="?", default="HEAD", help="The commit; without it the one that is checked out"
    )
    parser.add_argument("--repo", default="", metavar="DIR", help="Your clone of the repository; without it the current folder")
    flags.add_project(parser)
    parser.add_argument("--environment", action="append", metavar="NAME", help="Only this Environment; may be given several times")
    parser.add_argument("--service", action="append", metavar="NAME", help="Only this service; may be given several times")
    parser.add_argument("-w", "--watch", action="store_true", help="Follow it until it is live everywhere")
    parser.add_argument(
        "--timeout", type=parse_duration, default=1800.0, metavar="DURATION", help="With --watch: how long at most (30m); 0: for ever"
    )
    flags.add_output(parser, formats=("wide", "json", "yaml"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print where the commit is; the exit code says whether it is live everywhere."""
    clone = Clone(arguments.repo)
    clone.check()
    commit = clone.named(arguments.commit)
    choice = _chosen(session, clone, arguments.project)
    for note in choice.notes:
        session.out.note(note)
    if not choice.projects:
        raise NotFound(_no_project(session, arguments.project))
    wanted = cluster_state.selections(_namespaces(session, choice, arguments), arguments.project)
    search = _Search(session, arguments, choice, CloneGraph(clone, commit.hash), cluster_state.read(session.api, wanted))
    if search.state.refused:
        session.out.note(f"warning: how old this is cannot be told: {search.state.refused}")
    found = _watch(search) if arguments.watch else search.table()
    _print(search, found, commit)
    return 0 if found.is_live_everywhere else 1


@dataclass
class _Search:
    """What is looked for, and what is known of the cluster."""

    session: Session
    arguments: argparse.Namespace
    choice: Choice
    graph: CloneGraph
    state: ClusterState

    def table(self) -> PresenceTable:
        """Ask the graph about all that the cluster mentions, and arrange the answers. Raises CommandError."""
        keys = set(self.choice.projects)
        bodies = [o for objects in self.state.objects.values() for o in objects if "projectRef" in o["spec"]]
        self.graph.learn({h for o in bodies if cluster_state.project_of(o) in keys for h in mentioned(o)})
        found = table.build(
            cluster_state.releases(self.state, keys),
            cluster_state.sets(self.state, keys),
            self.choice.projects,
            self.state.unobserved(self.session.now()),
            self.graph,
        )
        return table.narrowed(found, self.arguments.environment, self.arguments.service)


def _chosen(session: Session, clone: Clone, only: str | None) -> Choice:
    """Choose the Projects. Raises CommandError if they may not be read, and none is named."""
    try:
        listed = [Project.model_validate(p) for p in session.api.list(PROJECT, session.scope)]
    except Denied as refusal:
        raise CommandError(f"which Projects are built from this clone cannot be told: {refusal}") from refusal
    return choose(listed, clone.remotes(), only)


def _no_project(session: Session, only: str | None) -> str:
    where = "in any namespace" if session.all_namespaces else f"in namespace {session.namespace!r}; -A looks into all"
    return f"there is no Project {only!r} {where}" if only else f"no Project is built from this clone {where}, and --project names one"


def _namespaces(session: Session, choice: Choice, arguments: argparse.Namespace) -> list[str]:
    """Return the namespaces to read: with -A those of the Projects, as a watch needs them one by one."""
    found = sorted({namespace for namespace, _ in choice.projects}) if session.all_namespaces else [session.namespace]
    if len(found) <= _MOST_WATCHED:
        return found
    if arguments.watch:
        raise CommandError(f"the Projects are in {len(found)} namespaces, and {_MOST_WATCHED} can be watched: choose with -n or --project")
    return [""]


def _watch(search: _Search) -> PresenceTable:
    """Show updates until the commit is live everywhere, or the timeout. Returns the last table."""
    session, arguments = search.session, search.arguments
    quiet = arguments.output in ("json", "yaml")
    if session.out.on_terminal and not quiet:
        with Live(console=session.out.console, auto_refresh=False) as live:

            def draw(_: PresenceTable | None, now: PresenceTable) -> None:
                head, rows = _rows(search, now)
                shown = lines([] if arguments.no_headers else head, rows, coloured=session.out.coloured)
                live.update(Text.from_ansi("\n".join(shown)), refresh=True)

            return _follow(search, draw)

    def print_changes(before: PresenceTable | None, now: PresenceTable) -> None:
        for line in () if quiet else rendering.changes(before, now, session.now()):
            session.out.write_line(line)
        session.out.flush()

    return _follow(search, print_changes)


def _follow(search: _Search, show: Callable[[PresenceTable | None, PresenceTable], None]) -> PresenceTable:
    timeout_s = search.arguments.timeout
    deadline = time.monotonic() + timeout_s if timeout_s else float("inf")
    current = search.table()
    show(None, current)
    if current.is_live_everywhere:
        return current
    with Informer(search.session.api, search.state.selections) as informer:
        while (left_s := deadline - time.monotonic()) > 0 and not current.is_live_everywhere:
            for update in informer.next(min(left_s, _REDRAW_S)):
                if update.connection_error:
                    search.session.out.note(f"warning: {update.connection_error}")
                else:
                    search.state.objects[update.selection] = list(update.objects.values())
            before, current = current, search.table()
            show(before, current)
    return current


def _print(search: _Search, found: PresenceTable, commit: NamedCommit) -> None:
    out, arguments = search.session.out, search.arguments
    if arguments.output in ("json", "yaml"):
        out.data(rendering.data(found, commit, arguments.commit, search.session.now()), arguments.output)
        return
    if not (arguments.watch and out.on_terminal) and found.rows:
        head, rows = _rows(search, found)
        out.rows(head, rows, no_headers=arguments.no_headers)
    for line in rendering.details(found):
        out.note(line)
    named = "" if arguments.commit == commit.hash else f" ({arguments.commit})"
    out.note(f"commit {commit.hash[:12]}{named} {commit.subject}: {rendering.summary(found)}")
    if arguments.watch and not found.is_live_everywhere:
        out.note(f"error: it is not live everywhere after {age(arguments.timeout)}")


def _rows(search: _Search, found: PresenceTable) -> tuple[list[str], list[Row]]:
    session = search.session
    return rendering.rows(found, session.now(), wide=search.arguments.output == "wide", namespaces=session.all_namespaces)
