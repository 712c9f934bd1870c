"""A component that is booted: a tiny real program which comes up, answers its health check, and may misbehave.

Run as `python -I -S program.py KIND` with its circumstances in the environment, see `supervisor.py`. It starts in
some 7 ms because it imports nothing but modules written in C; `import socket` alone would take twice that. KIND is

http    GET on SPIRAL_ADDRESS gives 200 and JSON that names nonce and process
grpc    every call there is answered as `grpc.health.v1.Health/Check`, nonce and process in the metadata
file    the file `ready` in SPIRAL_FOLDER holds nonce and process
exit    the file `pulse` there holds the process number, for a health check that is a program

The first thing it does is to write its own log line with the nonce. SPIRAL_FLAW is how it misbehaves then.
"""

import _signal  # type: ignore[import-not-found]  # typeshed has no C half of signal
import _socket
import posix
import select
import sys

_ENVIRONMENT = {name.decode(): value.decode() for name, value in posix.environ.items()}
_NONCE, _NAME = _ENVIRONMENT["SPIRAL_BOOT_NONCE"], _ENVIRONMENT["SPIRAL_COMPONENT"]
_FLAW = _ENVIRONMENT.get("SPIRAL_FLAW", "")
_PID = posix.getpid()
_PATIENCE_S = 1.0
_SLOW_S = 600.0

# HTTP/2 frames (RFC 9113, section 6): length, type, flags, stream.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4


def say(event: str) -> None:
    """One line of JSON on standard output, which is this component's log."""
    line = f'{{"component":"{_NAME}","event":"{event}","nonce":"{_NONCE}","pid":{_PID}}}\n'
    posix.write(1, line.encode())


def write(name: str, text: str) -> None:
    """Write a file of the component's folder as a whole: nobody sees half of it."""
    path = f"{_ENVIRONMENT['SPIRAL_FOLDER']}/{name}"
    opened = posix.open(f"{path}.new", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
    posix.write(opened, text.encode())
    posix.close(opened)
    posix.rename(f"{path}.new", path)


def misbehave() -> None:
    """Whatever goes wrong before the component is up."""
    if _FLAW == "dies-at-start":
        posix._exit(3)  # noqa: SLF001 - a death has no good manners
    if _FLAW == "exits-0":
        posix._exit(0)  # noqa: SLF001
    if _FLAW == "hangs":
        _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)
        while True:
            _signal.pause()
    if _FLAW == "slow":
        select.select([], [], [], _SLOW_S)


def listen() -> "_socket.socket":
    """Listen on SPIRAL_ADDRESS; an address that is taken ends the program with a traceback, as any server's does."""
    host, _, port = _ENVIRONMENT["SPIRAL_ADDRESS"].rpartition(":")
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, _socket.IPPROTO_TCP)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(16)
    return listener


def serve(kind: str) -> None:
    """Answer one connection after the other until a signal ends the process."""
    listener = listen()
    say("listening")
    while True:
        number, _ = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - the C module's accept
        client = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number)
        client.settimeout(_PATIENCE_S)
        try:
            answered = answer_http(client) if kind == "http" else answer_grpc(client)
        except OSError:  # the asker went away, or says nothing: it is its health check, and the next one is served
            answered = False
        client.close()
        if answered and _FLAW == "dies-after-ready":
            posix._exit(4)  # noqa: SLF001


def answer_http(client: "_socket.socket") -> bool:
    """Answer one request; False where none came."""
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = client.recv(4096)
        if not chunk:
            return False
        request += chunk
    status, word = ("503 Service Unavailable", "unhealthy") if _FLAW == "unhealthy" else ("200 OK", "ok")
    body = f'{{"status":"{word}","component":"{_NAME}","nonce":"{_NONCE}","pid":{_PID}}}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    client.sendall(f"{head}\r\n\r\n{body}".encode())
    return True


def answer_grpc(client: "_socket.socket") -> bool:
    """Speak as much HTTP/2 as one unary call needs; the request's headers are not looked at. False where none came."""
    if take(client, len(_PREFACE)) != _PREFACE:
        return False
    client.sendall(frame(_SETTINGS, 0, 0))
    answered = False
    while head := take(client, 9):
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        payload = take(client, int.from_bytes(head[:3], "big"))
        if kind == _GOAWAY:
            break
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            client.sendall(frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            client.sendall(health(stream))
            answered = True
    return answered


def health(stream: int) -> bytes:
    """The reply of a health check (`grpc.health.v1`): SERVING is 1, NOT_SERVING 2, in field 1."""
    message = bytes((8, 2 if _FLAW == "unhealthy" else 1))
    # HPACK (RFC 7541): 0x88 is `:status 200`, 0x0f 0x10 a literal whose name is the static table's content-type.
    first = b"\x88\x0f\x10" + text("application/grpc") + field("boot-nonce", _NONCE) + field("boot-pid", str(_PID))
    return (
        frame(_HEADERS, _END_HEADERS, stream, first)
        + frame(_DATA, 0, stream, b"\0" + len(message).to_bytes(4, "big") + message)
        + frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, field("grpc-status", "0"))
    )


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def field(name: str, value: str) -> bytes:
    """A header as HPACK's literal without indexing, both texts under 127 bytes."""
    return b"\0" + text(name) + text(value)


def text(value: str) -> bytes:
    """A text in HPACK, not compressed."""
    return bytes((len(value),)) + value.encode()


def take(client: "_socket.socket", size: int) -> bytes:
    """So many bytes, or none where the other side has ended."""
    data = b""
    while len(data) < size:
        chunk = client.recv(size - len(data))
        if not chunk:
            return b""
        data += chunk
    return data


def stay(kind: str) -> None:
    """Come up without a port: leave the file that the health check looks at, and wait for the signal."""
    known = "unhealthy" if _FLAW == "unhealthy" else str(_PID)
    write("ready" if kind == "file" else "pulse", f"{_NONCE} {known}\n" if kind == "file" else f"{known}\n")
    say("up")
    if _FLAW == "dies-after-ready":
        select.select([], [], [], 0.02)
        posix._exit(4)  # noqa: SLF001
    while True:
        _signal.pause()


def main(kind: str) -> None:
    """Come up, and stay until the signal."""
    say("begun")
    misbehave()
    if kind in ("http", "grpc"):
        serve(kind)
    else:
        stay(kind)


if __name__ == "__main__":
    main(sys.argv[1])
