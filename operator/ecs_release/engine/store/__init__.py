"""What the watch has reported, kept in memory: a few facts of each object, and which Release claims which ECS service.

Begin with `store`. What was seen in AWS is in `observation`.
"""
