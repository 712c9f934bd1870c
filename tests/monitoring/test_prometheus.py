"""A real Prometheus scrapes the sandbox: every panel is answered, and a silent heart is an alert. Needs Debian's package."""

import re
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml

from pytest_spiral.transports import open_transport
from spiral_sandbox.target import start

SECONDS = 60
ENVIRONMENT = "a-name-of-this-test"
SILENT = "crown_handshake"
# Every time in the rules is cut to what a test can wait for; what they say stays.
SHORTER = ((r"\[2m\]", "[20s]"), (r"\[1h\]", "[20s]"), (r"for: \w+", "for: 3s"))


class Quiet(SimpleHTTPRequestHandler):
    """Serves the archive's files; says nothing."""

    def log_message(self, *_):
        """Nobody reads it."""


@contextmanager
def served(folder):
    """An HTTP server for a folder's files; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(component):
    """A way to open transports to a component, once each."""
    kept = {}

    def transport(kind, service=""):
        endpoint = component.endpoints[f"{service}.{kind}" if service else kind]
        if (kind, service) not in kept:
            kept[kind, service] = open_transport(kind, endpoint)
        return kept[kind, service]

    try:
        yield transport
    finally:
        for one in kept.values():
            one.close()


def job(name, endpoint, path="/metrics"):
    """A scrape configuration: the endpoint's, or a plain address's."""
    labels = {"environment": ENVIRONMENT}
    if isinstance(endpoint, str):
        return {
            "job_name": name, "metrics_path": path, "static_configs": [{"targets": [endpoint], "labels": labels}],
        }  # fmt: skip
    return {
        "job_name": name,
        "scheme": "https",
        "tls_config": {"ca_file": endpoint["ca"], "cert_file": endpoint["cert"], "key_file": endpoint["key"]},
        "static_configs": [{"targets": [endpoint["address"].removeprefix("https://")], "labels": labels}],
    }


class Scraper:
    """A running Prometheus."""

    def __init__(self, process, address):
        self._process = process
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, path, **query):
        """The API's answer; an empty mapping while it is not there yet."""
        try:
            reply = self._session.get(f"{self._address}/api/v1/{path}", params=query, timeout=SECONDS)
        except requests.ConnectionError:
            return {}
        if reply.status_code == 503:  # it is up and not ready
            return {}
        assert reply.ok, reply.text
        return reply.json()["data"]

    def close(self):
        self._session.close()

    def until(self, look, what):
        """Look again and again until there is something; it has no way to call us."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert self._process.poll() is None, "Prometheus ended"
            found = look()
            if found:
                return found
            threading.Event().wait(0.2)
        raise AssertionError(f"within {SECONDS} s Prometheus had no {what}")


@contextmanager
def scraping(program, folder, jobs):
    """Prometheus with our rules, scraping every second."""
    (folder / "rules.yml").write_text(shorter(), encoding="utf-8")
    scrapes = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({**scrapes, "scrape_configs": jobs}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        scraper = Scraper(process, f"http://{address}")
        yield scraper
        scraper.close()
    finally:
        process.terminate()
        process.wait(SECONDS)


def shorter():
    """The shipped rules with times that a test can wait for."""
    text = (Path(__file__).parents[2] / "monitoring" / "rules" / "transport.yml").read_text(encoding="utf-8")
    for old, new in SHORTER:
        assert re.search(old, text)
        text = re.sub(old, new, text)
    return text


@pytest.fixture(scope="module")
def scraper(prometheus, bundle, exercise, tmp_path_factory):
    """Prometheus while the sandbox is used; one connector's heart is silent."""
    folder = tmp_path_factory.mktemp("prometheus")
    sandbox = start((), 1, folder / "sandbox")
    over = threading.Event()
    try:
        names = ("operator", "memory", "connectors")
        operator, memory, connectors = (sandbox.component(name) for name in names)
        with opened(operator) as to_operator, opened(memory) as to_memory, opened(connectors) as to_connectors:
            exercise.use_memory(memory.ask, to_memory)

            def use():
                while not over.wait(0.5):
                    exercise.use_operator(operator.ask, to_operator)
                    exercise.use_connectors(connectors.ask, to_connectors, silent=(SILENT,))

            using = threading.Thread(target=use)
            with served(bundle / "metrics") as archive:
                jobs = [
                    job("spiral-operator", operator.endpoints["rest"]),
                    job("spiral-memory", memory.endpoints["rest"]),
                    job("spiral-connectors", connectors.endpoints["operator_api.rest"]),
                    job("spiral-boot", archive, "/boot.prom"),
                ]
                with scraping(prometheus, folder, jobs) as running:
                    using.start()
                    try:
                        yield running
                    finally:
                        over.set()
                        using.join()
    finally:
        sandbox.stop()


def test_every_panel_of_both_boards_is_answered(scraper, queries):
    """With something, not with an empty list: but alerts, which may be none, and what waits for an hour."""
    for one in queries.board_queries():
        text = one.text.replace("[1m]", "[10s]")
        if "ALERTS" in text:
            continue
        found = scraper.until(lambda text=text: scraper.ask("query", query=text).get("result"), one.where)
        assert all(each["metric"].get("environment") == ENVIRONMENT for each in found), one.where


def test_only_the_silent_heart_is_an_alert(scraper):
    def fired():
        alerts = scraper.ask("alerts").get("alerts", [])
        return [one["labels"] for one in alerts if one["state"] == "firing" and "Heart" in one["labels"]["alertname"]]

    (alert,) = scraper.until(fired, "alert for a silent heart")
    assert alert == {
        "alertname": "SpiralHeartbeatMissing",
        "connector": SILENT,
        "environment": ENVIRONMENT,
        "job": "spiral-connectors",
        "severity": "page",
    }


def test_a_fallback_is_an_alert(scraper):
    def fired():
        alerts = scraper.ask("alerts").get("alerts", [])
        return {one["labels"]["operation"] for one in alerts if one["labels"]["alertname"] == "SpiralParityByFallback"}

    assert scraper.until(fired, "alert for a fallback") == {"dispatch_command"}


def test_no_rule_is_in_error(scraper):
    groups = scraper.ask("rules")["groups"]
    assert {rule["name"]: rule.get("lastError", "") for group in groups for rule in group["rules"]} == {
        rule["name"]: "" for group in groups for rule in group["rules"]
    }
