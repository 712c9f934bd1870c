"""Real servers on loopback for the transports' tests: HTTP, gRPC, and sockets that misbehave as told."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

LOOPBACK = "127.0.0.1"


class Authority:
    """A certificate authority, and what it issues as PEM files."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self._authority = trustme.CA()
        self.ca = self._file("ca.pem", self._authority.cert_pem.bytes())
        self.server = self._pair("server", self._authority.issue_cert(LOOPBACK))
        self.client = self._pair("client", self._authority.issue_cert("client@example.org"))

    def _file(self, name, content):
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def _pair(self, name, leaf):
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return {
            "cert": self._file(f"{name}.pem", chain),
            "key": self._file(f"{name}.key", leaf.private_key_pem.bytes()),
        }

    def context(self):
        """A server's TLS context that asks for a client's certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server["cert"], self.server["key"])
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def credentials(self):
        """The same for a gRPC server."""
        key, cert, ca = (Path(path).read_bytes() for path in (self.server["key"], self.server["cert"], self.ca))
        return grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that both sides belong to."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """Another authority."""
    return Authority(tmp_path_factory.mktemp("tls") / "theirs")


class Asked(NamedTuple):
    """What an HTTP server was asked."""

    method: str
    path: str
    headers: dict
    body: bytes
    peer: tuple


def _handler(answer, asked):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            question = Asked(self.command, self.path, headers, body, self.client_address)
            asked.append(question)
            status, said, content = answer(question)
            self.send_response(status)
            for key, value in {"content-length": str(len(content)), **said}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 - the library finds methods by these names

        def log_message(self, *arguments):
            """Say nothing."""

    return Handler


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that is cut off or refused is what these tests are about."""


class HttpServer(NamedTuple):
    """A running HTTP server: its address, and what it has been asked so far."""

    address: str
    asked: list


@pytest.fixture
def serve_http():
    """Start an HTTP server that answers by a function: Asked → (status, headers, content)."""
    with ExitStack() as stack:

        def serve(answer, authority=None):
            asked = []
            server = QuietServer((LOOPBACK, 0), _handler(answer, asked))
            if authority is not None:
                # The handshake belongs into the connection's thread: a bad client must not block the next one.
                server.socket = authority.context().wrap_socket(
                    server.socket, server_side=True, do_handshake_on_connect=False
                )
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            scheme = "http" if authority is None else "https"
            return HttpServer(f"{scheme}://{LOOPBACK}:{server.server_address[1]}", asked)

        yield serve


@pytest.fixture
def serve_socket():
    """Start a TCP server that runs a function on each connection; gives host:port."""
    with ExitStack() as stack:

        def serve(behave):
            listener = stack.enter_context(socket.create_server((LOOPBACK, 0)))
            threads = []

            def one(connection):
                with connection:
                    try:
                        behave(connection)
                    except OSError:
                        return  # the client has gone, as it may

            def accept():
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                    threads[-1].start()

            accepting = threading.Thread(target=accept, daemon=True)
            accepting.start()

            def stop():
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join()
                for thread in threads:
                    thread.join()

            stack.callback(stop)
            return f"{LOOPBACK}:{listener.getsockname()[1]}"

        yield serve


@pytest.fixture
def serve_grpc():
    """Start a gRPC server that answers /service/Method by functions (bytes, context) → bytes, and health checks."""
    with ExitStack() as stack:

        def serve(methods, authority=None):
            server = grpc.server(ThreadPoolExecutor(12), options=[("grpc.so_reuseport", 0)])
            for path, answer in methods.items():
                _, service, method = path.split("/")
                handler = grpc.unary_unary_rpc_method_handler(answer)
                server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
            checks = health.HealthServicer()
            checks.set("", health_pb2.HealthCheckResponse.SERVING)
            checks.set("memory", health_pb2.HealthCheckResponse.NOT_SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(checks, server)
            free = f"{LOOPBACK}:0"
            port = (
                server.add_insecure_port(free)
                if authority is None
                else server.add_secure_port(free, authority.credentials())
            )
            server.start()
            stack.callback(lambda: server.stop(0).wait())
            return f"{LOOPBACK}:{port}"

        yield serve


@pytest.fixture
def refused():
    """host:port of a port that nobody listens on: bound, so that nobody else gets it."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield f"{LOOPBACK}:{held.getsockname()[1]}"
