"""The embedded system under test: real components in processes of their own, on loopback only."""
