"""`abort`: end the attempt that is under way."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ecs_release.api.names import ABORT_ANNOTATION
from ecs_release.cli.kubectl.changes import request_annotations

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

REQUEST = request_annotations.Request("abort", ABORT_ANNOTATION, "lastHandledAbort")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    request_annotations.configure(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Send the request."""
    return request_annotations.run(session, arguments, REQUEST)
