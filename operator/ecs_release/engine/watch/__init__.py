"""Keeping the watch alive, and checking access to the watched namespaces.

Begin with `supervisor`. kopf itself is in `handlers`.
"""
