"""What ECS reports, as slim dataclasses: services, deployments, tasks, task definitions, EventBridge's events; and console links.

Begin with `service`. Parsing of AWS's responses is in `aws.clients`; what a response means for a Release is decided in
`verification` and `rules`.
"""
