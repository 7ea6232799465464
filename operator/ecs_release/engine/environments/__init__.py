"""Environments: which of them this process observes, and the status of Environments and Projects.

Begin with `observer_pool` and `status_writer`.
"""
