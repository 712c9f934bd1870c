"""Errors of the boot.

SandboxError
└── ManifestError    a boot manifest that cannot be taken as it stands
"""

from spiral_sandbox.errors import SandboxError


class ManifestError(SandboxError):
    """A boot manifest cannot be taken as it stands; the text is one sentence that names what to change."""
