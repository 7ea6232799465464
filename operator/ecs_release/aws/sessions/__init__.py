"""How AWS is called: sessions and roles, threads, pacing, and error codes as the domain's errors.

Begin with `caller`: every call of the operator goes through it.
"""
