"""One pass over a Release: gather, decide, act, report.

Begin with `reconciler` (the pass) and `gatherer` (everything that it reads). The decision itself is `domain.release.decide`.
"""
