"""Pure functions from values to text, pages and pictures: no I/O, no clock; every name and reason is escaped."""
