"""Bytes that two readers might read in two ways, in each kind of file."""

import pytest

HOSTILE = [
    (b'{"n":0,"value":1,"value":2}', "json-duplicate-key"),
    (b'{"n":0,"value":NaN}', "json-number"),
    (b'{"n":0,"value":-Infinity}', "json-number"),
    (b'{"n":0,"value":1e400}', "json-number"),
    (b'{"n":0,"value":1e-400}', "json-number"),
    (b'{"n":0,"value":-0}', "json-negative-zero"),
    (b'{"n":0,"value":-0.0}', "json-negative-zero"),
    (b'{"n":0,"value":9007199254740992}', "json-integer"),
    (b'{"n":0,"ns":' + b"9" * 5000 + b"}", "json-integer"),
    (b'{"n":0,"failed":"\\ud800"}', "json-surrogate"),
    (b'{"n":0,"failed":"\xed\xa0\x80"}', "json-encoding"),
    (b'{"n":0,"failed":"\xff"}', "json-encoding"),
    (b'\xef\xbb\xbf{"n":0,"value":1}', "json-syntax"),
    (b'{"n":0,"value":1}x', "json-syntax"),
    (b'{"n":0,"value":1,}', "json-syntax"),
    (b'{"n":0,"failed":"\x00"}', "json-syntax"),
    (b"{'n':0,'value':1}", "json-syntax"),
    (b'{"n":0,"value":01}', "json-syntax"),
    (b"[" * 40 + b"]" * 40, "json-depth"),
    (b'{"n":0,"item":"a","seen":' + b"[" * 40 + b"]" * 40 + b"}", "json-depth"),
    (b'{"n":0,"value":1,"ok":true}', "field-wrong"),
    (b'{"n":0}', "field-wrong"),
    (b'{"n":0,"value":"1"}', "field-wrong"),
    (b'{"n":0.0,"value":1}', "field-wrong"),
    (b'{"n":true,"value":1}', "field-wrong"),
    (b'{"n":0,"value":1,"more":1}', "field-wrong"),
    (b"[]", "field-wrong"),
    (b"null", "field-wrong"),
]


@pytest.mark.parametrize(("line", "code"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_sample_has_one_reading_or_none(forger, verify, line, code):
    """The line stands in the file of the process that died, where no range binds it, and the manifest lists it."""
    (forger.folder / "samples/B1.latency/gw1-1.jsonl").write_bytes(line + b"\n")
    forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert answer.codes == answer.second_codes == {code}


@pytest.mark.parametrize("path", ["bundle.json", "inventory.json", "summary.json", "plan.json", "manifest.json"])
@pytest.mark.parametrize("hostile", [b"", b"{", b'{"format":1}', b"\xff", b'{"a":1,"a":2}', b"NaN", b"[" * 99])
def test_a_document_has_one_reading_or_none(forger, verify, path, hostile):
    forger.edit(path, lambda _: hostile)
    if path != "manifest.json":
        forger.seal()
    answer = verify(forger.folder)
    assert answer.refused
    assert {code for code in answer.codes if code.startswith(("json", "format", "field"))} == {
        code for code in answer.second_codes if code.startswith(("json", "format", "field"))
    }
