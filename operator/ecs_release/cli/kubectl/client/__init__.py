"""How commands reach the API server and AWS: connection flags, the client, references such as `release/web`.

Begin with `session`.
"""
