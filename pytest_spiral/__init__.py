"""Turn exit criteria into tests, and every run into evidence that others can check."""
