"""The commits service's client: the port `domain.ports.commits.Commits` over HTTP.

Begin with `adapter`; `answers` takes the service's JSON apart, strictly. The service itself is `ecs_release.commits_service`.
"""
