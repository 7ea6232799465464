"""`status`: one Release or ReleaseSet as a tree, once or watched, its readiness, and the exit code.

Begin with `snapshot` and `tree`.
"""
