"""Status codes that REST and gRPC share, and a call that is refused with one of them."""

from enum import Enum
from typing import Any


class Code(Enum):
    """A status: its name is the gRPC code's, its value the HTTP status that means the same."""

    OK = 200
    INVALID_ARGUMENT = 400
    UNAUTHENTICATED = 401
    PERMISSION_DENIED = 403
    NOT_FOUND = 404
    RESOURCE_EXHAUSTED = 413
    CANCELLED = 499
    INTERNAL = 500
    UNAVAILABLE = 503
    DEADLINE_EXCEEDED = 504


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a mistake
    """A call that is answered with an error: a code, one word of reason, a sentence."""

    def __init__(self, code: Code, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.reason = reason
        self.detail = detail

    def body(self) -> dict[str, Any]:
        """What is said over HTTP, as JSON values."""
        return {"code": self.code.name, "reason": self.reason, "detail": self.detail}


def unreadable(detail: str) -> Refusal:
    """The refusal of a request that cannot be read as what was asked for."""
    return Refusal(Code.INVALID_ARGUMENT, "invalid-request", detail)
