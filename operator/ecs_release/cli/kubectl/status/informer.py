"""Lists and watches objects, each selection in a thread of its own; lost connections are reopened."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from queue import Empty, Queue

from ecs_release.cli.kubectl.client.api_server import Api, Object, path_of
from ecs_release.cli.kubectl.terminal.errors import CommandError, Gone, Unreachable

# The server ends a watch after this time, and the next begins: so a connection that broke silently is noticed.
_WATCH_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_QUEUE = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of a kind. `optional`: a user who may not read them gets none, not an error."""

    kind: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """All objects of a selection by name; or why they cannot be read: for now (`connection_error`), or at all (`error`)."""

    selection: Selection
    objects: dict[str, Object] = field(default_factory=dict)
    connection_error: str = ""
    error: CommandError | None = None


class Informer:
    """Lists and watches selections, as client-go's informers do, until the context ends. Used by one thread."""

    def __init__(self, api: Api, selections: list[Selection]) -> None:
        """Nothing is read before the context is entered."""
        self._api = api
        self._selections = selections
        self._queue: Queue[Update] = Queue(_QUEUE)
        self._over = threading.Event()

    def __enter__(self) -> Informer:
        """Start a thread for each selection."""
        for selection in self._selections:
            threading.Thread(target=self._follow, args=[selection], name=f"watch {selection.kind}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads; one that waits for the server ends with the process."""
        self._over.set()

    def next(self, timeout_s: float) -> list[Update]:
        """Wait at most `timeout_s` for updates and return the newest of each selection. Raises CommandError."""
        found: dict[Selection, Update] = {}
        try:
            update = self._queue.get(timeout=max(0.0, timeout_s))
            while True:
                if update.error is not None:
                    raise update.error
                found[update.selection] = update
                update = self._queue.get_nowait()
        except Empty:
            return list(found.values())

    def _follow(self, selection: Selection) -> None:
        """List and watch, over and over."""
        path = path_of(selection.kind, selection.namespace)
        objects: dict[str, Object] = {}
        version, pause_s = "", _FIRST_PAUSE_S
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                if not version:
                    listed, version = self._api.list_at(path, labels=selection.labels, fields=selection.fields)
                    objects = {o["metadata"]["name"]: o for o in listed}
                    self._queue.put(Update(selection, dict(objects)))
                for event in self._api.watch(path, version, _WATCH_S, labels=selection.labels, fields=selection.fields):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        _take(objects, event)
                        self._queue.put(Update(selection, dict(objects)))
                    pause_s = _FIRST_PAUSE_S
            except Gone:
                version = ""
            except Unreachable as error:
                self._queue.put(Update(selection, dict(objects), connection_error=str(error)))
            except CommandError as error:
                self._queue.put(Update(selection, error=None if selection.optional else error))
                return
            if time.monotonic() - begun < 1.0:
                # It ended at once: do not hammer a server that shuts down, or a proxy that does not support watches.
                self._over.wait(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def _take(objects: dict[str, Object], event: Object) -> None:
    name = event["object"]["metadata"]["name"]
    if event["type"] == "DELETED":
        objects.pop(name, None)
    else:
        objects[name] = event["object"]
