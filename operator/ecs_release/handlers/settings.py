"""kopf's settings. Each was measured or is a trap by default; a test pins them."""

from __future__ import annotations

from collections.abc import Iterable

import kopf

from ecs_release.api.names import GROUP


class _NothingHandled(kopf.DiffBaseStorage):
    """kopf compares each object with a copy of what it last handled, for handlers of changes: there are none."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[object] | None = None) -> kopf.BodyEssence:
        """Return an empty essence: to copy each object took more than half of the time that kopf needs for it."""
        del body, extra_fields
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return nothing."""
        del body
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def operator_settings() -> kopf.OperatorSettings:
    """Return the settings of the watch."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    # 87 MB less at 5,000 objects: an unpaged LIST and one idle worker an object, each holding its body for five seconds.
    settings.watching.chunk_size = 250
    settings.queueing.idle_timeout = 0.1
    # A limit starves: idle workers keep their places.
    settings.queueing.worker_limit = None
    # Bookmarks come every minute: a connection that is silent for longer is dead, whatever TCP thinks.
    settings.watching.inactivity_timeout = 70
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    # Otherwise kopf, when its watch breaks, sends SIGKILL to the whole process after that time. The supervisor watches again instead,
    # and `run_watch` has its own deadline for the end.
    settings.process.ultimate_exiting_timeout = None
    # Never used, for nothing registers a handler that needs them; never kopf's own names by accident.
    settings.persistence.finalizer = f"{GROUP}/operator"
    settings.persistence.diffbase_storage = _NothingHandled()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    return settings
