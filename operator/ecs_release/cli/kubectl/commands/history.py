"""`history`: what was deployed before; the last ten attempts from status, or all of them from the ledger."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.history import history_rows, ledger_reader
from ecs_release.cli.kubectl.history.ledger_reader import Query
from ecs_release.cli.kubectl.own_clone import commit_ranges
from ecs_release.cli.kubectl.own_clone.commit_ranges import CommitRanges
from ecs_release.cli.kubectl.terminal import sorting
from ecs_release.cli.kubectl.terminal.durations import parse_time
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.pages.attempts import Entry, join_attempts
from ecs_release.pages.matrix import short

_EPILOG = """\
Without NAME the ledger is asked: by --project, --person, --number (of --project), --since and --until; times are RFC 3339, dates, or
how long ago (7d, 12h). It is read with your own AWS credentials.

examples:
  kubectl ecs-release history releaseset/storefront-staging
  kubectl ecs-release history release/web --all
  kubectl ecs-release history --person ben --since 30d
  kubectl ecs-release history --project shop --number 42
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    parser.add_argument("name", nargs="?", metavar="NAME", help="releaseset/x, release/x, or x")
    parser.add_argument("--all", action="store_true", help="Everything that the ledger has, not the last ten of status")
    flags.add_project(parser)
    parser.add_argument("--person", metavar="NAME", help="What somebody asked for, applied or deployed by hand")
    parser.add_argument("--environment", metavar="NAME", help="Only this Environment")
    parser.add_argument("--number", type=int, metavar="N", help="Release number N of --project")
    parser.add_argument("--since", type=_time, metavar="TIME", help="From then on")
    parser.add_argument("--until", type=_time, metavar="TIME", help="Until then")
    parser.add_argument(
        "--ledger-table", metavar="NAME|ARN", help=f"The ledger's table; else {ledger_reader.SETTING}, else what Environments say"
    )
    flags.add_sort(parser, "an attempt's, such as .outcome")
    flags.add_repo(parser)
    flags.add_output(parser, formats=("wide", "json", "yaml"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the history."""
    entries = _entries(session, arguments)
    if arguments.sort_by:
        entries = sorting.sort_by(arguments.sort_by, entries)
    if arguments.output in ("json", "yaml"):
        session.out.data(entries, arguments.output)
        return 0
    if not entries:
        session.out.note("Nothing was deployed here yet." if arguments.name else "The ledger has nothing of it.")
        return 0
    head, rows = history_rows.table(entries, session.now(), wide=arguments.output == "wide")
    session.out.rows(head, rows, no_headers=arguments.no_headers)
    if arguments.output == "wide":
        _list_commits(session, entries, arguments.repo)
    return 0


def _list_commits(session: Session, entries: Sequence[Entry], repo: str) -> None:
    """List the commits that attempts have brought, from the user's own clone; each list once."""
    brought = {(b.before, b.after): b for entry in entries if (b := history_rows.brought_by(entry)) and b.before and b.after}
    ranges, missing = CommitRanges(repo), 0
    for (before, after), commits in brought.items():
        found = ranges.between(before, after)
        if found is None:
            missing += 1
            continue
        session.out.write_line(f"\n{short(before)} to {short(after)}: {commit_ranges.recorded(commits, session.now())}")
        for line in commit_ranges.listed(found):
            session.out.write_line(line)
    if missing:
        session.out.note(f"The commits of {missing} attempts are not in a clone here: git fetch, or name your clone with --repo.")


def _entries(session: Session, arguments: argparse.Namespace) -> list[Entry]:
    if not arguments.name:
        return join_attempts(_asked(session, arguments))
    body = resolve(session, arguments.name)
    narrowed = [arguments.person, arguments.number, arguments.since, arguments.until, arguments.ledger_table]
    if not arguments.all and not any(narrowed):
        return list((body.get("status") or {}).get("history") or ())
    return join_attempts(_of_object(session, arguments, body))


def _asked(session: Session, arguments: argparse.Namespace) -> list[LedgerEntry]:
    """Query the ledger without an object."""
    if not any((arguments.person, arguments.number, arguments.since, arguments.project, arguments.environment, arguments.all)):
        raise CommandError("name a ReleaseSet or Release, or say what of the ledger you want: --project, --person, --since, ...")
    if arguments.number is not None and not arguments.project:
        raise CommandError("release numbers are those of a Project: add --project")
    by_project = bool(arguments.project)
    query = Query(
        namespace=session.namespace if by_project and not session.all_namespaces else "",
        project=arguments.project or "",
        environment=arguments.environment or "",
        person=arguments.person or "",
        number=arguments.number,
        since=arguments.since,
        until=arguments.until,
    )
    return ledger_reader.open_ledger(session, arguments.ledger_table, query.environment).query(query)


def _of_object(session: Session, arguments: argparse.Namespace, body: Object) -> list[LedgerEntry]:
    """Query the ledger for a Release's service, or for the services of a set while they were part of it."""
    spec, meta = body["spec"], body["metadata"]
    environment = spec["environmentRef"]["name"]
    opened = ledger_reader.open_ledger(session, arguments.ledger_table, environment)
    found: list[LedgerEntry] = []
    for service in _services(body):
        query = Query(
            meta["namespace"], spec["projectRef"]["name"], service, environment, arguments.person or "", arguments.number,
            arguments.since, arguments.until,
        )  # fmt: skip
        found += opened.query(query)
    if body["kind"] == RELEASE_SET:
        # Attempts before the service was in the set, or by another Release, are not the set's history.
        found = [entry for entry in found if entry.release_set == meta["name"]]
    return found


def _services(body: Object) -> list[str]:
    if body["kind"] == RELEASE:
        return [str(body["spec"]["service"])]
    return [str(s["name"]) for s in (body.get("status") or {}).get("services") or ()]


def _time(text: str) -> datetime:
    return parse_time(text, datetime.now(UTC))
