from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Identity(_message.Message):
    __slots__ = ("connector_id", "version", "instance")
    CONNECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    connector_id: str
    version: str
    instance: str
    def __init__(self, connector_id: _Optional[str] = ..., version: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...

class SupportedContext(_message.Message):
    __slots__ = ("name", "channels", "capabilities")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class RotationOffer(_message.Message):
    __slots__ = ("last_rotated", "rotation_window", "supports_hot_swap", "token_hint")
    LAST_ROTATED_FIELD_NUMBER: _ClassVar[int]
    ROTATION_WINDOW_FIELD_NUMBER: _ClassVar[int]
    SUPPORTS_HOT_SWAP_FIELD_NUMBER: _ClassVar[int]
    TOKEN_HINT_FIELD_NUMBER: _ClassVar[int]
    last_rotated: str
    rotation_window: str
    supports_hot_swap: bool
    token_hint: str
    def __init__(self, last_rotated: _Optional[str] = ..., rotation_window: _Optional[str] = ..., supports_hot_swap: _Optional[bool] = ..., token_hint: _Optional[str] = ...) -> None: ...

class HandshakeRequest(_message.Message):
    __slots__ = ("identity", "supported_contexts", "rotation")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    SUPPORTED_CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    identity: Identity
    supported_contexts: _containers.RepeatedCompositeFieldContainer[SupportedContext]
    rotation: RotationOffer
    def __init__(self, identity: _Optional[_Union[Identity, _Mapping]] = ..., supported_contexts: _Optional[_Iterable[_Union[SupportedContext, _Mapping]]] = ..., rotation: _Optional[_Union[RotationOffer, _Mapping]] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "issued_at", "credential_expiry")
    ID_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_EXPIRY_FIELD_NUMBER: _ClassVar[int]
    id: str
    issued_at: str
    credential_expiry: str
    def __init__(self, id: _Optional[str] = ..., issued_at: _Optional[str] = ..., credential_expiry: _Optional[str] = ...) -> None: ...

class AcceptedContext(_message.Message):
    __slots__ = ("name", "status", "promoted_at", "evidence_path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_AT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    status: str
    promoted_at: str
    evidence_path: str
    def __init__(self, name: _Optional[str] = ..., status: _Optional[str] = ..., promoted_at: _Optional[str] = ..., evidence_path: _Optional[str] = ...) -> None: ...

class RotationState(_message.Message):
    __slots__ = ("connector_id", "last_rotated", "rotation_window", "window_id")
    CONNECTOR_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_ROTATED_FIELD_NUMBER: _ClassVar[int]
    ROTATION_WINDOW_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ID_FIELD_NUMBER: _ClassVar[int]
    connector_id: str
    last_rotated: str
    rotation_window: str
    window_id: str
    def __init__(self, connector_id: _Optional[str] = ..., last_rotated: _Optional[str] = ..., rotation_window: _Optional[str] = ..., window_id: _Optional[str] = ...) -> None: ...

class HandshakeReply(_message.Message):
    __slots__ = ("authenticated", "session", "accepted_contexts", "rotation")
    AUTHENTICATED_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    authenticated: bool
    session: Session
    accepted_contexts: _containers.RepeatedCompositeFieldContainer[AcceptedContext]
    rotation: RotationState
    def __init__(self, authenticated: _Optional[bool] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., accepted_contexts: _Optional[_Iterable[_Union[AcceptedContext, _Mapping]]] = ..., rotation: _Optional[_Union[RotationState, _Mapping]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("chakra", "cycle_count", "context", "credential_expiry", "emitted_at")
    CHAKRA_FIELD_NUMBER: _ClassVar[int]
    CYCLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_EXPIRY_FIELD_NUMBER: _ClassVar[int]
    EMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    chakra: str
    cycle_count: int
    context: str
    credential_expiry: str
    emitted_at: str
    def __init__(self, chakra: _Optional[str] = ..., cycle_count: _Optional[int] = ..., context: _Optional[str] = ..., credential_expiry: _Optional[str] = ..., emitted_at: _Optional[str] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ("accepted", "chakra", "cycle_count", "context", "received_at", "next_due")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    CHAKRA_FIELD_NUMBER: _ClassVar[int]
    CYCLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    chakra: str
    cycle_count: int
    context: str
    received_at: str
    next_due: str
    def __init__(self, accepted: _Optional[bool] = ..., chakra: _Optional[str] = ..., cycle_count: _Optional[int] = ..., context: _Optional[str] = ..., received_at: _Optional[str] = ..., next_due: _Optional[str] = ...) -> None: ...
