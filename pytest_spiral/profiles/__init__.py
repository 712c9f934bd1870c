"""What this machine is, by asking it, and what a profile file declares it to be."""
