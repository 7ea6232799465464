"""Metrics for Prometheus. The only importer of its client.

Begin with `registry`; `outcomes` counts what happens, `state` shows the snapshot of `engine.metrics_state`.
"""
