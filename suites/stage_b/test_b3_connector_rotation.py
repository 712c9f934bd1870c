"""B3: credentials rotate under traffic without a lost request, and old ones stop working."""

import re
import shutil
import threading
import uuid
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from pytest_spiral.errors import ExchangeError
from pytest_spiral.model.exchange import Code, Request
from pytest_spiral.transports import open_transport

SERVICES = ("operator_api", "operator_upload", "crown_handshake")
KINDS = ("rest", "grpc")
OVERLAP_S = 3600
ROUNDS = 100
AFTERWARDS = 10
KEPT_S = 6.0
HOURS_48 = timedelta(hours=48)


def request(operation, service, token, request_id=""):
    """One call of the smoke test in the contract's words, with its credential (None: without one)."""
    payload = (
        {"service": service}
        if operation == "health"
        else {
            "identity": {"connector_id": service, "version": "1.0.0", "instance": "acceptance"},
            "supported_contexts": [{"name": "stage-b-rehearsal", "channels": ["rest", "grpc"], "capabilities": []}],
            "rotation": {"rotation_window": "PT48H", "supports_hot_swap": True},
        }
    )
    metadata = {} if token is None else {"authorization": f"Bearer {token}"}
    if request_id:
        metadata["x-request-id"] = request_id
    return Request(operation=operation, payload=payload, metadata=metadata, deadline_s=10.0)


def outcome(transport, *arguments):
    """The code that a call ends with, good or bad."""
    try:
        return transport.exchange(request(*arguments)).code
    except ExchangeError as error:
        return error.code


def other_than(service):
    """Another service than the given one."""
    return SERVICES[(SERVICES.index(service) + 1) % len(SERVICES)]


@pytest.fixture
def connectors(spiral):
    """The connectors, each with a valid credential, whatever the tests before have done to the clock."""
    return with_valid_credentials(spiral.target.connectors)


def with_valid_credentials(connectors):
    """Renew what has expired."""
    for service in SERVICES:
        if not connectors.ask("credential", service=service)["valid"]:
            connectors.ask("renew", service=service)
    return connectors


@pytest.mark.criterion("B3.smoke")
def test_connectors_answer_and_refuse(spiral, connectors):
    """Health and handshake answer with the credential; wrong, missing, expired and foreign ones are refused."""
    tokens = {name: connectors.ask("credential", service=name)["token"] for name in SERVICES}
    expired = {name: connectors.ask("issue", service=name, lifetime_s=1)["token"] for name in SERVICES}
    connectors.ask("clock.advance", seconds=2)
    with spiral.measure("smoke") as m:
        for service in SERVICES:
            cases = (
                ("health", tokens[service], Code.OK),
                ("handshake", tokens[service], Code.OK),
                ("handshake", "wrong-" + uuid.uuid4().hex, Code.UNAUTHENTICATED),
                ("handshake", None, Code.UNAUTHENTICATED),
                ("handshake", expired[service], Code.UNAUTHENTICATED),
                ("handshake", tokens[other_than(service)], Code.PERMISSION_DENIED),
            )
            for kind in KINDS:
                transport = connectors.transport(kind, service)
                for operation, token, expected in cases:
                    got = outcome(transport, operation, service, token)
                    m.check(got == expected, f"{service} {kind} {operation}: {got}, expected {expected}")


class Traffic:
    """Constant traffic to one service from a thread of its own, with whatever credential is current.

    The last calls wait for the rotation to be over: however fast a line is, it is called before and after.
    """

    def __init__(self, transport, service, token):
        self.token = token
        self.results = []
        self._transport, self._service = transport, service
        self._halfway, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"traffic-{service}")

    def _run(self):
        for number in range(ROUNDS):
            if number == ROUNDS - AFTERWARDS:
                self._over.wait(60.0)
            request_id = uuid.uuid4().hex
            got = outcome(self._transport, "handshake", self._service, self.token, request_id)
            self.results.append((request_id, got))
            if number == ROUNDS // 3:
                self._halfway.set()

    def __enter__(self):
        self._thread.start()
        return self

    def wait_until_it_flows(self):
        """Return when a third of the calls have been made."""
        assert self._halfway.wait(30.0), "the traffic does not flow"

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(60.0)


def rotate_under_traffic(connectors, service):
    """Rotate the service's credential while it is in use over both transports; gives the traffic, old token and report."""
    old = connectors.ask("credential", service=service)["token"]
    with (
        Traffic(connectors.transport("rest", service), service, old) as rest,
        Traffic(connectors.transport("grpc", service), service, old) as grpc,
    ):
        rest.wait_until_it_flows()
        grpc.wait_until_it_flows()
        rotated = connectors.ask("rotate", service=service, overlap_s=OVERLAP_S)
        rest.token = grpc.token = rotated["token"]
    return rest.results + grpc.results, old, rotated


