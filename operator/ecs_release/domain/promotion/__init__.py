"""Promotion: what is proven to run in one Environment, and when it has waited too long for its promotion into another.

Begin with `overdue`. What a set resolves from another Environment is in `engine.sets.promotion`.
"""
