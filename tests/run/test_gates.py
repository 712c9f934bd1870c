"""Reading gates.toml: what is read is what stands there, and every mistake has its line and a remedy."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_spiral.errors import GatesFileError, UseError
from pytest_spiral.model.gate import Control
from pytest_spiral.rules.criteria import plan_faults
from pytest_spiral.run.gates import load_gate_files, make_plan, parse_gate_file, read_gate_file, stage_of

SMALL = """\
format = 1
[[gate]]
id = "S1"
title = "T"
owner = "@o"
no_control = "small"
[[gate.criterion]]
id = "S1.work"
limit = "failures(work) <= 0"
samples = 5
"""


def test_what_is_read_is_what_stands_there(read, whole):
    file = read(whole, "stage_x")
    first, second = file.gates
    assert (first.id, first.stage, first.planned, second.planned) == ("S1", "stage_x", False, True)
    latency, work, dropouts, control = first.criteria
    assert (latency.samples, latency.confidence, latency.margin, latency.warm_up) == (100, "0.95", "10 ms", 5)
    assert (latency.blocks, latency.sampling, latency.seed) == (20, "open-loop", 7)
    assert (latency.requires, latency.fidelity, latency.subjects) == ("memory >= 1 GiB", "staging", ("memory",))
    assert [one.text for one in work.limits] == ["failures(work) <= 0", "min(items) >= 10 items"]
    assert [work.plan_of(one) for one in work.limits] == [20, 1]
    assert (work.census, work.consecutive, work.subjects) == (True, 2, ())
    assert (dropouts.exposure, dropouts.level) == ("20 s", "advisory")
    assert control.control == Control(of="S1.work", fault="s.broken", verdict="fail")
    assert [one.planned for one in second.criteria] == [True, True]
    assert (second.criteria[0].method, second.criteria[1].tests) == ("examine", ("tests/old",))


def test_cards_say_who_owes_what_and_where_it_stands(read, whole):
    card, _ = read(whole).cards
    assert (card.title, card.owner, card.objective) == ("Search answers in time", "@search", "Answers come fast.")
    assert (card.entry, card.due, card.source, card.line) == (("A1",), "C1", "gates.toml", 4)
    latency, work, *_ = card.criteria
    assert (latency.owner, latency.due, latency.promise) == ("@search", "C1", "P95 stays within 120 ms.")
    assert (work.owner, work.due) == ("@work", "D1")
    assert [one.line for one in card.criteria] == [13, 27, 37, 43]


def test_what_the_reader_takes_the_verifier_takes(read, whole):
    assert plan_faults(make_plan([read(whole)], (), ())) == ()


def test_layout_and_comments_are_no_change_of_the_bar(read, whole):
    spread = re.sub(r"^(\w+) = ", r"  \1   =   ", whole, flags=re.MULTILINE).replace("\n[[", "\n\n# more\n[[")
    assert read(spread).gates == read(whole).gates
    assert read(whole.replace("0.95", "0.950").replace("10 ms", "10.0 ms")).gates == read(whole).gates
    assert read(whole.replace("120 ms", "121 ms", 2)).gates != read(whole).gates


# mistakes: (what stands there, what is written instead, line, problem, remedy)

MISTAKES = [
    ("format = 1", "format = 2", 2, "`format` is 2.", "write `format = 1` at the top"),
    ("format = 1", "format = true", 2, "`format` is true.", "write `format = 1`"),
    ("format = 1", 'format = "1"', 2, "`format` is '1'.", "write `format = 1`"),
    ("format = 1", "", 1, "`format` is missing.", "write `format = 1`"),
    ("format = 1", "format = 1\nformats = 1", 3, "unknown key 'formats'.", "did you mean `format`?"),
    ("format = 1", "format = 1\nx = 1", 3, "unknown key 'x'.", "use one of format, assurance, gate"),
    ("samples = 100", "sampels = 100", 17, "unknown key 'sampels'.", "did you mean `samples`?"),
    ("seed = 7", "wibble = 7", 23, "unknown key 'wibble'.", "use one of id, promise"),
    ('title = "Search', 'titel = "Search', 6, "unknown key 'titel'.", "did you mean `title`?"),
    ('id = "S1"', 'id = "s1"', 5, "gate id 's1' is not of the form B1.", "use a capital letter and digits"),
    ('id = "S1"', 'id = "S1.x"', 5, "gate id 'S1.x' is not of the form B1.", "use a capital letter"),
    ('id = "S1"', "", 4, "`id` is missing or empty.", "write `id = "),
    ('id = "S1"', "id = 1", 5, "`id` is not a text.", "put it in quotes"),
    ('owner = "@search"\nobj', 'owner = "  "\nobj', 7, "`owner` is missing or empty.", "write `owner = "),
    ('title = "Search answers in time"\n', "", 4, "`title` is missing or empty.", "write `title = "),
    ('entry = ["A1"]', 'entry = "A1"', 9, "`entry` is not a list of texts.", "write `entry = ["),
    ('entry = ["A1"]', 'entry = ["A1", ""]', 9, "`entry` is not a list of texts.", "write `entry = ["),
    ('entry = ["A1"]', "entry = [1]", 9, "`entry` is not a list of texts.", "write `entry = ["),
    ("planned = true", 'planned = "yes"', 51, "`planned` is 'yes'.", "use true or false"),
    ('id = "S1.latency"', 'id = "latency"', 14, "criterion id 'latency' does not belong to gate S1.", "write `S1.` and"),
    ('id = "S1.latency"', 'id = "S2.latency"', 14, "does not belong to gate S1.", "write `S1.` and a word"),
    ('id = "S1.latency"', 'id = "S1.Latency"', 14, "does not belong to gate S1.", "write `S1.` and a word"),
    ('id = "S1.latency"', 'id = "S1."', 14, "does not belong to gate S1.", "write `S1.` and a word"),
    ('id = "S1.latency"', 'id = "S1.work"', 27, "S1.work stands twice", "give one of them another id."),
    ('id = "S2"', 'id = "S1"', 54, "criterion id 'S2.charter' does not belong", "write `S1.`"),
    ('"p95(search) <= 120 ms"', '"p95(search) <= 120"', 16, "has no unit.", "add one, as in `<= 120 ms`"),
    ('"p95(search) <= 120 ms"', '"p95(search) <= 120 msec"', 16, "no bound that can be read", "write a number"),
    ('"p95(search) <= 120 ms"', '"rate(search) >= 95 ms"', 16, "bounds a rate in ms.", "in %"),
    ('"p95(search) <= 120 ms"', "120", 16, "`limit` is a text, or a list of texts.", "write `limit = "),
    ('"p95(search) <= 120 ms"', "[]", 16, "`limit` is empty.", "name at least one limit"),
    ('"p95(search) <= 120 ms"', "[[]]", 16, "`limit` is a text, or a list of texts.", "write `limit = "),
    (", samples = 1 }", ", sample = 1 }", 29, "`limit` is a text, or a list of texts.", "write `limit = "),
    ("is = ", "at = ", 29, "`limit` is a text, or a list of texts.", "write `limit = "),
    (", samples = 1 }", ", samples = 0 }", 29, "`samples` is 0.", "use a whole number from 1 up"),
    (", samples = 1 }", ", samples = 10000001 }", 29, "plans 10000001 samples.", "plan 1 to 10000000"),
    ("samples = 100", "samples = 0", 17, "`samples` is 0.", "use a whole number from 1 up"),
    ("samples = 100", "samples = -1", 17, "`samples` is -1.", "use a whole number from 1 up"),
    ("samples = 100", "samples = 100.0", 17, "`samples` is 100.0.", "use a whole number"),
    ("samples = 100", "samples = true", 17, "`samples` is true.", "use a whole number"),
    ("samples = 100", 'samples = "100"', 17, "`samples` is '100'.", "use a whole number"),
    ("samples = 100", "samples = 99999999999999999999", 17, "`samples` is 99999999999999999999.", "from 1 up"),
    ("samples = 100", "samples = 50", 17, "50 samples can never prove p95(search) <= 120 ms", "take at least 59"),
    ("samples = 100\n", "", 16, "says not how many samples.", "add `samples = 100`"),
    ("samples = 100", "samples = 10000001", 17, "plans 10000001 samples.", "plan 1 to 10000000"),
    ("confidence = 0.95", "confidence = 95", 18, "confidence 95 is no share between 0.5 and 1.", "confidence = 0.95"),
    ("confidence = 0.95", "confidence = 1.0", 18, "confidence 1.0 is no share", "write `confidence = 0.95`"),
    ("confidence = 0.95", "confidence = 0.49", 18, "confidence 0.49 is no share", "write `confidence = 0.95`"),
    ("confidence = 0.95", 'confidence = "high"', 18, "confidence 'high' is no share", "write `confidence = 0.95`"),
    ("confidence = 0.95", "confidence = nan", 18, "this is no TOML", "mend that line."),
    ("confidence = 0.95", "confidence = inf", 18, "this is no TOML", "mend that line."),
    ("confidence = 0.95", "confidence = 1e999", 18, "this is no TOML", "mend that line."),
    ("confidence = 0.95", 'confidence = "none"', 18, "has no confidence, and says not why.", "add `confidence_reason`"),
    ("confidence = 0.95\n", "", 16, "declares no confidence.", "add `confidence = 0.95`"),
    ("confidence = 0.95", 'confidence = 0.95\nconfidence_reason = "x"', 19, "and has one.", "remove it, or write"),
    ('margin = "10 ms"', 'margin = "10"', 19, "`margin` has no unit.", "write for instance `margin = "),
    ('margin = "10 ms"', 'margin = "0 ms"', 19, "`margin` must be more than zero.", "write for instance"),
    ('margin = "10 ms"', 'margin = "10 MB"', 19, "cannot be converted to ms", "give the margin in ms"),
    ('margin = "10 ms"', 'margin = "some"', 19, "`margin`: ", "write a number and a unit"),
    ("warm_up = 5", "warm_up = -5", 20, "`warm_up` is -5.", "use a whole number from 0 up"),
    ("blocks = 20", "blocks = 19", 21, "has 19 blocks", "take at least 20"),
    ('sampling = "open-loop"', 'sampling = "open"', 22, "`sampling` is 'open'.", "use one of closed-loop, open-loop"),
    ("seed = 7", "seed = -7", 23, "`seed` is -7.", "use a whole number from 0 up"),
    ('"memory >= 1 GiB"', '"memry >= 1 GiB"', 24, "asks for what nothing answers.", "did you mean memory?"),
    ('"memory >= 1 GiB"', '"memory >= "', 24, "expected a number or a quoted text", "write facts and comparisons"),
    ('fidelity = "staging"', 'fidelity = "real"', 25, "`fidelity` is 'real'.", "use one of recorded, stub"),
    ('fidelity = "staging"', 'fidelity = "undeclared"', 25, "`fidelity` is 'undeclared'.", "use one of recorded"),
    ("consecutive = 2", "consecutive = 0", 32, "`consecutive` is 0.", "use a whole number from 1 up"),
    ("census = true", "census = 1", 31, "`census` is 1.", "use true or false"),
    ('exposure = "20 s"\n', "", 39, "counts, and says not over how much.", 'add `exposure = "20 s"`'),
    ('exposure = "20 s"', "exposure = 20", 40, "`exposure` is not a text.", "put it in quotes"),
    ('exposure = "20 s"', 'exposure = ""', 40, "`exposure` is missing or empty.", "write `exposure"),
    ('level = "advisory"', 'level = "optional"', 41, "`level` is 'optional'.", "use one of blocker, advisory"),
    ('level = "advisory"', "level = 1", 41, "`level` is 1.", "use one of blocker, advisory"),
    ('of = "S1.work"', 'of = "S1.gone"', 45, "S1.control controls 'S1.gone'", "name one of S1.latency"),
    ('of = "S1.work"', 'of = "S2.old"', 45, "S1.control controls 'S2.old'", "name one of S1.latency"),
    ('of = "S1.work", ', "", 45, "`control` is a table with `of`, `fault`", "write `control = {"),
    ('verdict = "fail"', 'verdit = "fail"', 45, "`control` is a table with `of`, `fault`", "write `control = {"),
    ('{ of = "S1.work", fault = "s.broken", verdict = "fail" }', '"S1.work"', 45, "`control` is a table", "write `control"),
    ('fault = "s.broken"', 'fault = ""', 45, "`control` has no text for `fault`.", "put a word in quotes"),
    ('fault = "s.broken"', "fault = 5", 45, "`control` has no text for `fault`.", "put a word in quotes"),
    ('verdict = "fail" }', 'verdict = "pass" }', 45, "a control's verdict cannot be 'pass'.", "use one of fail, invalid"),
    ('verdict = "fail" }', 'verdict = "fail" }\nlevel = "advisory"', 46, "S1.control is advisory", "remove `level"),
    ('verdict = "fail" }', 'verdict = "fail" }\nlimit = "all-pass"', 43, "must have exactly one of", "write for instance"),
    ('method = "examine"', 'method = "look"', 55, "`method` is 'look'.", "use one of measure, examine"),
    ('tests = ["tests/old"]', "tests = [1]", 61, "`tests` is not a list of texts.", "write `tests = ["),
    ('limit = "all-pass"', 'limit = "failures(a) <= 0"', 61, "binds tests, so its limit is all-pass.", "write `limit"),
    ('limit = "all-pass"', 'limit = "all-pass', 59, "this is no TOML", "mend that line."),
    ('[[gate.criterion]]\nid = "S2.old"', '[gate.criterion]\nid = "S2.old"', 57, "this is no TOML", "mend that line."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "problem", "remedy"), MISTAKES, ids=[f"{new[:30]}" for _, new, *_ in MISTAKES]
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(refused, whole, old, new, line, problem, remedy):
    assert old in whole
    found = refused(whole.replace(old, new, 1))
    assert found[0] == line, found
    assert problem in found[1]
    assert remedy in found[2]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "`format` is missing."),
        ("format = 1", 1, "there is no gate."),
        ("format = 1\ngate = []", 2, "there is no gate."),
        ("format = 1\ngate = 5", 2, "there is no gate."),
        ("format = 1\ngate = [5]", 2, "a gate is a table."),
        ("format = 1\n[gate]\nid = 'S1'", 1, "there is no gate."),
        ('format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"', 2, "gate S1 has no criterion."),
        ('format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"\ncriterion = [5]', 2, "a criterion is a table."),
        ('format = 1\n[[gate]]\nid = "S1"\ntitle = "T"\nowner = "@o"\ncriterion = 5', 6, "gate S1 has no criterion."),
        ("format = 1\nformat = 1", 2, "this is no TOML"),
        ("[" * 5000, 1, "this is no TOML"),
        ("format = 1\nx = " + "[" * 5000, 2, "this is no TOML: nested too deep"),
        ("format = 1\nx = 1979-13-45", 2, "this is no TOML"),
        ("format = 1\nx = " + "9" * 5000, 2, "this is no TOML"),
        ("format = 1\nx = 1." + "9" * 5000, 2, "this is no TOML"),
        (SMALL.replace('no_control = "small"\n', ""), 2, "gate S1 has no control, so nothing shows that it can fail."),
        (SMALL + SMALL.partition("\n")[2], 11, "S1 stands twice; it is also in gates.toml:2."),
        (SMALL + SMALL[SMALL.index("[[gate.c") :], 11, "S1.work stands twice; it is also in gates.toml:7."),
    ],
    ids=range(18),
)  # fmt: skip
def test_a_text_that_is_no_gates_file_is_refused(refused, text, line, problem):
    found = refused(text)
    assert problem in found[1]
    assert found[0] == line


@given(st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutilated_file_is_taken_or_refused_with_line_and_remedy(whole, tmp_path, data):
    lines = whole.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        cut = data.draw(st.integers(0, len(line)))
        lines[at : at + 1] = data.draw(
            st.sampled_from(
                [
                    [], [line, line], [line[:cut]], [line[cut:]], [line[:cut] + "\0" + line[cut:]], [line[:cut], line[cut:]],
                    [re.sub(r"\d+", "99999999999999999999999999", line)], [re.sub(r"\d+", "-0.5e7", line)], [line.lower()],
                    [line.replace('"', "")], [line.replace('"', "'''")], [re.sub(r"= .*", "= {}", line)],
                    [re.sub(r"= .*", "= 1979-05-27", line)], [re.sub(r"= .*", "= [[1], {a = nan}]", line)], [line, "é = 1"],
                    ["[[gate.criterion]]"], ["[gate]"], ["[[gate]]"], [re.sub(r"\w+ =", "gate.criterion.x =", line)],
                ]
            )
        )  # fmt: skip
    text = "\n".join(lines)
    try:
        file = parse_gate_file(text, tmp_path / "gates.toml", "gates.toml", "")
    except GatesFileError as error:
        line, remedy = error.line, error.remedy
    else:
        assert plan_faults(make_plan([file], (), ())) == ()
        return
    assert line is not None
    assert 1 <= line <= text.count("\n") + 1
    assert remedy


# files


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(GatesFileError, match=r"^gates.toml:1: the file cannot be read \(No such file or directory\)"):
        read_gate_file(tmp_path / "gates.toml", tmp_path)
    (tmp_path / "gates.toml").write_bytes(b"format = 1\n# caf\xe9\n")
    with pytest.raises(GatesFileError, match=r"^gates.toml:2: byte 16 is not UTF-8. Remedy: save"):
        read_gate_file(tmp_path / "gates.toml", tmp_path)


def test_a_file_outside_of_the_root_is_called_by_its_whole_path(tmp_path):
    (tmp_path / "gates.toml").write_text("")
    with pytest.raises(GatesFileError) as caught:
        read_gate_file(tmp_path / "gates.toml", tmp_path / "root")
    assert caught.value.path == str(tmp_path / "gates.toml")


@pytest.mark.parametrize(
    ("path", "stage"), [("suites/stage_b/gates.toml", "stage_b"), ("gates.toml", ""), ("a/b/gates.toml", "")]
)
def test_a_stage_is_the_folder_under_suites(tmp_path, path, stage):
    assert stage_of(tmp_path / path) == stage


@pytest.fixture
def folder(tmp_path):
    """Two gates files of two stages."""
    for number, stage in ((1, "stage_b"), (2, "stage_a")):
        path = tmp_path / "suites" / stage / "gates.toml"
        path.parent.mkdir(parents=True)
        path.write_text(SMALL.replace("S1", f"S{number}"))
    return tmp_path


def test_files_are_read_once_in_order_of_path(folder):
    files = load_gate_files(folder, ["suites/*/gates.toml", "suites/stage_b/gates.toml"])
    assert [file.folder.name for file in files] == ["stage_a", "stage_b"]
    assert [gate.stage for gate in make_plan(files, (), ()).gates] == ["stage_a", "stage_b"]


@pytest.mark.parametrize(
    ("stages", "gates", "expected"),
    [
        ((), (), ["S2", "S1"]),
        (("stage_b",), (), ["S1"]),
        ((), ("S2",), ["S2"]),
        (("stage_b",), ("S2",), []),
        (("stage_z",), (), []),
    ],
)
def test_a_plan_has_the_gates_that_are_named(folder, stages, gates, expected):
    files = load_gate_files(folder, ["suites/*/gates.toml"])
    assert [gate.id for gate in make_plan(files, iter(stages), iter(gates)).gates] == expected


def test_a_pattern_that_finds_nothing_gives_nothing(folder):
    assert load_gate_files(folder, ["gates.toml", "nowhere/*.toml", "suites/*"]) == ()


@pytest.mark.parametrize("pattern", ["", "/etc/*.toml"])
def test_a_pattern_that_is_none_is_refused(folder, pattern):
    with pytest.raises(UseError, match=r"finds no gates files .* Remedy: give a path below"):
        load_gate_files(folder, [pattern])


@pytest.mark.parametrize(("old", "new", "line"), [("S2", "S1", 2), ('"S2.work"', '"S1.work"', 0)])
def test_an_id_that_stands_in_two_files_is_refused(folder, old, new, line):
    path = folder / "suites/stage_a/gates.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(GatesFileError) as caught:
        load_gate_files(folder, ["suites/*/gates.toml"])
    if line:
        assert str(caught.value).startswith(
            "suites/stage_b/gates.toml:2: S1 stands twice; it is also in suites/stage_a"
        )
    else:
        assert "S1.work' does not belong to gate S2" in str(caught.value)


GUARDED = """\
format = 1
[[gate]]
id = "S1"
title = "T"
owner = "@o"
[[gate.criterion]]
id = "S1.work"
limit = "failures(work) <= 0"
samples = 5
[[gate.criterion]]
id = "S1.other"
limit = "failures(other) <= 0"
samples = 5
[[gate.criterion]]
id = "S1.control"
control = { of = "S1.work", fault = "s.broken" }
"""


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, [None, None, None]),
        ({"format = 1": 'assurance = "E1"'}, ["E1", "E1", None]),
        ({"title": 'assurance = "E2"'}, ["E2", "E2", None]),
        ({"format = 1": 'assurance = "E1"', "title": 'assurance = "E2"'}, ["E2", "E2", None]),
        ({"title": 'assurance = "E2"', "samples": 'assurance = "E1"'}, ["E1", "E2", None]),
    ],
)
def test_a_level_of_assurance_is_asked_for_by_file_gate_or_criterion(read, changes, found):
    text = GUARDED
    for before, line in changes.items():
        text = re.sub(f"^({before}.*)$", rf"\1\n{line}", text, count=1, flags=re.MULTILINE)
    assert [one.assurance for one in read(text).gates[0].criteria] == found


@pytest.mark.parametrize("level", ["E0", "E4", "e2", "signed"])
def test_no_other_level_can_be_asked_for(read, level):
    with pytest.raises(GatesFileError, match="assurance"):
        read(SMALL + f'assurance = "{level}"\n')
