"""`import`: objects made from `.wellcome_project` manifests or from services that run in ECS.

Begin with `weco_objects` and `ecs_objects`; `documents` makes the manifests.
"""
