"""An upload's payload as each transport sends it: a form over REST, a stream of messages over gRPC.

The payload is `{"operator": text, "metadata": object or text, "files": [{"name": text, "content": base64}]}`. What is
left out is not sent, and a metadata text is sent as it stands: a server must be shown what it has to refuse.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from urllib3.filepost import encode_multipart_formdata

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.base import Value
from pytest_spiral.model.exchange import Code
from pytest_spiral.transports.plain_json import json_bytes

_CHUNK = 65_536
_BINARY = "application/octet-stream"


class UploadFile(Value, frozen=True):
    """One file: its name, and its content in base64."""

    name: str
    content: str = ""

    def data(self) -> bytes:
        """The content; raises ExchangeError, INVALID_ARGUMENT, where it is no base64."""
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ExchangeError(
                Code.INVALID_ARGUMENT, f"the content of {self.name!r} is no base64: {error}."
            ) from error


class Upload(Value, frozen=True):
    """What is uploaded."""

    operator: str | None = None
    metadata: dict[str, Any] | str | None = None
    files: tuple[UploadFile, ...] = ()

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "Upload":
        """Read a payload; raises ExchangeError, INVALID_ARGUMENT, where it is none."""
        try:
            return msgspec.convert(dict(payload), cls)
        except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the second for a name without UTF-8
            raise ExchangeError(Code.INVALID_ARGUMENT, f"the payload is no upload: {error}.") from error

    def form(self) -> tuple[bytes, str]:
        """The multipart/form-data and its content type; raises ExchangeError, INVALID_ARGUMENT, where it has no form."""
        fields: list[tuple[str, Any]] = list(self._fields().items())
        fields += [("files", (one.name, one.data(), _BINARY)) for one in self.files]
        try:
            return encode_multipart_formdata(fields)
        except UnicodeEncodeError as error:
            raise ExchangeError(Code.INVALID_ARGUMENT, f"a text of the upload is no UTF-8: {error}.") from error

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages of the stream as JSON values, bytes in base64."""
        yield {"header": self._fields()}
        for one in self.files:
            yield {"file": {"name": one.name}}
            data = one.data()
            for at in range(0, len(data), _CHUNK):
                yield {"chunk": base64.b64encode(data[at : at + _CHUNK]).decode()}

    def _fields(self) -> dict[str, str]:
        given = {"operator": self.operator, "metadata": self._metadata()}
        return {name: value for name, value in given.items() if value is not None}

    def _metadata(self) -> str | None:
        if self.metadata is None or isinstance(self.metadata, str):
            return self.metadata
        return json_bytes(self.metadata, "the metadata of the upload").decode()
