"""kopf's settings. Each was measured, or has a harmful default; a test pins them."""

from __future__ import annotations

from collections.abc import Iterable

import kopf

from ecs_release.api.names import GROUP


class _NothingHandled(kopf.DiffBaseStorage):
    """Disables kopf's comparison of each object with its last handled state: no handler needs it."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[object] | None = None) -> kopf.BodyEssence:
        """Return an empty essence: copying each object took more than half of kopf's time."""
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
    # Saves 87 MB at 5,000 objects: an unpaged LIST, and idle workers that keep an object's body for five seconds each. The size of a page
    # is set by `watch_session`, which bounds its bytes, too.
    settings.watching.chunk_size = 250
    settings.queueing.idle_timeout = 0.1
    # With a limit, idle workers would block busy ones.
    settings.queueing.worker_limit = None
    # Bookmarks come every minute: a connection without data for longer is dead.
    settings.watching.inactivity_timeout = 70
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    # Otherwise kopf, when its watch breaks, sends SIGKILL to the whole process after that time. The supervisor watches again instead,
    # and `run_watch` has its own deadline for the end.
    settings.process.ultimate_exiting_timeout = None
    # Not used, because no handler needs them; set so that kopf's own names never appear by accident.
    settings.persistence.finalizer = f"{GROUP}/operator"
    settings.persistence.diffbase_storage = _NothingHandled()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    return settings
