"""Decisions without I/O, clock, log or randomness: what should happen next, given what is wanted and what was seen.

Begin with `release.decide`: it takes `decision.facts` and returns `decision.decision`. The wings import one way, from `sets` and
`notifications` at the top down to `model`; import-linter enforces the order, and docs/explanation/architecture.md explains it. Reading
from Kubernetes or AWS belongs in `engine`, the calls themselves in `cluster` and `aws`.
"""
