"""Boot: a supervisor that starts real component processes in order, and leaves none behind."""
