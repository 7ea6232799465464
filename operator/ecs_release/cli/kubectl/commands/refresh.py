"""`refresh`: resolve a moving source again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.api.names import REFRESH_ANNOTATION
from ecs_release.cli.kubectl.changes import request_annotations

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

REQUEST = request_annotations.Request("refresh", REFRESH_ANNOTATION, "lastHandledRefresh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    request_annotations.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Send the request."""
    return request_annotations.run(session, arguments, REQUEST)
