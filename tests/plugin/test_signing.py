"""`--spiral-key`: the run is signed by the controller, in each way to run; a key that cannot be used is told first."""

import subprocess
import sys

import msgspec
import pytest

from pytest_spiral.evidence.keys import load_key, make_key, write_key
from pytest_spiral.model.evidence import BundleStart
from pytest_spiral.rules.trust import parse_trust
from pytest_spiral.run.grounds import Grounds
from pytest_spiral.run.verify import verify_bundle


@pytest.fixture
def key(tmp_path_factory):
    """A private key's file, outside of the project."""
    path = tmp_path_factory.mktemp("keys") / "job.key"
    write_key(path, make_key())
    return path


def checked(bundle, key):
    line = f'ci namespaces="spiral-job" {load_key(key).public}'
    return verify_bundle(bundle, Grounds(trust=parse_trust(line, "t")))


@pytest.mark.parametrize("way", [(), ("-p", "no:xdist"), ("-n", "2")], ids=["plain", "without-xdist", "two-workers"])
def test_a_run_is_signed_by_the_job(lab, key, way):
    lab.smallest()
    lab.apart = True
    ran = lab.run(f"--spiral-key={key}", *way)
    assert (ran.status, ran.decision) == (0, "GO")
    assert "signed: job" in ran.line(" standing ")
    assert "sealed, signed" in " ".join(ran.out.split())
    proven = checked(ran.bundle, key)
    assert (proven.report.findings, proven.signed, proven.level) == ((), "job", "E1")
    start = msgspec.json.decode((ran.bundle / "bundle.json").read_bytes(), type=BundleStart)
    assert (start.signer.keyid, start.signer.role) == (load_key(key).keyid, "spiral-job")
    assert not (ran.bundle / "test-result.dsse.json").exists(), "no commit is known here"


def test_the_key_may_stand_in_the_ini_and_is_needed_for_evidence_only(lab, key):
    lab.smallest()
    lab.write("pytest.ini", f"[pytest]\nspiral_key = {key}\n")
    assert checked(lab.run().bundle, key).signed == "job"
    key.unlink()
    assert lab.run(evidence=False).status == 0
    assert lab.run().status == 4


def test_a_run_without_a_key_is_not_signed(lab):
    lab.smallest()
    ran = lab.run()
    assert "signed: none" in ran.line(" standing ")
    assert not (ran.bundle / "attestation.dsse.json").exists()


def test_a_clean_commit_is_what_the_test_result_is_about(lab, key):
    lab.smallest()
    lab.write(".gitignore", "*\n")
    for arguments in (["init", "-q"], ["add", "-f", "gates.toml"], ["commit", "-qm", "x"]):
        who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        subprocess.run(["git", "-C", str(lab.path), *who, *arguments], check=True, capture_output=True)
    ran = lab.run(f"--spiral-key={key}")
    assert (ran.bundle / "test-result.dsse.json").is_file()
    assert checked(ran.bundle, key).report.findings == ()


def test_cryptography_is_imported_for_a_key_only():
    code = (
        "import sys, pytest_spiral.plugin, pytest_spiral.run.gate_run, pytest_spiral.run.verify\n"
        "import pytest_spiral.evidence.envelope, pytest_spiral.evidence.keys\n"
        "print(sorted({'cryptography', 'securesystemslib'} & set(sys.modules)))\n"
        "pytest_spiral.evidence.keys.make_key()\n"
        "print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue\n"


def test_a_partial_run_is_signed_and_decides_nothing(lab, key):
    lab.gates('latency\nlimit = "max(x) <= 5 ms"\nsamples = 1', 'other\nlimit = "max(x) <= 5 ms"\nsamples = 1')
    lab.test(
        "".join(
            f'@pytest.mark.criterion("S1.{name}")\n'
            f'def test_{name}(spiral):\n    with spiral.measure("x", unit="ms") as m:\n        m.value(1)\n'
            for name in ("latency", "other")
        )
    )
    ran = lab.run(f"--spiral-key={key}", "-k", "latency")
    proven = checked(ran.bundle, key)
    assert (ran.decision, proven.signed, proven.report.findings) == ("none", "job", ())
    assert proven.status("conditional") == 1


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda key: key.unlink(), "cannot be read: No such file or directory. Remedy: spiral key new FILE."),
        (lambda key: key.chmod(0o644), "can be read or written by others (mode 0644). Remedy: chmod 600."),
        (lambda key: key.write_text("x"), "holds no private key. Remedy: spiral key new FILE."),
    ],
)
def test_a_key_that_cannot_be_used_is_told_before_anything_runs(lab, key, break_it, said):
    lab.smallest()
    break_it(key)
    ran = lab.run(f"--spiral-key={key}")
    assert (ran.status, ran.bundle) == (4, None)
    assert said in ran.out


def test_a_key_among_the_bundles_is_wrong_use(lab):
    lab.smallest()
    (lab.path / "reports").mkdir()
    write_key(lab.path / "reports" / "k", make_key())
    ran = lab.run("--spiral-key=reports/k")
    assert (ran.status, ran.bundle) == (4, None)
    assert "where bundles are made. Remedy: keep it outside the project." in ran.out


def test_a_run_that_kept_its_key_is_not_sealed(lab, key):
    lab.smallest()
    lab.test(
        f"""
import pathlib

def test_leak(spiral):
    body = pathlib.Path({str(key)!r}).read_text().splitlines()[1:-1]  # without what says that it is a key
    pathlib.Path("body.txt").write_text("\\n".join(body))
    spiral.attach(pathlib.Path("body.txt"))
""",
        name="test_leak.py",
    )
    ran = lab.run(f"--spiral-key={key}")
    assert ran.status == 1
    assert "the private key that signs stands in attachments" in " ".join(ran.out.split())
    assert ran.judgement is None
    assert ran.verified == 1


@pytest.mark.parametrize(
    ("arguments", "evidence", "said"),
    [
        (("--spiral-key=k",), False, "--spiral-key signs evidence, and none is taken. Remedy: add --spiral-evidence."),
        (("--spiral-key= ",), True, "--spiral-key names no file"),
    ],
)
def test_a_key_for_nothing_is_wrong_use(lab, arguments, evidence, said):
    lab.smallest()
    ran = lab.run(*arguments, evidence=evidence)
    assert ran.status == 4
    assert said in ran.out


def test_a_key_that_gets_into_what_is_derived_is_not_signed_over(lab, key):
    """Whatever a later page quotes, which no record of an attachment tells of."""
    lab.smallest()
    lab.write(
        "conftest.py",
        (lab.path / "conftest.py").read_text()
        + f"""
import pathlib
from pytest_spiral.run import gate_run

derive = gate_run.write_derived

def leak(folder, *rest):
    derive(folder, *rest)
    (folder / "page.txt").write_text(pathlib.Path({str(key)!r}).read_text())

gate_run.write_derived = leak
""",
    )
    run = lab.path / "reports" / "run"
    ran = lab.pytester.runpytest_subprocess("--spiral-evidence", f"--spiral-key={key}", "-p", "no:xdist")
    assert ran.ret == 1
    assert "the private key that signs stands in page.txt" in " ".join(ran.outlines)
    assert not list(run.glob("*/manifest.json"))
