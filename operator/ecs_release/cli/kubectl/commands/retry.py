"""`retry`: try a failure again that is held."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.cli.kubectl.changes import request_annotations as requests

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

REQUEST = requests.Request("retry", RETRY_ANNOTATION, "lastHandledRetry")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    requests.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Ask for it."""
    return requests.run(session, arguments, REQUEST)
