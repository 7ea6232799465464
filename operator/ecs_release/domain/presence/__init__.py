"""Where a commit is: what runs in each environment, and whether that contains it.

Begin with `presence`. What contains what is asked of a graph that the caller has: the plugin asks the user's own clone.
"""
