"""kopf's settings. Each was measured or is a trap by default; a test pins them."""

from __future__ import annotations

import kopf

from ecs_release.api.names import GROUP


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
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.process.ultimate_exiting_timeout = 25
    # Never used, for nothing registers a handler that needs them; never kopf's own names by accident.
    settings.persistence.finalizer = f"{GROUP}/operator"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    return settings
