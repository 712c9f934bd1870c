"""A criterion that cannot fail is invalid in every run, whatever its samples say."""


def test_a_limit_that_every_run_keeps_is_invalid(lab, way):
    lab.gates("work\nlimit = 'failures(work) <= 3'\nsamples = 3", "other\nlimit = 'failures(other) <= 2'\nsamples = 3")
    lab.test(
        "@pytest.mark.criterion('S1.work', 'S1.other')\n"
        "def test_work(spiral):\n"
        "    for name in ('work', 'other'):\n"
        "        with spiral.measure(name) as m:\n"
        "            for _ in range(3):\n"
        "                m.hit()\n"
    )
    ran = lab.run(*way)
    found = ran.criterion("S1.work")
    assert ran.verdicts == {"S1.work": "invalid", "S1.other": "pass"}
    assert (found.reason, ran.decision, ran.status) == ("unproven", "NOT-EVALUABLE", 1)
    assert "the selftest of its bar does not hold" in " ".join(ran.out.split())


def test_limits_that_contradict_each_other_are_invalid(lab):
    lab.gates("work\nlimit = ['max(work) <= 1 ms', 'min(work) >= 2 ms']\nsamples = 1")
    lab.test(
        "@pytest.mark.criterion('S1.work')\n"
        "def test_work(spiral):\n"
        "    with spiral.measure('work', unit='ms') as m:\n"
        "        m.value(1)\n"
    )
    ran = lab.run()
    assert ran.verdicts == {"S1.work": "fail"}
    assert b"no figure of work holds all of its limits" in (ran.bundle / "selftest.json").read_bytes()
