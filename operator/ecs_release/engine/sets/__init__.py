"""One pass over a ReleaseSet: gather, decide, write the status, then its children.

Begin with `reconciler`. The decision itself is `domain.sets.decide`.
"""
