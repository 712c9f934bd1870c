"""The smallest gate, exactly as the manual prints it."""

def test_the_smallest_gate_is_a_go(lab, way):
    lab.smallest()
    ran = lab.run(*way)
    assert ran.status == 0
    assert ran.verdicts == {"S1.latency": "pass"}
    assert ran.decision == "GO"
    assert ran.checked.status("go") == 0
    assert "sealed, E0: hashes only" in ran.line(" evidence ")
