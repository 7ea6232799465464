"""`python -m tests.playground` starts the bed in the background and says how to use it; `... down` ends it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

from tests.board_process import BoardProcess
from tests.control_plane.build import binaries
from tests.demo.bed import EXAMPLES, ROOT, demo_bed
from tests.playground import by_hand

FOLDER = ROOT / "build" / "playground"
_READY = FOLDER / "ready.json"
_LOG = FOLDER / "playground.log"
ENV = FOLDER / "env"
_START_S, _STOP_S = 120, 40

_HOW = """
The playground runs: a Kubernetes API server, a simulated AWS with two accounts, the operator, and the board: {board}

{variables}
The same is in a file:  . {env}

  kubectl apply -f {examples}
  kubectl get releasesets,releases -A

docs/tutorial.md leads on. To deploy by hand, as somebody else: .venv/bin/python -m tests.playground deploy reports 1a2b3c4
or assume arn:aws:iam::111122223333:role/you (staging) or arn:aws:iam::444455556666:role/you (production).
Images of release hashes 1a2b3c4, 5d6e7f8 and c0ffee1 are in ECR; bad0bad of checkout and reports crashes.
The operator's log is {log}. End it all with: make playground-down
"""


def up() -> int:
    """Start it, unless it runs already."""
    if _pid() is not None:
        print(_how())
        return 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    print("Starting the playground ...", flush=True)
    with _LOG.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.playground", "serve"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    until = time.monotonic() + _START_S
    while not _READY.exists():
        if process.poll() is not None or time.monotonic() > until:
            print(f"playground: it did not start:\n{_LOG.read_text()[-3000:]}", file=sys.stderr)
            process.kill()
            return 1
        time.sleep(0.1)
    print(_how())
    return 0


def serve() -> int:
    """Run it until it is told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with demo_bed(FOLDER) as bed, BoardProcess(bed.cluster.kubeconfig, log=FOLDER / "board.log") as board:
        facts = {"pid": os.getpid(), "kubeconfig": str(bed.cluster.kubeconfig), "endpoint": bed.aws.endpoint, "board": board.address}
        ENV.write_text(variables(str(facts["kubeconfig"]), str(facts["endpoint"])))
        part = _READY.with_suffix(".part")
        part.write_text(json.dumps(facts))
        part.rename(_READY)
        stop.wait()
    return 0


def variables(kubeconfig: str, endpoint: str) -> str:
    """Return what a shell has to know: cluster, AWS, a kubectl that fits, and its plugin."""
    return (
        f"export KUBECONFIG={kubeconfig}\n"
        f"export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n"
        f"export PATH={Path(binaries().kubectl).parent}:{ROOT / '.venv' / 'bin'}:$PATH\n"
    )


def down() -> int:
    """End it and wait until it has ended."""
    pid = _pid()
    if pid is None:
        print("The playground does not run.")
        return 0
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_S
    while _pid() is not None and time.monotonic() < until:
        time.sleep(0.1)
    if _pid() is not None:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("The playground has ended.")
    return 0


def _facts() -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(_READY.read_text()))
    return {}


def _pid() -> int | None:
    """Return the process that runs the playground; a number that another program has by now is not it."""
    pid = _facts().get("pid")
    try:
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes()
            if Path("/proc").is_dir()
            else subprocess.check_output(["ps", "-p", str(pid), "-o", "command="])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(pid) if pid and b"tests.playground" in command else None


def _how() -> str:
    facts = _facts()
    shell = textwrap.indent(variables(facts.get("kubeconfig", ""), facts.get("endpoint", "")), "  ")
    log = FOLDER / "operator.log"
    return _HOW.format(
        board=facts.get("board", ""),
        variables=shell,
        env=ENV.relative_to(ROOT),
        examples=EXAMPLES.relative_to(ROOT),
        log=log.relative_to(ROOT),
    )


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="tests.playground", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    for name in ("up", "down", "serve"):
        commands.add_parser(name)
    by_hand.add(commands.add_parser("deploy", help="deploy by hand, as somebody else"))
    arguments = parser.parse_args()
    if arguments.command == "deploy":
        return by_hand.deploy(arguments)
    return {"up": up, "down": down, "serve": serve}[arguments.command or "up"]()


if __name__ == "__main__":
    sys.exit(main())
