"""Boot manifests: what is known, in which order it starts, and one sentence for what cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_sandbox.boot.errors import ManifestError
from spiral_sandbox.boot.manifest import filled, load_manifest, parse_manifest
from spiral_sandbox.boot.service import HERE

PART = """
[[component]]
name = "{name}"
run = ["/bin/true"]
after = {after}
check = {{ kind = "file", path = "{{folder}}/ready" }}
{more}
"""


def manifest(*parts):
    """A manifest's text of (name, after, further lines)."""
    text = 'format = 1\nname = "m"\n'
    for name, after, *more in parts:
        text += PART.format(name=name, after=list(after), more="\n".join(more)).replace("'", '"')
    return text


def refused(text):
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text, "boot.toml")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("The boot manifest boot.toml cannot be taken: ")
    return sentence


@pytest.mark.parametrize("name", ["core", "drills"])
def test_the_shipped_manifests_hold(name):
    assert load_manifest(HERE / f"{name}.toml").primaries()


def test_the_core_has_every_kind_of_check():
    parts = load_manifest(HERE / "core.toml").parts
    assert {part.check.kind for part in parts} == {"http", "grpc", "file", "exit"}


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=10))
def test_each_starts_after_all_that_it_waits_for(graph):
    parts = [(f"c{n}", [f"c{one}" for one in sorted(waits) if one < n]) for n, waits in enumerate(graph)]
    order = [part.name for part in parse_manifest(manifest(*reversed(parts)), "m").primaries()]
    assert sorted(order) == sorted(name for name, _ in parts)
    for name, after in parts:
        assert all(order.index(one) < order.index(name) for one in after)


@given(st.integers(1, 9))
def test_a_cycle_is_one_sentence_that_names_it(size):
    parts = [(f"c{n}", [f"c{(n + 1) % size}"]) for n in range(size)]
    sentence = refused(manifest(("free", []), *parts))
    assert "components wait for each other: " in sentence
    assert sentence.count(" waits for ") == size
    assert "free" not in sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (manifest(("a", ["b"])), "a waits for 'b', which is not in the manifest"),
        (manifest(("a", []), ("s", [], 'standby_for = "a"'), ("b", ["s"])), "b waits for 's', which is a standby"),
        (manifest(("a", []), ("a", [])), "'a' stands twice"),
        (manifest(("A", [])), "'A' is no name of a component"),
        (manifest(("s", [], 'standby_for = "a"')), "stands by for 'a', which is no component"),
        (manifest(("a", []), *((f"s{n}", [], 'standby_for = "a"') for n in (1, 2))), "a has more than one standby"),
        (manifest(("a", []), ("b", []), ("s", ["b"], 'standby_for = "a"')), "take its `after` away"),
        (manifest(("a", [])).replace("{folder}", "{home}"), "a names {home}; there are python"),
        (manifest(("a", [])).replace('"file", path = "{folder}/ready"', '"http"'), "has no `port`"),
        (manifest(("a", [])).replace('"file", path', '"exit", path'), "has a `path` exactly where"),
        (manifest(("a", [])).replace(', path = "{folder}/ready"', ""), "has a `path` exactly where"),
        (manifest(("a", [])).replace('"file"', '"file", run = ["x"]'), "has a `run` exactly where"),
        (manifest(("a", [], "attempts = 0")), "attempts"),
        (manifest(("a", [], "ready_within_s = 0")), "ready_within_s"),
        (manifest(("a", [], "patience = 1")), "unknown field `patience`"),
        (manifest(("a", [])).replace("format = 1", "format = 2"), "format"),
        ('format = 1\nname = "m"\ncomponent = []', "component"),
        ("format = ", "Invalid value"),
        ("format = " + "9" * 5_000, "digits"),
        ("format = " + "[" * 5_000, "recursion"),
    ],
)
def test_what_cannot_be_is_one_sentence(text, words):
    assert words in refused(text)


def test_a_manifest_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ManifestError, match=r"none\.toml cannot be read"):
        load_manifest(tmp_path / "none.toml")


def test_the_digest_is_of_the_bytes():
    one, other = manifest(("a", [])), manifest(("a", []), ("b", []))
    assert parse_manifest(one, "m").digest == parse_manifest(one, "n").digest
    assert parse_manifest(one, "m").digest != parse_manifest(other, "m").digest


def test_a_time_limit_adds_up_what_the_policy_allows():
    policy = ["ready_within_s = 2.0", "stop_within_s = 1.0"]
    text = manifest(("a", [], *policy), ("b", ["a"], "attempts = 3", "back_off_s = 0.5", *policy)).replace(
        "/ready", '/ready", within_s = 1.0, path = "{folder}/ready'
    )
    with pytest.raises(ManifestError):  # a key twice
        parse_manifest(text, "m")
    whole = parse_manifest(manifest(("a", [], *policy), ("b", ["a"], "attempts = 3", "back_off_s = 0.5", *policy)), "m")
    assert whole.limit_s("a") == 2.0 + 2.0 + 1.0
    assert whole.limit_s("b") == 5.0 + 3 * 5.0 + 0.5 + 1.0


def test_places_are_filled_in():
    assert filled("{address} of {folder}/x", {"address": "h:1", "folder": "/f"}) == "h:1 of /f/x"
