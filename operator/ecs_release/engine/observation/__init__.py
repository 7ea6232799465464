"""Observing ECS: one loop for each Environment reads its services in batches; events make single services due sooner.

Begin with `observer`; what it keeps of each service is `observed_service`, and which are read next says `look_schedule`. What a
look means for a Release is decided in `domain`.
"""
