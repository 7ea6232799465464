"""`board`: services × environments, what runs in each."""

from __future__ import annotations

import argparse

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.cli.kubectl.board import matrix_table
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.terminal import sorting
from ecs_release.cli.kubectl.terminal.errors import Denied
from ecs_release.pages import matrix

_EPILOG = """\
A cell is what runs, by digest. Beside it stands what is not as it should be: what is wanted, and the phase.
? marks what was not observed lately, in three sweeps or three minutes, or what the operator does not look at: it may no longer be so.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    flags.add_project(parser)
    flags.add_selector(parser)
    flags.add_sort(parser, "a Release's, such as .metadata.creationTimestamp; of a line that comes first")
    flags.add_output(parser, formats=("wide", "json", "yaml", "html"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the board."""
    selector = f"spec.projectRef.name={arguments.project}" if arguments.project else ""
    releases = session.api.list(RELEASE, session.scope, labels=arguments.selector, fields=selector)
    shown = matrix.build(releases, _environments(session), session.now())
    if arguments.sort_by:
        shown = matrix.in_order(shown, sorting.sort_by(arguments.sort_by, releases))
    if arguments.output == "html":
        from ecs_release.pages import matrix_page

        session.out.write_text(matrix_page.whole(shown))
    elif arguments.output in ("json", "yaml"):
        session.out.data(matrix.data(shown), arguments.output)
    elif not shown.rows:
        where = "in any namespace" if session.all_namespaces else f"in namespace {session.namespace!r}; -A looks into all"
        labelled = f" with labels {arguments.selector}" if arguments.selector else ""
        session.out.note(f"No Releases {where}{labelled}.")
    else:
        head, rows = matrix_table.rows(shown, wide=arguments.output == "wide", namespaces=session.all_namespaces)
        session.out.rows(head, rows, no_headers=arguments.no_headers)
    return 0


def _environments(session: Session) -> list[Object] | None:
    """Read the Environments; None if the user may not."""
    try:
        return session.api.list(ENVIRONMENT)
    except Denied as refusal:
        session.out.note(f"warning: how old this is cannot be told: {refusal}")
        return None
