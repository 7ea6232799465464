"""`diff`: what two environments run, or what is wanted and what runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, LABEL_RELEASE_SET, PROJECT, RELEASE, RELEASE_SET
from ecs_release.cli.kubectl.board import comparison
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.client.aws_reader import AwsReader
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.own_clone import commit_ranges
from ecs_release.cli.kubectl.own_clone.commit_ranges import CommitRanges
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied, NotFound
from ecs_release.pages.comparison.differences import Difference
from ecs_release.pages.observation import sweep_of, why_unobserved

_EPILOG = """\
  diff A B    what runs in Environment A, and in Environment B (in the namespace; -A: in all)
  diff NAME   what a ReleaseSet or Release runs, and what it wants

examples:
  kubectl ecs-release diff staging production --project shop
  kubectl ecs-release diff releaseset/storefront-production
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    parser.add_argument("first", metavar="A|NAME", help="An Environment; or releaseset/x, release/x, x")
    parser.add_argument("second", metavar="B", nargs="?", help="Another Environment")
    flags.add_project(parser)
    parser.add_argument("--all", action="store_true", help="What is equal, too")
    parser.add_argument("--task-definitions", action="store_true", help="Compare the running revisions field by field (asks AWS)")
    flags.add_role(parser)
    flags.add_repo(parser)
    flags.add_output(parser, formats=("wide", "json", "yaml"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the differences. Exit code 0 whether there are any or not."""
    places = [arguments.first, arguments.second] if arguments.second else []
    found = _environments(session, places, arguments.project) if places else _wanted(session, arguments.first)
    shown = found if arguments.all else [d for d in found if not d.is_same]
    if arguments.output in ("json", "yaml"):
        session.out.data(comparison.data(shown), arguments.output)
        return 0
    if shown:
        first, second = places or ("RUNS", "WANTED")
        head = [*(["NAMESPACE"] if session.all_namespaces else []), "PROJECT", "SERVICE", first, "", second, "COMPARE"]
        rows = comparison.rows(shown, wide=arguments.output == "wide", namespaces=session.all_namespaces)
        session.out.rows(head, rows, no_headers=arguments.no_headers)
    session.out.note(comparison.summary(found))
    # Of a side where nothing runs the hash is what ran last.
    _list_commits(session, arguments, [d for d in shown if d.differs])
    if arguments.task_definitions:
        if not places:
            raise CommandError("--task-definitions compares two Environments: name both")
        _print_fields(session, arguments, found)
    return 0


def _list_commits(session: Session, arguments: argparse.Namespace, shown: Sequence[Difference]) -> None:
    """List the commits between, from the user's own clone: what the first Environment has and the second has not, or what is wanted."""
    ahead, behind = (arguments.first, arguments.second) if arguments.second else ("what is wanted", "what runs")
    sides = [(d.after, d.before) if arguments.second else (d.before, d.after) for d in shown]
    pairs = commit_ranges.by_pair([(d.service, a.hash, b.hash) for d, (a, b) in zip(shown, sides, strict=True)])
    commit_ranges.write(session.out, CommitRanges(arguments.repo), pairs, session.now(), f"from {behind} to {ahead}")


def _environments(session: Session, places: Sequence[str], project: str | None) -> list[Difference]:
    """Compare what runs in two Environments."""
    sides, unobserved = [], set[str]()
    for place in places:
        selector = f"spec.environmentRef.name={place}" + (f",spec.projectRef.name={project}" if project else "")
        sides.append(session.api.list(RELEASE, session.scope, fields=selector))
        if not _is_observed(session, place, has_releases=bool(sides[-1])):
            unobserved.add(place)
    return comparison.environments(sides[0], sides[1], _repositories(session, [*sides[0], *sides[1]]), unobserved)


def _is_observed(session: Session, name: str, *, has_releases: bool) -> bool:
    """Return whether it is known what runs in an Environment now; a note says why not. Raises NotFound if nothing is known of it."""
    try:
        sweep = sweep_of(Environment.model_validate(session.api.get(ENVIRONMENT, name)))
    except NotFound as error:
        if not has_releases:
            raise NotFound(f"there is no Environment {name!r}: see kubectl get environments") from error
        sweep = None
    except Denied as refusal:
        nothing = "" if has_releases else f"no Releases go to {name!r}, and whether there is such an Environment you may not know; "
        session.out.note(f"warning: {nothing}how old this is cannot be told: {refusal}")
        return True
    why = why_unobserved(sweep, name, session.now())
    if why and has_releases:
        session.out.note(f"warning: {name}: {why}")
    return not why


def _wanted(session: Session, name: str) -> list[Difference]:
    """Compare what runs with what is wanted."""
    body = resolve(session, name)
    releases = [body]
    if body["kind"] == RELEASE_SET:
        releases = session.api.list(RELEASE, session.namespace, labels=f"{LABEL_RELEASE_SET}={body['metadata']['name']}")
    place = body["spec"]["environmentRef"]["name"]
    unobserved = () if _is_observed(session, place, has_releases=True) else (place,)
    return comparison.wanted(releases, _repositories(session, releases), unobserved)


def _repositories(session: Session, releases: Sequence[Object]) -> dict[tuple[str, str], str]:
    """Return the code repositories of the Projects."""
    found = {}
    for namespace in {r["metadata"]["namespace"] for r in releases}:
        for body in session.api.list(PROJECT, namespace):
            found[namespace, body["metadata"]["name"]] = str(body["spec"].get("repository") or "")
    return found


def _print_fields(session: Session, arguments: argparse.Namespace, found: Sequence[Difference]) -> None:
    """Compare the running revisions, service by service."""
    first, second = (Environment.model_validate(session.api.get(ENVIRONMENT, n)) for n in (arguments.first, arguments.second))
    aws = AwsReader(session, through_roles=arguments.assume_roles)
    for one in found:
        if not one.before.revision or not one.after.revision:
            continue
        before = aws.task_definition(first, one.before.revision)
        after = aws.task_definition(second, one.after.revision)
        if isinstance(before, str) or isinstance(after, str):
            continue
        rows = comparison.fields(before.content, after.content)
        session.out.write_line(f"\n{one.service}: {before.family}:{before.revision} and {after.family}:{after.revision}")
        session.out.rows(["FIELD", arguments.first, arguments.second], rows or [["nothing differs"]], no_headers=not rows)
    for note in aws.notes:
        session.out.note(f"warning: task definitions could not be read: {note}")
