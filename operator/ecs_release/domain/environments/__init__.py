"""What an Environment allows, and where a Release is deployed: targets, claims on services, rollout settings, windows, shards.

Begin with `targets`, which turns a Project's service and an Environment into one ECS service. Whether an attempt may pass a closed
window is decided in `rules.window_passage`; here is only when a window is open.
"""
