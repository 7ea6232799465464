"""Commits: which of them is where, commits down and environments across.

Begin with `places`, which asks `domain.presence` about each commit; `filters` is what the address says, and `page` makes HTML and JSON.
"""
