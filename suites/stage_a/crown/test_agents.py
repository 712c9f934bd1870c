"""The crown regression suite: what each agent does, and who is asked for what. `A2.regression` counts these tests."""


def test_one():
    """Placeholder."""
