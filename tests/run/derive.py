"""Derives everything that can be derived of a bundle and of a gates file, in whatever environment this runs in.

`python derive.py BUNDLE GATES.toml` prints the SHA-256 of each file and text as JSON. Under `careless` stand writers
that make the mistakes which the real ones must not make.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from pytest_spiral.evidence.read import read_evidence
from pytest_spiral.render.ci import render_annotations
from pytest_spiral.render.terminal import render_summary
from pytest_spiral.rules.canonical import canonical_bytes
from pytest_spiral.run.gate_run import write_derived
from pytest_spiral.run.gates import make_plan, parse_gate_file
from pytest_spiral.run.selftest import judge_proven
from pytest_spiral.run.verify import verify_bundle

DERIVED = ("selftest.json", "summary.json", "summary.md", "change_notes.md", "allurerc.mjs", "manifest.json")


def derive(bundle: Path, gates: Path) -> dict[str, bytes]:
    """What comes of it, by name."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(bundle, Path(folder) / bundle.name))
        for name in DERIVED:
            (copy / name).unlink()
        shutil.rmtree(copy / "allure-results")
        before = {path for path in copy.rglob("*") if path.is_file()}
        evidence = read_evidence(copy)
        judgement = judge_proven(evidence)
        write_derived(copy, evidence, judgement)
        made = {
            path.relative_to(copy).as_posix(): path.read_bytes()
            for path in sorted(copy.rglob("*"))
            if path.is_file() and path not in before
        }
    file = parse_gate_file(gates.read_text(encoding="utf-8"), gates, "gates.toml", "stage_x")
    made["plan.json"] = canonical_bytes(msgspec.to_builtins(make_plan([file], (), ())))
    made["verification"] = canonical_bytes(verify_bundle(bundle).as_json("go"))
    lines = render_summary(
        judgement, evidence.plan, evidence.bundle.gates, evidence.bundle, "reports", "sealed", 100, colour=True
    )
    made["terminal"] = "\n".join("".join(f"{one.style}|{one.text}" for one in line) for line in lines).encode()
    made["annotations"] = "\n".join(render_annotations(judgement, evidence.bundle.gates)).encode()
    return made


def careless(folder: Path) -> dict[str, bytes]:
    """The same by writers that take the order of a set, the local time, and the machine's own encoding."""
    written = folder / "encoded"
    with written.open("w", errors="replace") as file:
        file.write("0,5 µs: fünf")
    return {
        "of a set": " ".join({f"S1.criterion-{number}" for number in range(50)}).encode(),
        "in local time": time.strftime("%Y-%m-%d %H:%M", time.localtime(1_795_339_800)).encode(),
        "in the machine's encoding": written.read_bytes(),
    }


def main() -> None:
    """Print the digests of what was derived, careless writers last."""
    bundle, gates = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        made = {**derive(bundle, gates), **{f"careless: {name}": data for name, data in careless(Path(folder)).items()}}
    sys.stdout.write(json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in made.items()}))


if __name__ == "__main__":
    main()
