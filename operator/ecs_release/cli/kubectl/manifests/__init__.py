"""Manifests that promote and rollback write: to stdout, into a file whose other lines stay, or to the cluster.

Begin with `manifest_writer`.
"""
