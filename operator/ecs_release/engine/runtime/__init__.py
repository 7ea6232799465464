"""The engine's infrastructure, independent of Releases: the work queue, settings, ids, and the protocol that metrics implement.

Begin with `work_queue`.
"""
