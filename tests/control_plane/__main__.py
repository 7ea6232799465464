"""`python -m tests.control_plane up DIR [--audit]` runs a control plane until it is stopped; `... build` only builds the programs."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.control_plane.build import BuildError, binaries
from tests.control_plane.control_plane import control_plane


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="tests.control_plane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the programs and end")
    up = commands.add_parser("up", help="run a control plane until stopped; prints the KUBECONFIG's path when ready")
    up.add_argument("folder", type=Path)
    up.add_argument("--audit", action="store_true", help="keep an audit log in the folder")
    options = parser.parse_args()
    try:
        if options.command == "build":
            print(binaries().folder)
            return 0
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with control_plane(options.folder.absolute(), audit=options.audit) as cluster:
            print(cluster.kubeconfig, flush=True)
            stop.wait()
    except BuildError as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
