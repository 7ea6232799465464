"""The ledger in DynamoDB: its table, keys, items, transactions and queries.

Begin with `dynamodb` for writes and `queries` for reads; docs/reference/ledger.md describes the table.
"""
