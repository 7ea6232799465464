"""The decision about a ReleaseSet: which of its child Releases are written when, and its conditions.

Begin with `decide`. A child is a Release like any other, decided in `release`; the set reads its status and writes its spec,
and changes nothing in AWS. Resolving the artifacts of its services is in `engine.sets`.
"""
