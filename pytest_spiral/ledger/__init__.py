"""The ledger: where it is kept (`book`, `gitref`), checking it (`fsck`), healing a fork (`adopt`)."""
