"""What is true: identities, entries, author logs, checkpoints, the store and its views.

Knows nothing of bundles, queues or carriers. `ledger.store` is the only module here that does I/O.
"""
