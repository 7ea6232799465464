"""ECS, SQS, SNS and EventBridge on boto3.

Begin with `ecs`. ECR is in `registry`, DynamoDB in `ledger`.
"""
