"""What the engine needs from outside, as protocols: AWS, the cluster, the clock, the ledger.

Begin with `protocols`. The adapters in `aws` and `cluster` implement them, and `app` connects them to the engine; nothing here makes a
call. `ledger_acknowledgements` puts into a status what the ledger has confirmed.
"""
