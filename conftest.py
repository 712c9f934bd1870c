"""Loads pytester, with which tests/ run pytest inside pytest; the default target of suites/ stands in pyproject.toml."""

pytest_plugins = ["pytester"]
