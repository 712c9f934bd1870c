"""Every error of the sandbox.

RuntimeError
└── SandboxError                  anything the sandbox could not do; its text is one clear sentence
    ├── ComponentStartError       a component did not come up
    ├── ComponentLostError        a component's process is gone, or was stopped
    ├── ComponentTimeoutError     a component did not answer a control request in time
    ├── ComponentRefusalError     a component answered a control request with an error
    ├── UnknownOperationError     a component has no control operation of that name
    └── FaultFileError            faults.toml is not what it must be

An unknown fault name is a plain ValueError: the caller's own slip, not the sandbox's.
"""


class SandboxError(RuntimeError):
    """The sandbox could not do what was asked of it."""


class ComponentStartError(SandboxError):
    """A component did not come up."""


class ComponentLostError(SandboxError):
    """A component's process is gone, or was stopped."""


class ComponentTimeoutError(SandboxError):
    """A component did not answer a control request in time."""


class ComponentRefusalError(SandboxError):
    """A component answered a control request with an error."""


class UnknownOperationError(SandboxError):
    """A component has no control operation of that name."""


class FaultFileError(SandboxError):
    """The file of fault plans is not what it must be."""
