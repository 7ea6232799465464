"""GitHub's client: the port `domain.ports.views.ViewSink` over its REST API. Imported only if a connection is configured.

Begin with `adapter`; `client` has what all calls share.
"""
