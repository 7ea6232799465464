"""Images and hashes on a command line: ECR references, and abbreviated hashes.

Begin with `hash_prefix`.
"""
