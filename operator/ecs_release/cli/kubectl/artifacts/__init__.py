"""Images and hashes on a command line: ECR references, abbreviated hashes, and the user's git clone.

Begin with `hash_prefix`.
"""
