"""`version`: which plugin this is."""

from __future__ import annotations

import argparse

from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no flags of its own."""


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the version. No cluster is asked."""
    session.out.say(f"kubectl ecs-release {session.version}")
    return 0
