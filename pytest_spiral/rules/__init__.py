"""Pure functions over the model: no I/O, no clock, same input, same output."""
