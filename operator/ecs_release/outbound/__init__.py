"""Calls to services of others over https: the operator's connections, which addresses are allowed, and sessions with bounds.

Begin with `connections`, the file that names them, then `session`.
"""
