"""Foreign records into our model."""