def measure_rotation(spiral, connectors):
    """Rotate every service's credential and deliver all that the promise of rotation asks for."""
    for service in SERVICES:
        token = connectors.ask("credential", service=service)["token"]
        for kind in KINDS:
            answer = outcome(connectors.transport(kind, service), "health", service, token)
            if answer != Code.OK:
                spiral.blocked(f"{service} answers {answer} over {kind} before any rotation")
    rotations = {}
    with spiral.measure("traffic") as traffic, spiral.measure("served-once") as once:
        for service in SERVICES:
            results, old, rotated = rotate_under_traffic(connectors, service)
            rotations[service] = (old, rotated)
            served = Counter(one["request_id"] for one in connectors.ask("served")["requests"] if one["executed"])
            for request_id, got in results:
                traffic.check(got == Code.OK, f"{service}: a request in the rotation ended as {got}")
                once.check(served[request_id] == 1, f"{service}: a request was executed {served[request_id]} times")
    with spiral.measure("changed") as changed:
        for service, (old, rotated) in rotations.items():
            changed.check(rotated["token"] != old, f"{service}: the credential after the rotation is the old one")
    with spiral.measure("overlap") as overlap:
        check_tokens(overlap, connectors, rotations, old_expected=Code.OK)
    connectors.ask("clock.advance", seconds=OVERLAP_S + 1)
    with spiral.measure("refused-after") as after:
        check_tokens(after, connectors, rotations, old_expected=Code.UNAUTHENTICATED)


def check_tokens(measure, connectors, rotations, *, old_expected):
    """Over both transports: the new credential works, the old one ends as expected."""
    for service, (old, rotated) in rotations.items():
        for kind in KINDS:
            transport = connectors.transport(kind, service)
            for token, name, expected in ((rotated["token"], "new", Code.OK), (old, "old", old_expected)):
                got = outcome(transport, "handshake", service, token)
                measure.check(got == expected, f"{service} {kind}: the {name} credential ends as {got}")


@pytest.mark.criterion("B3.rotation")
def test_credentials_rotate_under_traffic(spiral, connectors):
    """No request is lost or served twice, both credentials work in the overlap, and only the new one after it."""
    measure_rotation(spiral, connectors)


class Outdated:
    """A client of one service over one transport that keeps the certificates of before the rotation."""

    def __init__(self, connectors, kind, service, folder):
        endpoint = connectors.endpoints[f"{service}.{kind}"]
        folder = folder / f"{service}-{kind}"
        folder.mkdir()
        files = {part: shutil.copy(endpoint[part], folder) for part in ("ca", "cert", "key")}
        self.name, self._kind, self._service = f"{service} {kind}", kind, service
        self._endpoint = {"address": endpoint["address"], **files}
        self._kept = open_transport(kind, self._endpoint)

    def kept(self, token):
        """What a call ends with on the connection that was opened first."""
        return outcome(self._kept, "health", self._service, token)

    def again(self, token):
        """What a call ends with on a new connection."""
        with open_transport(self._kind, self._endpoint) as fresh:
            return outcome(fresh, "health", self._service, token)

    def close(self):
        """Hang up."""
        self._kept.close()


def rotate_certificates(connectors, tokens, outdated):
    """Rotate the certificates while all services are called; gives the traffic's results and those in the overlap."""
    with ExitStack() as stack:
        lines = {
            (service, kind): stack.enter_context(Traffic(connectors.transport(kind, service), service, tokens[service]))
            for service in SERVICES
            for kind in KINDS
        }
        for line in lines.values():
            line.wait_until_it_flows()
        connectors.ask("tls.rotate")
        overlap = [
            (one.name, call(tokens[service]))
            for (service, _), one in outdated.items()
            for call in (one.kept, one.again)
        ]
        connectors.ask("tls.retire")
    return {key: line.results for key, line in lines.items()}, overlap


def ends(client, token):
    """Whether calls on the kept connection, made without a pause, stop succeeding before long."""
    deadline = threading.Event()
    timer = threading.Timer(KEPT_S, deadline.set)
    timer.start()
    try:
        while (got := client.kept(token)) == Code.OK and not deadline.is_set():
            pass
        return got
    finally:
        timer.cancel()


