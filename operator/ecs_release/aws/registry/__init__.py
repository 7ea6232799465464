"""ECR on boto3: looking images up, and moving tags.

Begin with `ecr`.
"""
