"""`resume`: go on after a suspension."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.changes import suspension as suspending

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    suspending.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Do it."""
    return suspending.run(session, arguments, "resume", suspend=False)
