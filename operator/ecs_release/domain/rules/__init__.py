"""The rules of a decision about a Release, one module for each situation that it may be in.

Begin with `new_attempt` (may one begin), `open_attempt` (one is under way) and `at_rest` (nothing is to be done). A rule returns an
outcome, or what it has changed in the draft, or None if it does not apply; `release.decide` holds the order.
"""
