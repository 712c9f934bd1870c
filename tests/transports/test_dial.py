"""Connecting and no more: who answers, and a sentence with a remedy where nobody does as they should."""

import pytest

from pytest_spiral.run import clock
from pytest_spiral.transports.base import Endpoint
from pytest_spiral.transports.dial import DialError, dial


def empty(_):
    return 200, {}, b"{}"


def dialled(kind, address, *, timeout_s=2.0, **files):
    return dial(kind, Endpoint(address=address, **files), timeout_s, clock.mono_ns, peek_s=0.2)


@pytest.fixture
def servers(serve_http, serve_grpc, authority):
    return {"rest": serve_http(empty, authority).address, "grpc": serve_grpc({}, authority)}


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_server_over_tls_shows_its_certificate(servers, authority, kind):
    seen = dialled(kind, servers[kind], ca=authority.ca, **authority.client)
    assert seen.tls == "TLSv1.3"
    assert seen.certificate.startswith("sha256:")
    assert seen.ns > 0


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_server_of_another_authority_is_not_trusted(servers, authority, stranger, kind):
    with pytest.raises(DialError, match=r"not trusted .*Remedy: name its authority as `ca`") as wrong:
        dialled(kind, servers[kind], ca=stranger.ca, **authority.client)
    assert wrong.value.trouble == "tls"


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize("shown", ["nothing", "another"])
def test_a_client_that_the_server_refuses_is_told_so(servers, authority, stranger, kind, shown):
    with pytest.raises(DialError, match="Remedy: check") as wrong:
        dialled(kind, servers[kind], ca=authority.ca, **(stranger.client if shown == "another" else {}))
    assert wrong.value.trouble == "tls"


def test_tls_to_a_server_without_is_told_so(serve_http, serve_grpc, authority):
    plain = serve_http(empty).address
    with pytest.raises(DialError, match="check that it speaks TLS"):
        dialled("rest", plain.replace("http:", "https:"), ca=authority.ca)
    with pytest.raises(DialError, match="check that it speaks TLS"):
        dialled("grpc", serve_grpc({}), ca=authority.ca)


def test_plain_servers_are_dialled_without_tls(serve_http, serve_grpc):
    assert dialled("rest", serve_http(empty).address).certificate == ""
    assert dialled("grpc", serve_grpc({})).tls == ""


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_port_that_nobody_listens_on_is_unreachable(refused, kind):
    address = f"http://{refused}" if kind == "rest" else refused
    with pytest.raises(DialError, match=r"cannot be reached \(Connection refused\). Remedy") as gone:
        dialled(kind, address)
    assert gone.value.trouble == "unreachable"


def test_a_name_that_nobody_has_is_unreachable():
    with pytest.raises(DialError, match="cannot be reached"):
        dialled("rest", "https://no-such-host.invalid")


def test_files_for_tls_that_are_none_are_told(servers, authority, tmp_path):
    (tmp_path / "no.pem").write_text("nothing")
    with pytest.raises(DialError, match="cannot be used"):
        dialled("rest", servers["rest"], ca=str(tmp_path / "no.pem"))
