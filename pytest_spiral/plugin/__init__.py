"""The pytest plugin: its options, markers and fixtures, and the way to everything else.

Nothing heavy is imported here: where there is no gates file, and neither evidence nor a profile is asked for, the plugin
adds options, registers markers, and does nothing else. Otherwise the hooks of `plugin.hooks` come in.
"""

import pytest

from pytest_spiral.plugin.fixtures import grpc_transport, hardware_profile, rest_transport, spiral, transport
from pytest_spiral.plugin.markers import register_markers
from pytest_spiral.plugin.options import add_options, is_wanted

__all__ = ["grpc_transport", "hardware_profile", "rest_transport", "spiral", "transport"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option group and the ini keys."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that other plugins and conftest files may implement."""
    from pytest_spiral.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read gates and options; open the run before anything of the tests can act."""
    if not is_wanted(config):
        register_markers(config)
        return
    from pytest_spiral.errors import SpiralError
    from pytest_spiral.plugin import hooks
    from pytest_spiral.plugin.session import set_up

    try:
        set_up(config)
    except SpiralError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(hooks, "spiral-hooks")
