"""Manifests that the plugin writes and changes."""
