"""`resume`: go on after a suspension."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.cli.kubectl.changes import suspension

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    suspension.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Remove `spec.suspend` and `spec.suspension`."""
    return suspension.resume(session, arguments)
