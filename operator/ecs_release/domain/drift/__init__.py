"""Drift: what runs that this Release did not deploy, and base revisions that somebody else has registered.

Begin with `drift`. What is done about it, once an attempt is due, is in `rules.new_attempt`.
"""