@pytest.mark.criterion("B3.certificates")
def test_certificates_rotate_under_traffic(spiral, connectors, tmp_path):
    """No request is lost, both certificates work in the overlap, and the old ones, kept connections included, end."""
    tokens = {name: connectors.ask("credential", service=name)["token"] for name in SERVICES}
    with ExitStack() as stack:
        outdated = {}
        for service in SERVICES:
            for kind in KINDS:
                client = Outdated(connectors, kind, service, tmp_path)
                stack.callback(client.close)
                answer = client.kept(tokens[service])
                if answer != Code.OK:
                    spiral.blocked(f"{service} answers {answer} over {kind} before any rotation")
                outdated[service, kind] = client
        results, overlap = rotate_certificates(connectors, tokens, outdated)
        with spiral.measure("certificate-traffic") as traffic:
            for (service, kind), codes in results.items():
                for _, got in codes:
                    traffic.check(got == Code.OK, f"{service} {kind}: a request in the rotation ended as {got}")
        with spiral.measure("certificate-overlap") as both:
            for name, got in overlap:
                both.check(got == Code.OK, f"{name}: in the overlap the old certificate ends as {got}")
        with spiral.measure("certificate-refused") as after:
            for (service, _), client in outdated.items():
                again, kept = client.again(tokens[service]), ends(client, tokens[service])
                after.check(again == Code.UNAVAILABLE, f"{client.name}: the old certificate ends as {again}")
                after.check(kept == Code.UNAVAILABLE, f"{client.name}: a kept connection ends as {kept}")
        with spiral.measure("certificate-new") as new:
            for service, kind in outdated:
                got = outcome(connectors.transport(kind, service, fresh=True), "health", service, tokens[service])
                new.check(got == Code.OK, f"{service} {kind}: the new certificate ends as {got}")


@pytest.mark.criterion("B3.windows")
def test_rotation_windows_are_in_order(spiral, connectors):
    """Three windows for each service: unique, in order, opened before and closed after what they cover."""
    windows = {service: [] for service in SERVICES}
    if any(one["closed_at"] is None for one in connectors.ask("rotations")):
        connectors.ask("clock.advance", seconds=int(HOURS_48.total_seconds()))
    for one in connectors.ask("rotations"):
        if one["closed_at"] is None:
            connectors.ask("window.close", window_id=one["window_id"], service=one["service"])
    for _ in range(3):
        opened = {service: connectors.ask("window.open", service=service) for service in SERVICES}
        connectors.ask("clock.advance", seconds=int(HOURS_48.total_seconds()))
        for service, window in opened.items():
            windows[service].append(connectors.ask("window.close", window_id=window["window_id"], service=service))
    with spiral.measure("windows") as m:
        for service, own in windows.items():
            check_windows(m, service, own)


def check_windows(measure, service, windows):
    """Three checks for each window of a service."""
    for number, window in enumerate(windows):
        name = window["window_id"]
        opened, start, end, closed = (
            instant(window[key]) for key in ("opened_at", "covers_from", "covers_until", "closed_at")
        )
        said = re.fullmatch(r"(\d{8}T\d{6}Z)-PT48H", name)
        unique = [one["window_id"] for one in windows].count(name) == 1
        measure.check(
            said
            and unique
            and datetime.strptime(f"{said[1]}+0000", "%Y%m%dT%H%M%SZ%z") == start.replace(microsecond=0),
            f"{service}: {name} is no window of its own",
        )
        measure.check(
            opened <= start and end - start == HOURS_48 and closed >= end,
            f"{service}: {name} was open from {opened} to {closed}, and claims {start} to {end}",
        )
        earlier = windows[number - 1] if number else None
        measure.check(
            earlier is None or instant(earlier["closed_at"]) <= opened,
            f"{service}: {name} opens before the one before it has closed",
        )


def instant(text):
    """An RFC 3339 instant."""
    return datetime.fromisoformat(text)


@pytest.mark.criterion("B3.elapsed")
def test_48_hours_really_pass(spiral):
    """The newest closed window of a live target was open for 48 hours of trusted time."""
    closed = [one for one in spiral.target.connectors.ask("rotations") if one["closed_at"]]
    if not closed:
        spiral.blocked("no rotation window has been closed yet; run again when one has")
    with spiral.measure("window-open", unit="h") as m:
        newest = closed[-1]
        m.value((instant(newest["closed_at"]) - instant(newest["opened_at"])).total_seconds() / 3600)


@pytest.mark.criterion("B3.control")
def test_a_rotation_without_change_is_found_out(spiral):
    """A rotation that leaves the credential as it was is not called a rotation."""
    with spiral.control() as lazy:
        measure_rotation(spiral, lazy.connectors)
