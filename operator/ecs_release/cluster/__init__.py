"""The control cluster's API: objects, status by server-side apply, Events and the Lease. The only importer of kubernetes.

Begin with `adapter`, which implements `domain.ports.protocols.Cluster`; `api_server` is the HTTP client below it, with
its timeouts and retries; `credentials` is how both that client and kopf's watch find the API server and log in there.
"""
