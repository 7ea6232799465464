"""kopf, used for the watch only, and the HTTP endpoints for probes and metrics. The only importer of kopf.

Begin with `watch_thread`, which runs kopf, and `event_handlers`, which hands each event on.
"""
