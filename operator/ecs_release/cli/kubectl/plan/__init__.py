"""`plan`: what applying a manifest would do, by the operator's own rules.

Begin with `object_plan`.
"""
