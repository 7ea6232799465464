"""`version`: the plugin's version."""

from __future__ import annotations

import argparse

from ecs_release.cli.kubectl.client.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no flags of its own."""


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the version, without a cluster."""
    session.out.write_line(f"kubectl ecs-release {session.version}")
    return 0
