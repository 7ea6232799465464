"""AWS adapters, the only importer of boto3: they implement the protocols of `domain.ports`.

Begin with `adapter`, the operator's entry point; `command_clients` and `command_reader` are those of the kubectl plugin. The wings are
`clients` (ECS, SQS, SNS, EventBridge), `registry` (ECR) and `ledger` (DynamoDB), all on top of `sessions`.
"""
