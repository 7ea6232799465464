"""`suspend`: start nothing new, and show what would be done."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.changes import suspension

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    suspension.configure(parser)
    suspension.configure_end(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Set `spec.suspend` and `spec.suspension`."""
    return suspension.suspend(session, arguments)
