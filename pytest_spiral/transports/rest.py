"""REST: JSON over HTTP/1.1, with a client certificate where the endpoint has one."""

import json
import ssl
import threading
from http.client import HTTPException, IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3

from pytest_spiral.errors import ExchangeError, UseError
from pytest_spiral.model.exchange import Code, Reply, Request
from pytest_spiral.rules.statuses import code_of_http
from pytest_spiral.transports.base import (
    LONGEST_S,
    MOST_BYTES,
    AnsweredError,
    Endpoint,
    Transport,
    detail_of,
    one_line,
    prepared,
)
from pytest_spiral.transports.patience import Patience
from pytest_spiral.transports.plain_json import json_bytes, json_object
from pytest_spiral.transports.sockets import Grip, GripAdapter, gripped
from pytest_spiral.transports.uploads import Upload
from spiral_contract.operations import OPERATIONS, Operation

_JSON = "application/json"
_CHUNK = 65_536
_DETAIL = 300  # characters of an error's body that its sentence quotes


class RestTransport(Transport):
    """One REST endpoint. Each thread that makes calls keeps one connection open; none is retried or redirected.

    A payload travels as a JSON object in the body, of a GET as its query, of an upload as a form. Proxies, `.netrc` and
    cookies are ignored: what is sent is what the request says.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.name = "rest"
        self.address = endpoint.address.rstrip("/")
        _check(endpoint)
        self._endpoint = endpoint
        self._patience = Patience(f"REST at {self.address}")
        self._sessions = threading.local()
        self._lock = threading.Lock()
        self._open: set[requests.Session] = set()
        self._closed = False

    def exchange(self, request: Request) -> Reply:
        """Send the request and wait for its reply; raises ExchangeError and nothing else."""
        sent = prepared(request)
        operation = _operation(sent)
        content_type, body = _body(sent, operation)
        grip = Grip()

        def call() -> Reply:
            try:
                with gripped(grip):
                    response, content = self._call(sent, operation, content_type, body)
            except BaseException:
                self._discard_session()
                grip.drop()
                raise
            return self._judged(sent, response, content)

        return self._patience.run(call, sent.deadline_s, leave=grip.cut)

    def close(self) -> None:
        """End calls that are under way as CANCELLED and close all connections."""
        self._patience.close()
        with self._lock:
            self._closed = True
            for session in self._open:
                session.close()
            self._open.clear()

    def _call(
        self, request: Request, operation: Operation, content_type: str, body: dict[str, Any]
    ) -> tuple[requests.Response, bytes]:
        """The response and its whole content; raises ExchangeError where they do not come."""
        try:
            with self._session().request(
                operation.rest_method,
                self.address + operation.rest_path,
                headers={"accept": "application/json", "content-type": content_type, **request.metadata},
                timeout=min(request.deadline_s, LONGEST_S),
                stream=True,
                allow_redirects=False,
                **body,
            ) as response:
                return response, _content(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _session(self) -> requests.Session:
        """This thread's session, made on its first call; raises ConnectionAbortedError after `close`."""
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._new_session()
            with self._lock:
                if self._closed:
                    raise ConnectionAbortedError("the transport was closed")
                self._open.add(session)
            self._sessions.session = session
        return session

    def _discard_session(self) -> None:
        """Close this thread's session: nothing of a call that failed is used again."""
        session: requests.Session | None = self._sessions.__dict__.pop("session", None)
        if session is not None:
            session.close()
            with self._lock:
                self._open.discard(session)

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, GripAdapter(pool_connections=1, pool_maxsize=1))
        if self._endpoint.ca:
            session.verify = self._endpoint.ca
        if self._endpoint.cert:
            session.cert = (self._endpoint.cert, self._endpoint.key)
        return session

    def _judged(self, request: Request, response: requests.Response, content: bytes) -> Reply:
        """The reply; raises AnsweredError where the status is an error, or the content no JSON object."""
        code = code_of_http(response.status_code)
        payload = json_object(content)
        reply = Reply(
            code=Code.MALFORMED_REPLY if code is Code.OK and payload is None else code,
            payload=payload or {},
            metadata={key.lower(): value for key, value in response.headers.items()},
            wire_status=str(response.status_code),
        )
        if reply.code is Code.OK:
            return reply
        said = f"REST at {self.address} answered {request.operation} with {response.status_code} {response.reason}"
        if code is Code.OK:
            raise AnsweredError(f"{said} and no JSON object: {_excerpt(content)!r}", reply)
        raise AnsweredError(f"{said}: {detail_of(reply.payload) or _excerpt(content)}", reply)

    def _failed(self, error: Exception) -> ExchangeError:
        links = _links(error)
        for kinds, code in _FAILURES:
            if any(isinstance(link, kinds) and not isinstance(link, _BROKEN) for link in links):
                return ExchangeError(code, f"REST at {self.address} {_SAID[code]}: {_reason(links)}.")
        return ExchangeError(Code.UNAVAILABLE, f"REST at {self.address} gave no reply: {_reason(links)}.")


