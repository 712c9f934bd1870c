"""Bundles signed with a key that was good once, or is not yet."""

import pytest

BEFORE, AFTER = ',valid-before="20200101Z"', ',valid-after="20300101Z"'


def mark(word, key, at):
    return f"# spiral: {word} {key.keyid} {'at' if word == 'superseded' else 'since'} {at}"


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize("at", [0, 1, 97, 2**53 - 1])
def test_without_a_ledger_nobody_knows_what_came_before(signing, signed, hold, word, at):
    """Whoever has the key can state any date, so that dates of the bundle prove nothing."""
    answer = hold(signed, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n")
    assert answer.refused
    assert answer.codes == answer.second_codes == {f"attestation-key-{word}"}


@pytest.mark.parametrize("options", [BEFORE, AFTER])
def test_a_key_signs_only_while_it_is_valid(signing, signed, hold, options):
    answer = hold(signed, trust=signing.line(signing.job, options=options))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-key-time"}


@pytest.mark.parametrize("word", ["superseded", "compromised"])
@pytest.mark.parametrize("order", ["sealed-last", "sealed-between", "not-sealed"])
def test_a_ledger_that_came_with_the_bundle_places_nothing(signing, hold, with_own_ledger, word, order):
    """Whoever has the key writes a whole ledger into the bundle, in which the run stands before the mark."""
    folder = with_own_ledger(order)
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, 97)}\n")
    assert answer.refused
    assert f"attestation-key-{word}" in answer.codes & answer.second_codes


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_kept_ledger_that_shows_it_later_helps_no_more(signing, with_own_ledger, hold, kept_of, word, at):
    folder = with_own_ledger("kept")
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n", kept=kept_of(folder))
    assert answer.refused
    assert answer.codes == {f"attestation-key-{word}"}


@pytest.mark.parametrize("at", [4, 60])
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_a_branch_stands_where_it_was_adopted(signing, with_own_ledger, hold, kept_of, word, at):
    """Whoever has the key writes a branch from an early entry, and has it adopted long after the mark."""
    folder = with_own_ledger("adopted")
    answer = hold(folder, trust=f"{signing.line(signing.job)}\n{mark(word, signing.job, at)}\n", kept=kept_of(folder))
    assert answer.refused
    assert answer.codes == {f"attestation-key-{word}"}


@pytest.mark.sound
def test_a_branch_that_was_adopted_before_the_mark_stands(signing, with_own_ledger, hold, kept_of):
    folder = with_own_ledger("adopted")
    answer = hold(
        folder, trust=f"{signing.line(signing.job)}\n{mark('superseded', signing.job, 62)}\n", kept=kept_of(folder)
    )
    assert (answer.codes, answer.status, answer.level) == (set(), 0, "E1")


@pytest.mark.sound
@pytest.mark.parametrize("word", ["superseded", "compromised"])
def test_what_a_kept_ledger_shows_before_the_mark_stands(signing, with_own_ledger, hold, kept_of, word):
    folder = with_own_ledger("kept")
    trust = f"{signing.line(signing.job)}\n{mark(word, signing.job, 4)}\n"
    answer = hold(folder, trust=trust, kept=kept_of(folder))
    assert (answer.codes, answer.status, answer.level) == (set(), 0, "E1")


@pytest.mark.sound
def test_a_key_that_nobody_revoked_vouches(signing, signed, hold):
    answer = hold(signed, trust=signing.line(signing.job))
    assert answer.codes == answer.second_codes == set()
    assert answer.level == "E1"
