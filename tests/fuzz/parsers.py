"""Everything that reads bytes or text from outside: what it is called with, what it may raise, what it reads well.

One table for two kinds of fuzzing: hypothesis in the tests, atheris by `make fuzz`. A parser gives a value or raises
an error of its own; anything else it raises, every hang and every memory that grows without bound is a fault of it.
"""

import base64
import hashlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pytest_spiral.errors import GatesFileError, UntrustedError, UseError
from pytest_spiral.evidence.envelope import open_envelope, parse_statement
from pytest_spiral.evidence.keys import load_key
from pytest_spiral.evidence.sshsig import verify_sshsig
from pytest_spiral.ledger.gitref import parse_place
from pytest_spiral.model.attestation import DecisionStatement, ResultStatement
from pytest_spiral.model.entry import LedgerBegun
from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.model.examination import SIGNOFF, ExaminationStatement
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.manifest import Manifest
from pytest_spiral.model.parity import ParityDocument, TraceDocument
from pytest_spiral.model.record import End
from pytest_spiral.rules import examination
from pytest_spiral.rules.canonical import canonical_bytes, parse_canonical, parse_foreign, parse_strict, parse_value
from pytest_spiral.rules.chain import parse_line
from pytest_spiral.rules.criteria import plan_faults
from pytest_spiral.rules.entries import NOTHING, encode_entry, lines_of, parse_head, read_entries, with_branches
from pytest_spiral.rules.expectation import parse_expectation
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.inventory import parse_inventory
from pytest_spiral.rules.limits import LimitError, parse_limit
from pytest_spiral.rules.requirements import RequirementError, parse_requirement
from pytest_spiral.rules.sampling import parse_samples
from pytest_spiral.rules.trust import parse_moment, parse_public_key, parse_trust
from pytest_spiral.rules.units import UnitError, parse_quantity
from pytest_spiral.run.gates import parse_gate_file

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Parser:
    """`read` takes bytes; `errors` are its own; `seeds` are read well, and a fuzzer begins with them."""

    read: Callable[[bytes], Any]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]


def of_text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """A reader of text for bytes: what is no UTF-8 is refused by `run.grounds.read_text` before it comes this far."""
    return lambda data: read(data.decode("utf-8", "replace"))


