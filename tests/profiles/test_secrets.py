import msgspec
import pytest

from pytest_spiral.profiles.probe import probe

VALUE = "correct-horse-battery-staple"


def test_a_secret_that_is_set_is_there_and_nothing_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIRAL_PROBED", VALUE)
    fact = probe("secret.SPIRAL_PROBED")
    assert (fact.state, fact.value, fact.kind) == ("present", True, "environment")
    written = msgspec.json.encode(fact)
    assert VALUE.encode() not in written
    assert str(len(VALUE)).encode() not in written


@pytest.mark.parametrize(("value", "why"), [(None, "is not set"), ("", "is set and empty"), (" ", "is set and empty")])
def test_a_secret_that_is_not_there_or_empty_is_absent(
    monkeypatch: pytest.MonkeyPatch, value: str | None, why: str
) -> None:
    monkeypatch.delenv("SPIRAL_PROBED", raising=False)
    if value is not None:
        monkeypatch.setenv("SPIRAL_PROBED", value)
    fact = probe("secret.SPIRAL_PROBED")
    assert (fact.state, fact.evidence) == ("absent", f"the environment variable SPIRAL_PROBED {why}")


@pytest.mark.parametrize("name", ["secret.", "secret.A-B", "secret.A B", "secret.1A"])
def test_what_is_no_name_of_a_variable_is_no_fact(name: str) -> None:
    with pytest.raises(ValueError, match="is no fact name"):
        probe(name)
