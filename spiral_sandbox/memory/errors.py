"""What the memory fabric refuses; every other exception is its own failure.

SandboxError
├── InvalidRequestError   400, INVALID_ARGUMENT
└── TooLargeError         413, RESOURCE_EXHAUSTED
"""

from spiral_sandbox.errors import SandboxError


class InvalidRequestError(SandboxError):
    """A request that says something the fabric cannot accept."""


class TooLargeError(SandboxError):
    """A request that is larger than the fabric takes at once."""
