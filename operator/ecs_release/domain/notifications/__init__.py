"""What happened to a Release or a ReleaseSet, by its status.

Begin with `notifications`, which makes what sinks are sent, and `transitions`, which finds what metrics count between two statuses.
Sending is in `engine.notifications`.
"""
