"""Write the JSON Schemas (2020-12) of everything that a bundle holds, from the types that read and write it.

`python tools/write_schemas.py` writes them into `pytest_spiral/schemas/`; with `--check` nothing is written, and
the exit status is 1 where a file differs from what would be.
"""

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pytest_spiral.model.attestation import DecisionStatement, EnvelopeForm, ResultStatement
from pytest_spiral.model.base import DIGEST, MOST_INTEGER
from pytest_spiral.model.entry import ENTRIES
from pytest_spiral.model.evidence import BundleStart, Inventory
from pytest_spiral.model.examination import ExaminationStatement
from pytest_spiral.model.exchange import FallbackDocument
from pytest_spiral.model.gate import Plan
from pytest_spiral.model.judgement import Judgement
from pytest_spiral.model.manifest import Manifest
from pytest_spiral.model.measurement import Sample
from pytest_spiral.model.parity import HandshakeDocument, ParityDocument, TraceDocument
from pytest_spiral.model.record import RECORDS
from pytest_spiral.model.selftest import Certificate

FOLDER = Path(__file__).parents[1] / "pytest_spiral" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, tuple[type, str]] = {
    "plan": (Plan, "plan.json: the registered bar"),
    "bundle": (BundleStart, "bundle.json: what was known when the run began"),
    "inventory": (Inventory, "inventory.json: what was collected"),
    "summary": (Judgement, "summary.json: what was derived"),
    "selftest": (Certificate, "selftest.json: how the bar stood made-up defects"),
    "manifest": (Manifest, "manifest.json: what was sealed"),
    "envelope": (EnvelopeForm, "attestation.dsse.json and test-result.dsse.json: a payload and who signed it"),
    "decision": (DecisionStatement, "The payload of attestation.dsse.json"),
    "result": (ResultStatement, "The payload of test-result.dsse.json"),
    "trace": (TraceDocument, "traces/SERVICE/rest_trace.json and its kin: recorded exchanges"),
    "parity": (ParityDocument, "traces/SERVICE/rest_grpc_diff.json and its kin: what was compared"),
    "handshake": (HandshakeDocument, "traces/SERVICE/rest_handshake_with_expiry.json, grpc_trial_handshake.json"),
    "fallbacks": (FallbackDocument, "traces/SERVICE/fallbacks.json: calls that fell back"),
    "examination": (ExaminationStatement, "examined/CRITERION.json: what a person signs of a document"),
    "sample": (Sample, "One line of a file below samples/"),
}


_COUNT = {"type": "integer", "minimum": 0}
_WALL = {"type": "integer", "description": "microseconds since 1970-01-01 UTC"}
_MONO = {"type": "integer", "minimum": 0, "description": "nanoseconds since the journal's start"}


def main(arguments: list[str]) -> int:
    """Write or check all schemas; give the exit status back."""
    wanted = {f"spiral-{name}-1.schema.json": rendered(name, made) for name, made in schemas().items()}
    known = {path.name: path.read_text() for path in FOLDER.glob("*.schema.json")}
    if "--check" in arguments:
        stale = sorted(name for name in wanted.keys() | known.keys() if wanted.get(name) != known.get(name))
        sys.stderr.writelines(f"{name} differs from its types; run tools/write_schemas.py\n" for name in stale)
        return 1 if stale else 0
    for name in known.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema under its short name."""
    made = {name: {"title": title, **msgspec.json.schema(kind)} for name, (kind, title) in DOCUMENTS.items()}
    lines = {
        "journal": chained("One line of a file below journal/", RECORDS, {"n": _COUNT}, {"wall": _WALL, "mono": _MONO}),
        "ledger": chained("One line of a ledger, and of ledger.jsonl", ENTRIES, {"seq": _COUNT}, {"wall": _WALL}),
    }
    return {**made, **lines}


def chained(
    title: str, kinds: Mapping[str, type], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """The schema of a line of a chained file: one form for each kind. `before` and `after` stand around `prev`."""
    bodies, definitions = msgspec.json.schema_components(kinds.values(), ref_template="#/$defs/{name}")
    forms = [line(kind, body, before, after) for kind, body in zip(kinds, bodies, strict=True)]
    return {"title": title, "oneOf": forms, "$defs": definitions}


def line(kind: str, body: dict[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """A line that holds that kind of record."""
    fields = {
        **before,
        "prev": {"type": "string", "pattern": f"^{DIGEST.pattern}$"},
        **after,
        "kind": {"const": kind},
        "body": body,
    }
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def rendered(name: str, made: dict[str, Any]) -> str:
    """A schema as the file's text."""
    whole = {"$schema": DIALECT, "$id": f"urn:pytest-spiral:schema:{name}:1", **bounded(made)}
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def bounded(made: Any) -> Any:
    """The schema with what its types leave unsaid: the range of integers, and that a document states its format."""
    if isinstance(made, list):
        return [bounded(one) for one in made]
    if not isinstance(made, dict):
        return made
    inner = {key: bounded(one) for key, one in made.items()}
    if isinstance(inner.get("description"), str):
        inner["description"] = inspect.cleandoc(
            inner["description"]
        )  # before Python 3.13, docstrings keep their indent
    if inner.get("type") == "integer":
        return {"minimum": -MOST_INTEGER, "maximum": MOST_INTEGER, **inner}
    fields = inner.get("properties")
    if isinstance(fields, dict) and "format" in fields:
        inner["required"] = sorted({*inner.get("required", []), "format"})
    return inner


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
