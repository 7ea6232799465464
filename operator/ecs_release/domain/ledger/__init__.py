"""What is recorded of a Release: entries of attempts, the current record, and foreign deployments.

Begin with `pending_entries`, which compares a status with what the ledger has. Writing is in `engine.ledger`, DynamoDB in
`aws.ledger`, and what comes back from the ledger is in `recovery.from_ledger`.
"""
