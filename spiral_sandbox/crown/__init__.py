"""Crown: routes requests to agents by declared rules, keeps a complete log of it, and replays from the log alone."""
