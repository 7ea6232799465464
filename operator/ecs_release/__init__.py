"""A Kubernetes operator that releases to AWS ECS and shows what really runs there."""
