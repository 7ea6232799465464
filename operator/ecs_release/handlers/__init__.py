"""kopf as the watch, and nothing else: what is watched, its settings, probes. The only importer of kopf."""
