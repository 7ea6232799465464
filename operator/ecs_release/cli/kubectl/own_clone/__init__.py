"""The user's own clone of a git repository: its commits, its remotes, and which commits contain which.

Begin with `clone`. Nothing here fetches, and nothing runs hooks or pagers: what the clone lacks is said to be missing.
"""
