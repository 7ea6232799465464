"""Changes in the cluster: checks before them, request annotations, suspension, and who else manages an object's fields.

Begin with `confirmation`.
"""
