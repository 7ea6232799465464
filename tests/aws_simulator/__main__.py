"""`python -m tests.aws_simulator --port PORT` serves the simulated AWS until it is stopped; prints its endpoint when ready."""

from __future__ import annotations

import argparse
import os
import signal
import threading


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="tests.aws_simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on; 0.0.0.0 in a pod")
    parser.add_argument("--time-scale", type=float, default=30.0, help="AWS's durations are divided by this")
    parser.add_argument("--seed", type=int, default=1, help="seed of ids")
    options = parser.parse_args()
    # moto must neither call real AWS nor need credentials.
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "simulator")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "simulator")
    from tests.aws_simulator.server import make, serve

    server = make(options.port, options.time_scale, options.seed, options.host)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"http://{options.host}:{server.server_port}", flush=True)
    serve(server)


if __name__ == "__main__":
    main()
