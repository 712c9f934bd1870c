"""A form (multipart/form-data) as the pieces of an upload, read as it arrives and never held whole.

The form has the field `operator`, perhaps `metadata`, and then any number of files named `files` or `files[]`.
Source: RFC 7578.
"""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from spiral_sandbox.connectors.refusal import unreadable
from spiral_sandbox.operator.call import FileStart, Header, Part, too_large
from spiral_sandbox.operator.messages import MOST_METADATA

_FIELDS = ("operator", "metadata")
_FILES = ("files", "files[]")


async def form_parts(chunks: AsyncIterator[bytes], content_type: str) -> AsyncIterator[Part]:
    """The pieces of a form, header first; raises `Refusal` for anything that is no such form."""
    form = _Form(_boundary(content_type))
    async for chunk in chunks:
        for part in form.feed(chunk):
            yield part
    for part in form.end():
        yield part


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise unreadable("an upload is multipart/form-data with a boundary")
    return boundary


class _Form:
    """The state between two pieces of a form's text."""

    def __init__(self, boundary: bytes) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise unreadable(str(error)) from error
        self._out: list[Part] = []
        self._fields: dict[str, bytearray] = {}
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._field = ""  # empty while a file is read
        self._in_files = self._ended = False

    def feed(self, chunk: bytes) -> list[Part]:
        """The pieces that are complete after this much of the form."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise unreadable(f"the form cannot be read: {error}") from error
        return self._taken()

    def end(self) -> list[Part]:
        """What is left once the body has ended."""
        if not self._ended:
            raise unreadable("the form ends before its last boundary")
        if not self._in_files:
            self._out.append(self._header())
        return self._taken()

    def _taken(self) -> list[Part]:
        taken, self._out = self._out, []
        return taken

    def _begin_part(self) -> None:
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = _text(options.get(b"name", b""))
        if kind != b"form-data" or name not in _FIELDS + _FILES:
            raise unreadable("a form for an upload has the fields operator and metadata, and files")
        if name in _FILES:
            self._begin_file(options.get(b"filename"))
        elif self._in_files or name in self._fields:
            raise unreadable(f"the field {name} stands twice, or after a file")
        else:
            self._field = name
            self._fields[name] = bytearray()

    def _begin_file(self, name: bytes | None) -> None:
        if name is None:
            raise unreadable("a file of the form has no name")
        if not self._in_files:
            self._in_files = True
            self._out.append(self._header())
        self._field = ""
        self._out.append(FileStart(_text(name)))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._field:
            self._out.append(bytes(data[start:end]))
            return
        self._fields[self._field] += data[start:end]
        if len(self._fields[self._field]) > MOST_METADATA:
            raise too_large(MOST_METADATA)

    def _end(self) -> None:
        self._ended = True

    def _header(self) -> Header:
        operator, metadata = (_text(bytes(self._fields.get(name, b""))) for name in _FIELDS)
        return Header(operator, metadata)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise unreadable("a name or a field of the form is not UTF-8") from error
