"""`python -m tests.control_plane up DIR [--audit]` runs a control plane until it is stopped; `... build` only builds the programs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.control_plane.build import BuildError, binaries
from tests.control_plane.control_plane import control_plane
from tests.control_plane.kind import kind_is_there


def main() -> int:
    """Run the command. Exit code 1 where it cannot be done, 130 where it was stopped before it was ready."""
    options = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        # As Ctrl-C: what has been started is stopped on the way out, whenever it comes. SIGINT, too: a shell's background jobs ignore it.
        signal.signal(number, signal.default_int_handler)
    try:
        if options.command == "up":
            _up(options.folder, audit=options.audit)
        elif os.environ.get("KUBECONFIG_TEST") or kind_is_there():
            print("control plane: nothing to build, another cluster is used", file=sys.stderr)
        else:
            print(Path(binaries().kube_apiserver).parent)
    except (BuildError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _up(folder: Path, *, audit: bool) -> None:
    with control_plane(folder, audit=audit) as cluster:
        try:
            print(cluster.kubeconfig, flush=True)
            threading.Event().wait()
        except KeyboardInterrupt:
            # Being stopped is how it ends; a second signal must not cut the end short.
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.control_plane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the programs and end")
    up = commands.add_parser("up", help="run a control plane until stopped; prints the KUBECONFIG's path when ready")
    up.add_argument("folder", type=Path)
    up.add_argument("--audit", action="store_true", help="keep an audit log in the folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
