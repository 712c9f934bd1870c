"""Will hold the ledger: lock, append, read, check. Holds nothing yet: it comes in a later part."""
