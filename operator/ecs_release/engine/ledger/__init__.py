"""Writing the ledger: a bounded queue for each Release, retries, and closing what deleted Releases left open.

Begin with `recorder`. What is to be written is decided in `domain.ledger`; DynamoDB is in `aws.ledger`.
"""