def load(name: str, path: str) -> Any:
    """A module from its file: the second verifier is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _plan(data: bytes) -> None:
    for _ in plan_faults(parse_canonical(data, Plan)):
        pass


def _ledger(data: bytes) -> None:
    for _ in with_branches(read_entries(lines_of(data))):
        pass


def _envelope(data: bytes) -> None:
    envelope = open_envelope(data)
    for kind in (DecisionStatement, ResultStatement):
        try:
            parse_statement(envelope.payload, kind)
        except UntrustedError as refused:
            if refused.code != "attestation-type":
                raise


def _inventory(data: bytes) -> None:
    for _ in parse_inventory(iter(data.splitlines(keepends=True)), Limits()):
        pass


def _key(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        path.touch(0o600)
        path.write_bytes(data)
        load_key(path)


DIGEST = f"sha256:{'0' * 64}"
STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"configuration":[],"failedTests":[],"passedTests":[],'
    b'"result":"PASSED","warnedTests":[]},"predicateType":"https://in-toto.io/attestation/test-result/v0.1",'
    b'"subject":[{"digest":{"gitCommit":"3f9c"},"name":"git+3f9c"}]}'
)
ENVELOPE = canonical_bytes(
    {
        "payload": base64.b64encode(STATEMENT).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "SHA256:x", "sig": base64.b64encode(bytes(64)).decode()}],
    }
)
START = {
    "format": "spiral-bundle/1", "run": "20261122T093000Z-stage_b-3f9c1a", "nonce": "0" * 32, "opened": 1, "plan": DIGEST,
    "target": {"name": "sandbox", "fidelity": "sandbox"}, "scope": {"stages": ["stage_b"]},
    "profile": {"name": "bench", "facts": []}, "argv": ["pytest"],
}  # fmt: skip
EXAMINED = examination.render_statement(
    ExaminationStatement(
        criterion="S1.charter", document="docs/charter.md", bytes=7, sha256=DIGEST, signer="ada",
        examined="2026-11-01T08:00:00Z",
    )
)  # fmt: skip
LINE = b'{"n":0,"prev":"%s","wall":1,"mono":1,"kind":"end","body":{"status":"finished"}}\n' % DIGEST.encode()
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key of nobody").digest())
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
TRUST = (
    b'# people\nci@example.org namespaces="spiral-job",valid-after="20260101Z",valid-before="203001010000Z" '
    + PUBLIC
    + b" the runner\n"
)
GATES = """\
format = 1
[[gate]]
id = "S1"
title = "Search answers"
owner = "@search"
subjects = ["memory"]
[[gate.criterion]]
id = "S1.latency"
limit = "p95(search) <= 120 ms"
samples = 100
confidence = 0.95
margin = "10 ms"
requires = "memory >= 1 GiB"
[[gate.criterion]]
id = "S1.control"
control = { of = "S1.latency", fault = "memory.slow", verdict = "fail" }
"""
EXPECTATION = f"""\
format = 1
commit = "{"0" * 40}"
plan = "{DIGEST}"
level = "E1"
criteria = ["B1.recall"]
tests = ["test_b1.py::test_recall"]
published = 2026-11-22T10:00:00Z
"""
SUMMARY = {
    "format": "spiral-summary/1", "run": "r", "plan": DIGEST, "rules": "spiral-rules/1", "target": "sandbox",
    "partial": False, "decision": "GO", "permission": 2, "criteria": [], "gates": [], "stages": [], "debts": [],
    "counts": {"pass": 1}, "tests": {},
}  # fmt: skip


TRACE = {"format": "spiral-trace/1", "service": "operator", "transport": "rest", "exchanges": [], "left_out": 1}
COMPARED = {"format": "spiral-parity/1", "service": "operator", "terms": {}, "comparisons": []}


@cache
def _second() -> Any:
    return load("fuzzed_second_verifier", "tools/verify_bundle.py")


def table() -> dict[str, Parser]:
    """All parsers by name; imports what it lists."""
    from spiral_sandbox import faults
    from spiral_sandbox.boot import manifest
    from spiral_sandbox.boot.errors import ManifestError
    from spiral_sandbox.connectors import clock, rotation
    from spiral_sandbox.crown import replay, rules
    from spiral_sandbox.errors import FaultFileError
    from spiral_sandbox.sonic import demo, presets

    second = _second()
    untrusted = (UntrustedError,)
    ledger = encode_entry(0, NOTHING, 1, LedgerBegun(nonce="0"))
    return {
        "JSON": Parser(parse_strict, untrusted, (b'{"a":[1,-2.5e3,"\\u00e9",null,true]}',)),
        "manifest": Parser(
            lambda data: parse_canonical(data, Manifest), untrusted,
            (_seed_manifest(),),
        ),
        "plan": Parser(_plan, untrusted, (_seed_plan(),)),
        "bundle.json": Parser(lambda data: parse_value(data, BundleStart), untrusted, (json.dumps(START).encode(),)),
        "summary": Parser(lambda data: parse_value(data, Judgement), untrusted, (json.dumps(SUMMARY).encode(),)),
        "end record": Parser(lambda data: parse_value(data, End), untrusted, (b'{"status":"finished"}',)),
        "journal line": Parser(parse_line, untrusted, (LINE,)),
        "inventory": Parser(
            _inventory, untrusted,
            (
                b'{"format":"spiral-inventory/1","items":[\n{"id":"t","criteria":["B1.x"]}\n],"errors":["a"]}\n',
                b'{"format":"spiral-inventory/1","items":[{"id":"t"}],"errors":[]}',
            ),
        ),
        "samples": Parser(
            lambda data: parse_samples(data, 0), untrusted,
            (b'{"n":0,"value":1.5}\n{"n":1,"value":2}\n', b'{"n":0,"item":"a","seen":{"x":[1]}}\n'),
        ),
        "ledger": Parser(_ledger, untrusted, (ledger,)),
        "head": Parser(of_text(parse_head), untrusted, (f"spiral-head/1 {DIGEST} 3 {DIGEST}".encode(),)),
        "envelope": Parser(_envelope, untrusted, (ENVELOPE,)),
        "statement": Parser(lambda data: parse_statement(data, ResultStatement), untrusted, (STATEMENT,)),
        "examination": Parser(examination.parse_statement, untrusted, (EXAMINED,)),
        "SSH signature": Parser(
            lambda data: verify_sshsig(EXAMINED, _armour(data), SIGNOFF), untrusted, (_ssh_signature(EXAMINED),)
        ),
        "SSH armour": Parser(
            of_text(lambda text: verify_sshsig(EXAMINED, text, SIGNOFF)), untrusted,
            (_armour(_ssh_signature(EXAMINED)).encode(),),
        ),
        "trust root": Parser(of_text(lambda text: parse_trust(text, "t")), (UseError,), (TRUST,)),
        "public key": Parser(of_text(lambda text: parse_public_key(text, "k")), (UseError,), (PUBLIC,)),
        "private key": Parser(_key, (UseError,), (_private(PrivateFormat.OpenSSH), _private(PrivateFormat.PKCS8))),
        "moment": Parser(of_text(lambda text: parse_moment(text, "m")), (UseError,), (b"20260101Z", b"20260101120000Z")),
        "expectation": Parser(of_text(lambda text: parse_expectation(text, "e")), (UseError,), (EXPECTATION.encode(),)),
        "gates.toml": Parser(
            of_text(lambda text: parse_gate_file(text, Path("gates.toml"), "gates.toml", "")),
            (GatesFileError,), (GATES.encode(),),
        ),
        "limit": Parser(
            of_text(parse_limit), (LimitError,),
            (b"p95(search) <= 120 ms", b"rate(seen) >= 99.5 %", b"failures(x) <= 0", b"all-pass"),
        ),
        "requirement": Parser(
            of_text(parse_requirement), (RequirementError,),
            (b"memory >= 64 GiB and (not audio.playback or tool.git)", b'os.name == "linux"'),
        ),
        "quantity": Parser(of_text(parse_quantity), (UnitError,), (b"120 ms", b"-1.5 GiB", b"99.5 %")),
        "place in git": Parser(of_text(parse_place), (UseError,), (b"git:refs/spiral/ledger", b"git:o:refs/s/l")),
        "faults.toml": Parser(of_text(faults.parse_faults), (FaultFileError,), (_sandbox("faults.toml"),)),
        "presets.toml": Parser(of_text(presets.parse_presets), (ValueError,), (_sandbox("sonic/presets.toml"),)),
        "demo.toml": Parser(of_text(demo.parse_demo), (ValueError,), (_sandbox("sonic/demo.toml"),)),
        "rules.toml": Parser(
            of_text(rules.parse_rules), (ValueError,),
            (_sandbox("crown/rules.toml"),),
        ),
        "boot manifest": Parser(
            of_text(lambda text: manifest.parse_manifest(text, "m")), (ManifestError,),
            (_sandbox("boot/core.toml"), _sandbox("boot/drills.toml")),
        ),
        "session log": Parser(replay.replay_log, (), (_sandbox("crown/recorded/kimicho-guidance.jsonl"),)),
        "trace": Parser(lambda data: parse_foreign(data, TraceDocument), untrusted, (json.dumps(TRACE).encode(),)),
        "parity": Parser(lambda data: parse_foreign(data, ParityDocument), untrusted, (json.dumps(COMPARED).encode(),)),
        "instant": Parser(of_text(clock.parse_instant), (ValueError,), (b"2026-11-22T10:00:00Z",)),
        "window": Parser(of_text(rotation.parse_window_id), (rotation.RotationError,), (rotation.print_window_id(datetime(2026, 11, 22, tzinfo=UTC)).encode(),)),
        "second: manifest": Parser(
            lambda data: second.load(data, "Manifest", own_form=True), (second.Bad,), (_seed_manifest(),)
        ),
        "second: bundle.json": Parser(
            lambda data: second.load(data, "Bundle"), (second.Bad,), (json.dumps(START).encode(),)
        ),
        "second: trust root": Parser(of_text(second.read_trust), (ValueError,), (TRUST,)),
    }  # fmt: skip


def _armour(blob: bytes) -> str:
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.encodebytes(blob).decode()}-----END SSH SIGNATURE-----\n"


def _ssh_signature(message: bytes) -> bytes:
    """PROTOCOL.sshsig of OpenSSH, by hand."""

    def strings(*parts: bytes) -> bytes:
        return b"".join(len(one).to_bytes(4, "big") + one for one in parts)

    space, kind = SIGNOFF.encode(), b"ssh-ed25519"
    signed = b"SSHSIG" + strings(space, b"", b"sha512", hashlib.sha512(message).digest())
    inner = strings(kind, KEY.sign(signed))
    return b"SSHSIG\0\0\0\1" + strings(strings(kind, KEY.public_key().public_bytes_raw()), space, b"", b"sha512", inner)


def _private(form: PrivateFormat) -> bytes:
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption())


def _seed_manifest() -> bytes:
    return canonical_bytes({"format": "spiral-manifest/1", "files": [{"path": "a", "bytes": 1, "sha256": DIGEST}]})


def _seed_plan() -> bytes:
    file = parse_gate_file(GATES, Path("gates.toml"), "gates.toml", "stage_b")
    return canonical_bytes(Plan(gates=file.gates))


def _sandbox(name: str) -> bytes:
    return (ROOT / "spiral_sandbox" / name).read_bytes()


# What a careless parser falls over: depth, length, digits, and characters that are not what they look like.
TOKENS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\r\n", "\u2028".encode(), "\u202e".encode(), "\u0663".encode(),
    b'"', b"'", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"=", b"#", b"-0", b"1e400", b"1e-400", b"NaN",
    b"inf", b"-inf", b"9007199254740993", b"9" * 30, b"0x10", b"1_0", b"true", b"null", b"not ", b" and ", b" or ",
    b"[[gate]]\n", b"format = 1\n", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"\\", b"..", b"/",
)  # fmt: skip
BOMBS = {
    "nothing": b"",
    "brackets": b"[" * 50_000,
    "braces": b'{"a":' * 50_000,
    "rounds": b"(" * 50_000,
    "nots": b"not " * 50_000,
    "digits": b"9" * 50_000,
    "decimals": b"0." + b"1" * 50_000 + b" ms",
    "exponent": b"1e999999999",
    "blanks": b" " * 100_000,
    "line ends": b"\n" * 100_000,
    "quotes": b'"' * 50_001,
    "backslashes": b'"' + b"\\" * 50_001,
    "commas": b"," * 50_000,
    "dots": b".".join([b"a"] * 20_000),
    "one long name": b"a" * 100_000,
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "TOML: nested": b"format = 1\nx = " + b"[" * 50_000,
    "TOML: nested and closed": b"format = 1\nx = " + b"[" * 5_000 + b"]" * 5_000,
    "TOML: inline tables": b"format = 1\nx = " + b"{a=" * 5_000 + b"1" + b"}" * 5_000,
    "TOML: digits": b"format = 1\nx = " + b"9" * 50_000,
    "TOML: hexadecimal": b"format = 0x" + b"f" * 50_000,
    "TOML: dotted": b"format = 1\n" + b".".join([b"a"] * 5_000) + b" = 1",
    "TOML: the first moment": b"format = 1\npublished = 0001-01-01T00:00:00+23:59",
    "TOML: the last moment": b"format = 1\npublished = 9999-12-31T23:59:59-23:59",
    "TOML: a huge number": b"format = 1\n[[gate]]\nid = 1e999999999",
    "the first moment": b"0001-01-01T00:00:00+23:59",
    "the last moment": b"9999-12-31T23:59:59-23:59",
}
