import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.model.profile import EVIDENCE_LIMIT
from pytest_spiral.profiles.probe import probe

MakeProgram = Callable[..., Path]
HasEnded = Callable[..., bool]

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("name", "body", "value"),
    [
        ("git", "echo git version 2.39.5", "2.39.5"),
        ("node", "echo v20.20.2", "20.20.2"),
        ("docker", "echo 'Docker version 28.2.2, build e6534b4'", "28.2.2"),
        ("sox", "echo 'sox:      SoX v14.4.2'", "14.4.2"),
        ("promtool", "echo 'promtool, version 2.42.0+ds (branch: debian/sid)'", "2.42.0+ds"),
        ("ffmpeg", '[ "$*" = -version ] && echo ffmpeg version 5.1.6-0+deb12u1 Copyright', "5.1.6-0+deb12u1"),
        ("ffmpeg", "echo ffmpeg version N-1193-gabc; echo built with gcc 12.2.0", True),
        ("java", "echo 'openjdk version \"17.0.9\"' >&2", "17.0.9"),
        ("chromium", "echo 'chromium: 9: [: 25.6: bad' >&2; echo Chromium 156.0.1 built on Debian", "156.0.1"),
        ("jackd", "echo jackdmp version 1.9.21 tmpdir /dev/shm protocol 8; exit 255", "1.9.21"),
        ("ssh-keygen", "echo 'usage: ssh-keygen [-q]' >&2; exit 1", True),
        ("mute", "echo hello", True),
        ("reader", "read line; echo reader 1.0", "1.0"),
    ],
)
def test_a_program_that_tells_its_version_is_present_with_it(
    program: MakeProgram, name: str, body: str, value: str | bool
) -> None:
    path = program(name, body)
    fact = probe(f"tool.{name}")
    assert (fact.state, fact.value, fact.kind) == ("present", value, "environment")
    assert str(path) in fact.evidence
    assert fact.command.startswith(f"{name} ")


def test_a_program_is_asked_in_the_plain_locale(program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    program("sox", 'echo "locale=$LC_ALL"')
    assert probe("tool.sox").evidence.startswith("locale=C\n")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("echo broken library >&2; exit 1", "ended with status 1\nbroken library"),
        ("exit 0", "ended with status 0"),
        ("echo '   '", "ended with status 0"),
        ("kill -TERM $$", "ended by signal 15"),
        ("exit 127", "ended with status 127"),
    ],
)
def test_a_program_that_does_not_prove_that_it_works_is_unknown(program: MakeProgram, body: str, told: str) -> None:
    program("sox", body)
    fact = probe("tool.sox")
    assert fact.state == "unknown"
    assert told in fact.evidence


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ssh-keygen", "echo cannot load library >&2; exit 1"),
        ("ssh-keygen", "echo usage: ssh-keygen; exit 2"),
        ("jackd", "echo segmentation fault; exit 255"),
    ],
)
def test_an_odd_ending_proves_nothing_without_the_words_that_belong_to_it(
    program: MakeProgram, name: str, body: str
) -> None:
    program(name, body)
    assert probe(f"tool.{name}").state == "unknown"


def test_a_program_that_is_not_on_path_is_absent(program: MakeProgram) -> None:
    program("other", "echo 1.0")
    fact = probe("tool.jackd")
    assert (fact.state, fact.value) == ("absent", None)
    assert fact.evidence == "no jackd in the 1 folders of PATH"


def test_a_file_that_is_not_executable_is_no_tool(program: MakeProgram) -> None:
    path = program("jackd", "echo 1.0", mode=0o644)
    fact = probe("tool.jackd")
    assert fact.state == "absent"
    assert fact.evidence == f"not executable: {path}"


def test_a_folder_is_no_tool(program: MakeProgram) -> None:
    program("other", "echo 1.0").with_name("jackd").mkdir()
    assert probe("tool.jackd").state == "absent"


def test_a_file_that_the_kernel_cannot_start_is_unknown(program: MakeProgram) -> None:
    path = program("jackd", "")
    path.write_bytes(b"\x00no program\x00")
    fact = probe("tool.jackd")
    assert fact.state == "unknown"
    assert "could not be started" in fact.evidence


def test_bytes_that_are_not_text_are_kept_readable(program: MakeProgram) -> None:
    program("jackd", r"printf '\377\376 jackd 1.9.21\n'")
    fact = probe("tool.jackd")
    assert (fact.state, fact.value) == ("present", "1.9.21")
    assert fact.evidence.startswith(r"\xff\xfe jackd 1.9.21")


def test_a_hanging_program_is_ended_with_all_that_it_started(
    program: MakeProgram, tmp_path: Path, has_ended: HasEnded
) -> None:
    pids = tmp_path / "pids"
    program("jackd", f"echo $$ > {pids}; echo jackd 1.9.21; sleep 30 & echo $! >> {pids}; wait", system=True)
    fact = probe("tool.jackd")
    assert fact.state == "unknown"
    assert "no answer within" in fact.evidence
    assert "jackd 1.9.21" in fact.evidence
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 2
    assert all(has_ended(pid) for pid in started)


def test_the_check_that_a_process_has_ended_can_fail(has_ended: HasEnded) -> None:
    assert not has_ended(os.getpid(), 0)


def test_a_program_that_closes_its_output_and_stays_is_ended(
    program: MakeProgram, tmp_path: Path, has_ended: HasEnded
) -> None:
    pids = tmp_path / "pids"
    program("jackd", f"echo $$ > {pids}; exec >&- 2>&-; exec sleep 30", system=True)
    fact = probe("tool.jackd")
    assert fact.state == "unknown"
    assert "closed its output and did not end" in fact.evidence
    assert has_ended(int(pids.read_text()))


def test_a_child_that_left_the_group_and_keeps_the_output_does_not_hold_up_the_run(
    program: MakeProgram, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    program("jackd", f"setsid sleep 30 & echo $! > {pids}; echo jackd 1.9.21", system=True)
    try:
        fact = probe("tool.jackd")
    finally:
        os.kill(int(pids.read_text()), signal.SIGKILL)
    assert fact.state == "unknown"
    assert "no answer within" in fact.evidence


def test_endless_output_is_cut_and_its_writer_ended(program: MakeProgram) -> None:
    program("jackd", "while :; do echo jackd 1.9.21; done")
    fact = probe("tool.jackd")
    assert fact.state == "unknown"
    assert len(fact.evidence.encode()) <= EVIDENCE_LIMIT
    assert "[cut: the whole was" in fact.evidence


def test_much_output_on_both_streams_blocks_nobody(program: MakeProgram) -> None:
    flood = "head -c 300000 /dev/zero | tr '\\0' x"
    program("jackd", f"{flood} >&2; echo jackd 1.9.21; {flood}", system=True)
    fact = probe("tool.jackd")
    assert (fact.state, fact.value) == ("present", "1.9.21")
