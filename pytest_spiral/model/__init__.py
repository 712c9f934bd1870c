"""Values only: frozen, refusing nonsense when made; no I/O, no clock, no pytest."""
