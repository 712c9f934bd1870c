"""What the memory fabric refuses, each with one word of reason; every other exception is its own failure: `internal`.

SandboxError
├── InvalidRequestError   400, INVALID_ARGUMENT
└── TooLargeError         413, RESOURCE_EXHAUSTED
"""

from spiral_sandbox.errors import SandboxError


class InvalidRequestError(SandboxError):
    """A request that says something the fabric cannot accept."""

    reason = "invalid-request"


class TooLargeError(SandboxError):
    """A request that is larger than the fabric takes at once."""

    reason = "too-large"
