"""Earlier attempts, from a status or from the ledger, as rows of a table.

Begin with `history_rows`.
"""
