"""How a rollout is judged: which digests tasks prove, what a deployment's stage means, and the verdict.

Begin with `judge`, which judges one look at the attempt's deployment, and `proof`, which compares digests. What a verdict means for
a Release's status is decided in `rules`.
"""
