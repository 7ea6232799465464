"""A Release without status (a restored cluster, a re-created object): its past, from the ledger or from tags on task definitions.

Begin with `lost_status`, the rule that fills in the draft; `from_ledger` and `from_tags` are its two sources.
"""
