"""Ports on 127.0.0.1 that stay ours, also between the stop of a server and its next start.

They are taken below the range that the kernel gives to outgoing connections, and each is locked by a file for as long as this process
lives or until it is given back: so two test runs side by side never pick the same one.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from io import TextIOWrapper
from pathlib import Path

# Linux hands out 32768 to 60999 by itself (ip(7), ip_local_port_range).
_RANGE = range(20000, 32000)
_locks: dict[int, TextIOWrapper] = {}


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody uses, ours until `release_port` or our end. Raises RuntimeError where all are taken."""
    folder = Path(tempfile.gettempdir()) / f"ecs-release-operator-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in _locks and _lock(folder, port):
            return port
    raise RuntimeError(f"no port free from {_RANGE.start} to {_RANGE.stop - 1} on 127.0.0.1")


def release_port(port: int) -> None:
    """Give a port back."""
    lock = _locks.pop(port, None)
    if lock is not None:
        lock.close()


def _lock(folder: Path, port: int) -> bool:
    lock = (folder / str(port)).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as sock:
            # As servers do: connections of a former one that linger do not matter.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    _locks[port] = lock
    return True
