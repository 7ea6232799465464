"""Metrics for Prometheus: the only importer of its client."""
