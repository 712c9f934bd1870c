"""What crown refuses; every other exception is its own failure.

SandboxError
└── CrownError   a request, a file or an operation that crown does not accept

A divergence is no error: it is what a replay is there to find (`replay.Divergence`).
"""

from spiral_sandbox.errors import SandboxError


class CrownError(SandboxError):
    """A request, a file or an operation that crown does not accept."""
