"""The sonic core of the embedded system: a real-time stream, its avatar, and what a rehearsal shows."""
