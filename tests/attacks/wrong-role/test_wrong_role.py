"""Keys that sign what is not theirs to sign."""

import itertools

import pytest

BUNDLE_ROLES = ("spiral-job", "spiral-recorder")
OTHERS = ("spiral-signoff", "spiral-waiver", "spiral-revoke")


@pytest.mark.parametrize("roles", [*OTHERS, ",".join(OTHERS), "spiral-recorder", "git", "git,file"])
def test_a_job_signs_as_a_job_or_not_at_all(signing, signed, hold, roles):
    answer = hold(signed, trust=signing.line(signing.job, roles))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-role"}


@pytest.mark.parametrize("roles", [*OTHERS, ",".join(OTHERS), "spiral-job"])
def test_a_recorder_signs_as_a_recorder_or_not_at_all(signing, hold, roles):
    folder = signing.sign(
        signing.run(signing.recorder, "spiral-recorder", confinement=signing.CONFINED),
        signing.recorder,
        isolation="launcher",
    )
    answer = hold(folder, trust=signing.line(signing.recorder, roles))
    assert answer.refused
    assert answer.codes == answer.second_codes == {"attestation-role"}


@pytest.mark.parametrize(
    ("isolation", "code"), [("launcher", "attestation-statement"), ("countersign", "attestation-role")]
)
def test_a_job_cannot_say_that_it_was_isolated(signing, hold, isolation, code):
    folder = signing.sign(signing.run(signing.job), signing.job, isolation=isolation)
    answer = hold(folder, trust=signing.line(signing.job))
    assert answer.refused
    assert code in answer.codes & answer.second_codes


@pytest.mark.parametrize("isolation", ["none", "launcher"])
def test_a_run_that_announces_a_recorder_needs_one(signing, hold, isolation):
    folder = signing.sign(
        signing.run(signing.job, "spiral-recorder", confinement=signing.CONFINED), signing.job, isolation=isolation
    )
    answer = hold(folder, trust=signing.line(signing.job))
    assert answer.refused
    assert "attestation-role" in answer.codes


@pytest.mark.parametrize("roles", [",".join(pair) for pair in itertools.permutations(BUNDLE_ROLES)])
@pytest.mark.parametrize("isolation", ["launcher", "countersign"])
def test_a_key_that_jobs_hold_too_is_never_more_than_a_jobs(signing, hold, roles, isolation):
    role = "spiral-recorder" if isolation == "launcher" else "spiral-job"
    folder = signing.sign(
        signing.run(signing.job, role, confinement=signing.CONFINED), signing.job, isolation=isolation
    )
    answer = hold(folder, trust=signing.line(signing.job, roles), expect='format = 1\nlevel = "E2"\n')
    assert answer.status == 3
    assert answer.codes == {"expected-level"}
    assert answer.level == "E1"


@pytest.mark.parametrize("key", ["recorder", "stranger"])
def test_another_key_than_the_one_announced_signs_nothing(signing, hold, key):
    folder = signing.sign(signing.run(signing.job), getattr(signing, key))
    lines = (signing.line(signing.job), signing.line(getattr(signing, key), "spiral-recorder"))
    answer = hold(folder, trust="\n".join(lines))
    assert answer.refused
    assert "attestation-signer" in answer.codes & answer.second_codes


@pytest.mark.sound
@pytest.mark.parametrize("roles", ["spiral-job", "spiral-job,spiral-signoff"])
def test_a_jobs_key_is_e1(signing, signed, hold, roles):
    answer = hold(signed, trust=signing.line(signing.job, roles))
    assert (answer.codes, answer.second_codes, answer.level) == (set(), set(), "E1")


@pytest.mark.sound
@pytest.mark.parametrize("roles", ["spiral-recorder", "spiral-recorder,git"])
def test_a_recorders_key_is_e2(signing, hold, roles):
    folder = signing.sign(
        signing.run(signing.recorder, "spiral-recorder", confinement=signing.CONFINED),
        signing.recorder,
        isolation="launcher",
    )
    answer = hold(folder, trust=signing.line(signing.recorder, roles), expect='format = 1\nlevel = "E2"\n')
    assert (answer.codes, answer.second_codes, answer.level) == (set(), set(), "E2")
