"""Real git repositories, served over https on loopback by git's own http-backend, and the commits service that reads them.

`repositories` makes histories, `server` serves them, and misbehaves where it is told to; `service` is the commits service as a process.
"""
