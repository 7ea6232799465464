"""Decisions about a ReleaseSet: which of its children are written when, and how it stands."""
