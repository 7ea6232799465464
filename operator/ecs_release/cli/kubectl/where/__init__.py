"""`where`: which Projects are built from the user's clone, what its graph says, and the table of where a commit is.

Where it is, is decided in `domain.presence`. Begin with `projects` and `rendering`.
"""