_FAILURES: tuple[tuple[tuple[type[Exception], ...], Code], ...] = (
    ((requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), Code.DEADLINE_EXCEEDED),
    ((urllib3.exceptions.DecodeError, urllib3.exceptions.InvalidHeader, HTTPException), Code.MALFORMED_REPLY),
)
# A connection that ended early is reported as malformed HTTP too; it is not.
_BROKEN = (ConnectionError, IncompleteRead)
_SAID = {
    Code.DEADLINE_EXCEEDED: "gave no reply in time",
    Code.MALFORMED_REPLY: "gave a reply that cannot be read",
}


def _check(endpoint: Endpoint) -> None:
    """Raises UseError where the address is none of REST's."""
    try:
        parts = urlsplit(endpoint.address)
        sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise UseError(f"{endpoint.address!r} is no address of a REST endpoint, such as https://127.0.0.1:8443.")
    if parts.username is not None:
        raise UseError(f"the address of REST at {parts.hostname} holds a user name; credentials belong in metadata.")
    if endpoint.codec != "protobuf":
        raise UseError(f"{endpoint.address} states a codec, and REST always carries JSON.")
    if parts.scheme == "http" and (endpoint.ca or endpoint.cert):
        raise UseError(f"{endpoint.address} names TLS files, and its address is not https.")


def _operation(request: Request) -> Operation:
    operation = OPERATIONS.get(request.operation)
    if operation is None or not operation.rest_path or operation.form == "websocket":
        raise ExchangeError(Code.UNIMPLEMENTED, f"the contract has no operation {request.operation!r} over REST.")
    return operation


def _body(request: Request, operation: Operation) -> tuple[str, dict[str, Any]]:
    """The content type, and what `requests` is to send."""
    if operation.rest_method == "GET":
        return _JSON, {"params": _query(request.payload)}
    if operation.form == "multipart":
        form, content_type = Upload.of(request.payload).form()
        return content_type, {"data": form}
    return _JSON, {"data": json_bytes(request.payload, f"the payload of {request.operation}")}


def _query(payload: dict[str, Any]) -> str:
    try:
        return urlencode({key: _parameter(key, value) for key, value in payload.items()})
    except UnicodeEncodeError as error:
        raise ExchangeError(Code.INVALID_ARGUMENT, f"a text of the query is no UTF-8: {error}.") from error


def _parameter(key: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise ExchangeError(Code.INVALID_ARGUMENT, f"{key!r} cannot stand in a query: it is a {type(value).__name__}.")
    return value if isinstance(value, str) else json.dumps(value)


def _content(response: requests.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > MOST_BYTES:
            raise ExchangeError(Code.RESOURCE_EXHAUSTED, f"a reply is longer than {MOST_BYTES} bytes.")
    return bytes(content)


def _excerpt(content: bytes) -> str:
    return one_line(content[:_DETAIL].decode("utf-8", "replace"))


def _links(error: BaseException) -> list[BaseException]:
    """An error and everything it wraps, outermost first."""
    links: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in links:
            links.append(link)
            waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
    return links


def _reason(links: list[BaseException]) -> str:
    """What the innermost error says, in the words of the operating system or of TLS where there are any."""
    for link in reversed(links):
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({link.verify_message})"
        if isinstance(link, ssl.SSLError) and link.reason:
            return f"TLS failed ({link.reason.lower().replace('_', ' ')})"
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    return one_line(str(links[-1])) or type(links[-1]).__name__
