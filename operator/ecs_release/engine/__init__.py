"""The control loop, written against ports only: what is known, what is due, and one pass at a time over each object.

Begin with `engine`, which connects the wings, and `release.reconciler`, which makes a pass. The engine decides nothing about a
Release: it gathers facts, asks `domain`, and carries the decision out.
"""
