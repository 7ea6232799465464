"""Sending what happened to sinks: when something is sent, and when again, whatever the sink is.

Begin with `sender`. What is sent, and in which order, are `engine.ledger`'s and `engine.notifications`' affairs.
"""
