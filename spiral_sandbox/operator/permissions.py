"""Who may have which agent do something, and who may upload: read strictly from permissions.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from spiral_sandbox.connectors.refusal import Code, Refusal


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one operator may do."""

    agents: tuple[str, ...]
    uploads: bool


class Permissions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each operator may do, and the components that can be handed over."""

    operators: dict[str, Grant]
    components: tuple[str, ...]

    @property
    def agents(self) -> tuple[str, ...]:
        """Every agent that somebody may command, sorted."""
        return tuple(sorted({agent for grant in self.operators.values() for agent in grant.agents}))

    def check_agent(self, holder: str, operator: str, agent: str) -> None:
        """Raise `Refusal`, PERMISSION_DENIED, unless the holder of the credential may command the agent as `operator`."""
        if agent not in self._grant(holder, operator).agents:
            raise _denied("agent", f"{operator} has no agent {agent} to command")

    def check_upload(self, holder: str, operator: str) -> None:
        """Raise `Refusal`, PERMISSION_DENIED, unless the holder of the credential may upload as `operator`."""
        if not self._grant(holder, operator).uploads:
            raise _denied("upload", f"{operator} may not upload")

    def _grant(self, holder: str, operator: str) -> Grant:
        if holder != operator:
            raise _denied("other-operator", "the credential belongs to another operator")
        return self.operators[holder]


def _denied(reason: str, detail: str) -> Refusal:
    return Refusal(Code.PERMISSION_DENIED, reason, detail)


def load_permissions() -> Permissions:
    """The permissions of this sandbox."""
    text = Path(__file__).with_name("permissions.toml").read_text(encoding="utf-8")
    table: Mapping[str, object] = tomllib.loads(text)
    return msgspec.convert(table, Permissions)
