"""What a run printed is in its bundle as bytes, whatever they are, and neither capturing nor pdb notices."""

import pytest

GATE = 'first\nlimit = "max(search) <= 120 ms"\nsamples = 1'
PRINTS = """
import subprocess, sys
print("while importing")

@pytest.fixture
def talks():
    print("in setup")
    yield
    print("in teardown")

@pytest.mark.criterion("S1.first")
def test_first(spiral, talks):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
    print("plain text")
    os.write(1, b"no text \\xff\\xfe\\n")
    os.write(2, b"an error \\x80\\n")
    subprocess.run(["echo", "from a child"], check=True)
"""
STDOUT = b"while importing\nin setup\nplain text\nno text \xff\xfe\nfrom a child\nin teardown\n"


def logs(ran):
    return {path.name: path.read_bytes() for path in (ran.bundle / "logs").iterdir()}


def attached(ran):
    return {one.name: one for one in ran.evidence.attached if one.path.startswith("logs/")}


def test_everything_is_kept_as_bytes(lab):
    lab.gates(GATE)
    lab.test(PRINTS)
    ran = lab.run(apart=True)
    assert ran.decision == "GO"
    kept = logs(ran)
    assert kept["stdout.log"] == STDOUT
    assert kept["stderr.log"] == b"an error \x80\n"
    assert b"test session starts" in kept["terminal.log"]
    assert set(attached(ran)) == set(kept)
    assert {one.cut for one in attached(ran).values()} == {0}


def test_each_worker_keeps_its_own(lab):
    lab.gates(GATE)
    lab.test(PRINTS)
    ran = lab.run("-n", "2", apart=True)
    kept = logs(ran)
    assert STDOUT in (kept["gw0-stdout.log"], kept["gw1-stdout.log"])
    assert {kept["gw0-stdout.log"], kept["gw1-stdout.log"]} == {STDOUT, b"while importing\n"}
    assert b"test session starts" in kept["terminal.log"]


def test_a_line_of_100_megabytes_is_cut_and_the_cut_is_recorded(lab):
    lab.gates(GATE)
    lab.test("""
@pytest.mark.criterion("S1.first")
def test_first(spiral):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
    for _ in range(100):
        os.write(1, b"x" * 1_000_000)
""")
    ran = lab.run(apart=True)
    assert ran.decision == "GO"
    one = attached(ran)["stdout.log"]
    assert (one.bytes, one.cut) == (16 * 2**20, 100_000_000 - 16 * 2**20)
    assert logs(ran)["stdout.log"] == b"x" * one.bytes


def test_a_declared_secret_is_struck_out(lab):
    lab.gates(GATE)
    lab.write("pytest.ini", "[pytest]\nspiral_secrets = MY_SECRET\n")
    lab.monkeypatch.setenv("MY_SECRET", "xyzzy-plugh-7")
    lab.test(PRINTS + "    print('xyzzy-plugh-7'); os.write(2, b'xyzzy-'); os.write(2, b'plugh-7')\n")
    ran = lab.run(apart=True)
    assert ran.decision == "GO", ran.out
    assert b"plain text\n" in logs(ran)["stdout.log"]
    assert logs(ran)["stderr.log"] == b"an error \x80\n***"
    assert not any(b"xyzzy" in data for data in logs(ran).values())


def test_pytest_shows_captured_output_as_ever(lab):
    lab.gates(GATE)
    lab.test(PRINTS + "    assert 0\n")
    out = lab.run(apart=True).out
    assert "Captured stdout call" in out
    assert "from a child" in out


@pytest.mark.parametrize("option", ["-s", "--capture=sys", "--capture=tee-sys"])
def test_without_captured_descriptors_only_the_terminal_is_kept(lab, option):
    lab.gates(GATE)
    lab.test(PRINTS)
    ran = lab.run(option, apart=True)
    assert ran.decision == "GO"
    assert set(logs(ran)) == {"terminal.log"}


def test_a_test_that_captures_for_itself_still_does(lab):
    lab.gates(GATE)
    lab.test("""
@pytest.mark.criterion("S1.first")
def test_first(spiral, capfd):
    with spiral.measure("search", unit="ms") as m:
        m.value(1.0)
    print("mine")
    assert capfd.readouterr().out == "mine\\n"
    with capfd.disabled():
        print("shown at once")
""")
    ran = lab.run(apart=True)
    assert ran.decision == "GO", ran.out
    assert "shown at once" in ran.out


def test_the_reporter_gets_its_file_back(lab):
    lab.smallest()
    lab.write(
        "conftest.py",
        """
import pytest

@pytest.fixture
def client():
    class Client:
        def search(self, text): pass
    return Client()

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.add_cleanup(lambda: print(type(config.pluginmanager.getplugin("terminalreporter")._tw._file).__name__))
""",
    )
    ran = lab.run(apart=True)
    assert ran.out.rstrip().endswith("TextIOWrapper")
