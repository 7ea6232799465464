"""What of a Release goes into the ledger, and what comes back from there."""
