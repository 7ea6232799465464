"""The page of a service in an environment: digests, tasks, who and why, evidence of failures, history.

Begin with `details`, what it shows, and `page`, which makes HTML of that.
"""
