"""`completion`: prints the program that kubectl runs for candidates, if it was not installed with the plugin."""

from __future__ import annotations

import argparse

from ecs_release.cli.kubectl.client.session import Session

_SCRIPT = """\
#!/bin/sh
# kubectl runs this when the tab key is pressed after `kubectl ecs-release`.
exec kubectl-ecs_release __complete "$@"
"""
_EPILOG = """\
kubectl 1.26 and newer completes plugins, where its own completion is set up (kubectl completion --help) and a program
kubectl_complete-ecs_release is on PATH. pip and pipx install it with the plugin. Otherwise:

  kubectl ecs-release completion > ~/.local/bin/kubectl_complete-ecs_release
  chmod +x ~/.local/bin/kubectl_complete-ecs_release
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no flags of its own."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the program."""
    session.out.write_text(_SCRIPT)
    return 0
