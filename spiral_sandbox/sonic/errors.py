"""What can go wrong in the sonic core.

SandboxError
└── SonicError          the sonic core cannot do what was asked
    └── StreamError     the stream failed, stopped advancing, or was stopped before it had played everything
"""

from spiral_sandbox.errors import SandboxError


class SonicError(SandboxError):
    """The sonic core cannot do what was asked; the message is one plain sentence."""


class StreamError(SonicError):
    """The stream failed, stopped advancing, or was stopped before it had played everything."""
