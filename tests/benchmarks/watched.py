"""What the API server tells of a kind's objects while a benchmark runs: every write is one event, at the moment that a user would see it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes import watch
from urllib3.exceptions import ProtocolError

from tests.e2e.bed import GROUP, VERSION


@dataclass
class Watched:
    """Writes by object, and when something was seen first."""

    writes: Counter[str] = field(default_factory=Counter)
    latest: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        name = event["object"]["metadata"]["name"]
        with self.changed:
            self.writes[name] += 1
            self.latest[name] = (time.monotonic(), event["object"])
            self.changed.notify_all()

    def until(self, name: str, there: Callable[[dict[str, Any]], bool], deadline_s: float) -> float:
        """Wait until an object is as wanted; returns when it was seen so. Raises TimeoutError."""
        end = time.monotonic() + deadline_s
        with self.changed:
            while name not in self.latest or not there(self.latest[name][1]):
                if not self.changed.wait(max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"waited {deadline_s:.0f} s for {name}")
            return self.latest[name][0]


@contextmanager
def watched(api: Any, plural: str, namespace: str = "") -> Iterator[Watched]:
    """Watch until the end of the block."""
    found, stream, stop = Watched(), watch.Watch(), threading.Event()
    lister, where = (api.list_namespaced_custom_object, (namespace,)) if namespace else (api.list_cluster_custom_object, ())
    begun = lister(GROUP, VERSION, *where, plural, limit=1)["metadata"]["resourceVersion"]

    def follow() -> None:
        try:
            for event in stream.stream(lister, GROUP, VERSION, *where, plural, resource_version=begun, timeout_seconds=3600):
                found.take(event)
        except ProtocolError:
            # The connection is closed at the end of the block.
            if not stop.is_set():
                raise

    threading.Thread(target=follow, daemon=True, name=f"watch {plural}").start()
    try:
        yield found
    finally:
        stop.set()
        stream.stop()
