"""Check a bundle of pytest-spiral with nothing but Python: a second opinion that shares no code with the product.

    python -I tools/verify_bundle.py BUNDLE [--trust allowed_signers] [--require go|conditional] [--json]

Written from docs/evidence-format.md, for Python 3.11 or later. Reads only, follows no link, needs no network. Steps
have the numbers of the verifier's checklist; `not checked` stands beside what is left to others. Verdicts (steps 7, 9
and 10) are recomputed by `verify_verdicts.py`, where it lies beside this file. Exit status: 0 the decision is at least
what is required, 1 authentic but below it, partial or not sealed, 2 wrong use, 3 not to be trusted.
"""

import argparse
import base64
import fcntl
import hashlib
import json
import math
import os
import re
import stat
import sys
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path

DEPTH, LINE, RANGE, DOCUMENT, FILES, FILE = 32, 2**16, 2**20, 2**26, 100_000, 2**30
STEPS = "layout,strict parsing,digests,attestation,journals,inventory,provenance,time,verdicts,controls,ledger".split(
    ","
)
STEP_OF = (
    "2 file-too line json not-can format record-unk field inventory-form;1 unsealed never artifact file path manifest"
)
STEP_OF += (
    " too-many;3 digest plan-mis attachment;4 attestation;5 journal crash record samples;6 inventory;8 time;9 summary"
)
MAIN, HEAD, FOOT = "journal/main.jsonl", b'{"format":"spiral-inventory/1","items":[', b'],"errors":'
NAMES = (
    "plan.json bundle.json journal/main.jsonl inventory.json summary.json manifest.json attestation.dsse.json".split()
)
KINDS = ("Plan", "Bundle", "", "Inventory", "Summary", "Manifest", "")
OUTSIDE = set(NAMES[5:])
INTOTO, STATEMENT = "application/vnd.in-toto+json", "https://in-toto.io/Statement/v1"
DECISION = "https://pytest-spiral.readthedocs.io/gate-decision/v1"
# Types, a document a line; lower-case ones are records of a journal. `field?` may be left out. i integer, n number, b
# truth value (t: true where left out), o object, a anything, v scalar, [x] list, {x} map, =a,b one of these words (the
# first where left out), x~ or null; text where nothing is said.
FIELDS = """
Manifest format:=spiral-manifest/1 files:[File]; File path bytes:i sha256
Plan format:=spiral-plan/1 rules?:=spiral-rules/1 gates:[Gate]; Gate id stage criteria:[Criterion] planned?:b; Criterion id limits?:[Limit] level?:=blocker,advisory method?:=measure,examine samples?:i~ exposure?:s~ warm_up?:i blocks?:i confidence?:s~ confidence_reason?:s~ consecutive?:i census?:b sampling?:=closed-loop,open-loop margin?:s~ seed?:i~ requires?:s~ fidelity?:s~ subjects?:[s] control?:Control~ tests?:[s] planned?:b; Limit text statistic:=quantile,rate,count,failures,count-rate,min,max,mean,duration,equal,all-pass measurements?:[s] quantile?:s~ comparison?:=<=,>=~ bound?:s~ unit?:s~ samples?:i~; Control of fault verdict?:=fail,invalid,inconclusive,not-run
Bundle format:=spiral-bundle/1 run nonce opened:i mode?:=draft,release plan shard? attempt?:i target:Target scope:Scope profile:Profile argv:[s] options?:o ini?:o environment?:{s} packages?:{s} git?:o plugin?:{s} gates?:[o] require?:=conditional,go key? signer?:Signer~ ledger?:o~; Signer keyid role:=spiral-job,spiral-recorder; Target name? fidelity?:L facts?:{v} faults?:[s] seed?:i; Scope stages?:[s] gates?:[s] narrowed?:[s]; Profile name facts:[Fact]; Fact name state:=present,absent,unknown kind:=hardware,environment evidence command value?:v~ unit?:s~
Inventory format:=spiral-inventory/1 items?:[Item] errors?:[s]; Item id criteria?:[s] needs?:[s] selected?:t
Line n:i prev wall:i mono:i kind body:o; start process nonce format:=spiral-journal/1; end status?:=finished,interrupted,crashed exit_status?:i workers?:{Worker}; Worker n:i digest ended:b; test id criteria?:[s] raised?:=,assertion,error,skip,xfail,limited,blocked,lost,crash,exit,timeout phase?:=,setup,call,teardown why? needs?:[s] duration_ns?:i next?; crash process test why; stopped why running?:[s]; recovered state:=incomplete,ended torn?:{i} left?:[s] left_count?:i; target-lost subject test why; attached path name media_type bytes:i sha256 test? criteria?:[s] cut?:i
measure-opened file name unit test criteria:[s] run? control? planned?:i clock?:=none,monotonic,virtual resolution_ns?:i; range file offset:i bytes:i count:i sha256; measure-closed file bytes:i count:i sha256 raised?; run-opened run test criteria:[s]; run-closed run outcome:=closed,abandoned; control-opened control of fault test; control-closed control test raised?
fact fact:Fact; subject subject when:=start,end identity version digest registered:L challenge?:Challenge~ control?; Challenge kind nonce answers:o
Sample n:i value?:n~ ns?:i~ ok?:b~ failed?:s~ count?:i~ exposure?:n~ item?:s~ seen?:a why?:s~ warm?:b block?:i~ intended?:i~ sent?:i~ done?:i~
Summary format:=spiral-summary/1 run plan rules target partial:b decision:D~ permission:i criteria:[o] gates:[o] stages:[o] debts:[o] recovered? counts:{i} tests:{i} signed?:=none,job,recorder log?:=none,local,witnessed watermark?
Envelope payload payloadType signatures:[Signature]; Signature keyid sig; Statement _type subject:[Subject] predicateType predicate:Claim; Subject name digest:{s}; Claim run status plan bundle rules target profile decision:D~ stages:{D~} gates:{D~} verdicts:{V} ledger:o~ isolation:=none,launcher,countersign producer:o
"""
VERDICTS = ["fail", "invalid", "not-run", "inconclusive", "environment-limited", "pass", "inapplicable"]  # worst first
DECISIONS = ["NO-GO", "NOT-EVALUABLE", "CONDITIONAL GO", "GO"]
LEVELS = ["undeclared", "recorded", "stub", "simulated", "sandbox", "staging", "live"]
WORDS = {"V": VERDICTS, "D": DECISIONS, "L": LEVELS}
SCALARS = {"s": (str,), "i": (int,), "n": (int, float), "b": (bool,), "t": (bool,), "v": (str, int, float, bool)}
EMPTY = {"s": "", "i": 0, "b": False, "t": True, "L": "undeclared", "[": [], "{": {}, "o": {}}
TYPES = {
    name: {field: (kind or "s", bool(mark)) for field, mark, kind in re.findall(r"(\w+)(\??)(?::(\S+))?", fields)}
    for name, _, fields in (one.strip().partition(" ") for one in re.split("[;\n]", FIELDS) if one.strip())
}


class Bad(Exception):
    """Something that does not add up: reason code and what it is about. The code `left`: not checked here."""


def need(holds, code, said=""):  # raises Bad unless it holds
    if not holds:
        raise Bad(code, str(said))


def shown(text, most=160):  # what a bundle says, safe to print
    return ascii(str(text)[:most])[1:-1]


def sha(data):  # the digest of bytes, as bundles write it
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _object(pairs):
    need(len(dict(pairs)) == len(pairs), "json-duplicate-key", "a key stands twice in one object")
    return dict(pairs)


def _number(text):
    whole, number = re.fullmatch(r"-?\d+", text), float(text)
    need(not whole or (len(text) <= 17 and abs(int(text)) < 2**53), "json-integer", text[:40])
    tiny = number == 0 and re.search("[1-9]", re.split("[eE]", text)[0])
    need(math.isfinite(number) and not tiny, "json-number", text[:40])
    need(number or text[0] != "-", "json-negative-zero", text[:40])
    return int(text) if whole else number


READER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_number)


def parse(data):  # one JSON document that has one meaning only
    need(len(data) <= DOCUMENT, "file-too-large", f"more than {DOCUMENT} bytes")
    try:
        text, deep = data.decode(), 0
        for token in re.finditer(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[][{}]', text, re.DOTALL):
            deep += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            need(deep <= DEPTH, "json-depth", f"nested more than {DEPTH} deep")
        value = READER.decode(text)
    except UnicodeDecodeError as problem:
        raise Bad("json-encoding", f"byte {problem.start}") from problem
    except json.JSONDecodeError as problem:
        raise Bad("json-syntax", f"character {problem.pos}") from problem
    halves = "\\u" in text and re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))
    need(not halves, "json-surrogate", "half of a surrogate pair")
    return value


def canonical(value):  # RFC 8785 for what occurs in plan, manifest and envelope: no fractions
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def conform(value, kind, where):  # holds a value against its type, and fills in what was left out
    inner, fits = kind.rstrip("~"), True
    if (value is None and kind[-1] == "~") or inner == "a":
        return
    if inner in TYPES:
        need(type(value) is dict and not value.keys() - TYPES[inner].keys(), "field-wrong", f"unknown in {where}")
        for field, (own, optional) in TYPES[inner].items():
            need(field in value or optional, "field-wrong", f"{where} has no {field}")
            left_out = None if own[-1] in "~a" else own[1:].split(",")[0] if own[0] == "=" else EMPTY.get(own[0])
            conform(value.setdefault(field, copy(left_out)), own, f"{where}.{field}")
    elif inner[0] in "[{o":
        fits = type(value) is (list if inner[0] == "[" else dict)
        for one in (value.values() if inner[0] == "{" else value) if fits and inner != "o" else ():
            conform(one, inner[1:-1], where)
    elif inner[0] == "=" or inner in WORDS:
        fits = type(value) is str and value in WORDS.get(inner, inner[1:].split(","))
    else:
        fits = type(value) in SCALARS[inner]
    need(fits, "field-wrong", f"{where} does not have the type {kind[:40]}")


def load(data, kind, *, own_form=False):  # with `own_form`, the bytes must be their own RFC 8785 form
    value = parse(data)
    wanted = TYPES[kind].get("format", ("=",))[0][1:]
    found = value.get("format") if type(value) is dict and wanted else wanted
    need(found == wanted, "format-unknown", shown(found, 40))
    again = canonical(value) if own_form else data
    conform(value, kind, kind)
    need(again == data, "not-canonical", "not the RFC 8785 form of what it says")
    return value


def path_faults(path):  # reason codes of what is wrong with a path
    parts = path.split("/")
    device = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
    found = {"path-length": len(path) > 240 or max(map(len, parts)) > 100, "path-depth": len(parts) > 8}
    found["path-name"] = not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", part) for part in parts)
    return [code for code, wrong in {**found, "path-device": any(map(device.fullmatch, parts))}.items() if wrong]


# Ed25519, RFC 8032 section 5.1.
PRIME, GROUP = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
KEY = b"\0\0\0\x0bssh-ed25519\0\0\0 "  # what stands before the 32 bytes in OpenSSH's form
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME


def _point(data):
    y = int.from_bytes(data, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    x = x if x * x % PRIME == square else x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    sound = y < PRIME and x * x % PRIME == square and (x or not data[31] >> 7)
    need(sound, "attestation-signature", "a point is not one, or not in canonical form")
    return (x if x & 1 == data[31] >> 7 else PRIME - x), y


def _add(one, other):
    (a, b), (c, d) = one, other
    k = CURVE * a * b * c * d
    return (a * d + b * c) * pow(1 + k, -1, PRIME) % PRIME, (b * d + a * c) * pow(1 - k, -1, PRIME) % PRIME


def _times(number, point):
    one = point if number & 1 else (0, 1)
    return _add(_times(number >> 1, _add(point, point)), one) if number > 1 else one


def verify_ed25519(key, signature, message):
    """Raise Bad unless the signature holds: canonical points, S below the group's order, no key of low order."""
    s, code = int.from_bytes(signature[32:], "little"), "attestation-signature"
    need(len(key) == 32 and len(signature) == 64 and s < GROUP, code, "a size, or S not below the group's order")
    public, r = _point(key), _point(signature[:32])
    need(_times(8, public) != (0, 1), code, "a key of low order, which signs anything")
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % GROUP
    left = _times(s, _point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little")))
    need(left == _add(r, _times(hashed, public)), code, "not a signature of this key over these bytes")


def read_trust(text):
    """Ed25519 keys of an allowed_signers file by fingerprint: key, roles, from, until, own words. ValueError."""
    keys, words = {}, {}
    for line in filter(None, map(str.strip, text.splitlines())):
        own = re.fullmatch(r"# spiral: (superseded|compromised) (SHA256:\S+) (?:at|since) \d+", line)
        if own:
            words.setdefault(own[2], []).append(own[1])
        elif line[0] != "#" or line.startswith("# spiral"):
            read = re.fullmatch(r'\S+\s+((?:[a-z-]+="[^"]*",?)+)\s+(\S+)\s+(\S+)(?:\s.*)?', line)
            options = dict(re.findall(r'([a-z-]+)="([^"]*)"', read[1])) if read else {}
            roles = options.pop("namespaces", "").split(",")
            ends = [options.pop("valid-after", "00000101Z"), options.pop("valid-before", "99991231Z")]
            dated = all(re.fullmatch(r"\d{8}(\d{4}(\d\d)?)?Z", one) for one in ends)
            blob = base64.b64decode(read[3], validate=True) if read else b""
            name = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
            ours = read and read[2] == "ssh-ed25519"
            if options or not (dated and roles[0]) or name in keys or (ours and blob[:-32] != KEY):
                raise ValueError(f"{shown(line)} names no key with its namespaces, or names one twice")
            keys.update({name: (blob[-32:], roles, *(one[:-1].ljust(14, "0") for one in ends))} if ours else {})
    return {name: (*key, words.get(name, [])) for name, key in keys.items()}


class Check:
    """One bundle under examination: `steps` has state and note of each step; `found` step, code, path → sentence."""

    def __init__(self, root, trust=None):
        self.root, self.trust, self.found, self.files, self.read = os.path.realpath(root), trust, {}, {}, {}
        self.steps = {step: ["not-checked", ""] for step in range(1, 12)}
        self.records, self.heads, self.measures, self.samples, self.walls = [], {}, {}, 0, {}
        self.level, self.state, self.decision, self.partial, self.end = "E0", "", None, False, None
        if self._layout():
            for step in (self._documents, self._journals, self._present, self._digests, self._inventory):
                step()
            if self.end:
                self._verdicts()
            self._attestation()
        for step, *_ in self.found:
            self.steps[step][0] = "found"

    @property
    def outcome(self):  # as `spiral verify` calls it
        found = any(not code.startswith("unsealed") for _, code, _ in self.found)
        return "untrusted" if found else "sound" if self.state == "sealed" else "unsealed"

    def _expect(self, path, said, **holds):  # a finding for each code, with underscores, that does not hold
        for code in (code.replace("_", "-") for code, fine in holds.items() if not fine):
            step = next(row for row in STEP_OF.split(";") if code.startswith(tuple(row.split()[1:]))).split()[0]
            self.found.setdefault((int(step), code, shown(path, 300)), shown(said, 400))

    @contextmanager
    def _opened(self, path):  # what goes wrong in the block is a finding about the file
        try:
            with os.fdopen(os.open(f"{self.root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                yield file
        except Bad as bad:
            self._expect(path, bad.args[1], **{bad.args[0]: False})
        except OSError as problem:
            self._expect(path, problem.strerror, file_unreadable=False)

    def _of(self, *kinds):
        return [body for kind, body in self.records if kind in kinds]

    def _layout(self):  # 1: every name, no link followed; False where there are too many
        names = {}
        for at, folders, others, fd in os.fwalk(
            self.root, onerror=lambda e: self._expect("", e, file_unreadable=False)
        ):
            for name in sorted([*folders, *others]):
                path, status = (
                    os.path.relpath(f"{at}/{name}", self.root),
                    os.stat(name, dir_fd=fd, follow_symlinks=False),
                )
                folder, regular = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
                twin, deep = names.setdefault(path.lower(), path), folder and path.count("/") >= 7
                self._expect(path, "its name", path_twin=twin == path, **dict.fromkeys(path_faults(path), False))
                self._expect(path, "its kind", file_irregular=folder or regular, path_depth=not deep)
                self._expect(path, "its size", file_too_large=not regular or status.st_size <= FILE)
                self.files.update({path: status.st_size} if regular else {})
                folders.remove(name) if deep else None
            self._expect("", f"more than {FILES} names", too_many_files=len(names) <= FILES)
            if len(names) > FILES:
                return False
        self.steps[1] = ["held", f"{len(self.files)} files"]
        return True

    def _documents(self):  # 2: every document of ours
        self.steps[2][0] = "held"
        for path, kind in zip(NAMES, KINDS, strict=True):
            if kind and path in self.files:
                with self._opened(path) as file:
                    data = self.read[path] = file.read(DOCUMENT + 1)
                    value = load(data, kind, own_form=kind in ("Plan", "Manifest"))
                    feet = [at for at, line in enumerate(data.split(b"\n")) if line.startswith(FOOT)]
                    need(not data.startswith(HEAD + b"\n") or feet == [data.count(b"\n") - 1], "inventory-form")
                    self.read[kind] = value

    def _journals(self):  # 5: chains, starts, ends, and what records say of each other; then the samples they bind
        for path in sorted(self.files if NAMES[1] in self.read else (), key=lambda path: (path != MAIN, path)):
            own = re.fullmatch(r"journal/[^/]+\.jsonl", path)
            self._expect(path, "no journal", journal_unlisted=own or not path.startswith("journal/"))
            if own:
                head = self.heads[path[8:-6]] = {"n": -1, "digest": sha(self.read[NAMES[1]]), "ended": False}
                with self._opened(path) as file:
                    self._journal(path, head, file)
        self.end = self.heads.get("main", {}).get("end")
        for name, measure in self.measures.items():
            ended, path = self.heads[measure["process"]]["ended"], f"samples/{name}"
            begun = ended or measure["ranges"] or measure["closed"]
            self._expect(path, "a journal names it", samples_missing=path in self.files or not begun)
            finished = ended and self.end and self.end["status"] == "finished" and path in self.files
            self._expect(path, "its process ended well", samples_unclosed=measure["closed"] or not finished)
            if path in self.files:
                with self._opened(path) as file:
                    self._sample_file(measure, file)
        for path in (path for path in self.files if path.startswith("samples/") and self.heads):
            head = self.heads.get(path.rpartition("/")[2].rpartition("-")[0], {"ended": True})
            self._expect(path, "no record names it", samples_unlisted=path[8:] in self.measures or not head["ended"])
        if NAMES[1] in self.read:
            self.steps[5] = ["held", f"{len(self.records)} records, {self.samples} samples"]

    def _journal(self, path, head, file):
        process, mono, blocks = path[8:-6], 0, set()
        while raw := file.readline(LINE + 1):
            need(len(raw) <= LINE, "line-too-long", f"record {head['n'] + 1}")
            head["torn"] = not raw.endswith(b"\n")
            if head["torn"]:
                return
            before, was_ended, head["n"], head["digest"] = head["digest"], head["ended"], head["n"] + 1, sha(raw)
            said, first = f"record {head['n']}", "lines" not in head
            head["lines"] = True
            try:
                line = load(raw, "Line")
                kind, body = line["kind"], line["body"]
                need(kind.islower() and kind in TYPES, "record-unknown", shown(kind, 40))
                conform(body, kind, kind)
            except Bad as bad:
                self._expect(path, f"{said}: {bad.args[1]}", **{bad.args[0]: False})
                continue
            chained, sequence = line["prev"] == before, line["n"] == head["n"]
            self._expect(
                path, said, journal_sequence=sequence, journal_chain=chained, journal_time=line["mono"] >= mono
            )
            self._expect(path, said, journal_start=first == (kind == "start"), journal_after_end=not was_ended)
            head.update(n=line["n"], ended=was_ended or kind == "end", **({"end": body} if kind == "end" else {}))
            mono, measure = line["mono"], self.measures.get(body.get("file"))
            self.records.append((kind, body))
            self.walls.setdefault(process, []).append(line["wall"])
            block = (kind[:3], body.get("run", body.get("control")), "control" in body and body["test"])
            own = measure and measure["process"] == process
            if kind == "start":
                nonce = self.read.get("Bundle", body)["nonce"]
                self._expect(path, said, journal_foreign=(body["process"], body["nonce"]) == (process, nonce))
            elif kind == "measure-opened":
                named = body["file"].rpartition("/")[2].startswith(f"{process}-")
                faults = dict.fromkeys(path_faults(f"samples/{body['file']}"), False)
                self._expect(path, said, samples_foreign=named, record_order=not measure, **faults)
                kept = {**body, "process": process, "ranges": [], "closed": None, "samples": []}
                self.measures.setdefault(body["file"], kept)
            elif kind in ("range", "measure-closed"):
                again = own and body in (measure["closed"], *measure["ranges"][-1:])
                self._expect(path, said, record_order=again or (own and not measure["closed"]))
                if own and not again and kind == "range":
                    measure["ranges"].append(body)
                elif own:
                    measure["closed"] = measure["closed"] or (body if kind != "range" else None)
            elif kind in ("run-opened", "control-opened"):
                blocks.add(block)
            elif kind in ("run-closed", "control-closed"):
                self._expect(path, said, record_order=block in blocks)
                blocks.discard(block)

    def _sample_file(self, measure, file):  # every byte belongs to one range, every sample to one line
        whole, size, samples, closed = hashlib.sha256(), 0, measure["samples"], measure["closed"]
        for bound in measure["ranges"]:
            block, before, said = file.read(max(0, min(bound["bytes"], RANGE))), len(samples), f"the range at {size}"
            need(bound["offset"] == size and 0 < bound["bytes"] == len(block), "samples-tiling", said)
            need(sha(block) == bound["sha256"], "samples-digest", said)
            need(block.endswith(b"\n"), "samples-tiling", said)
            self._take(samples, block[:-1].split(b"\n"))
            need(len(samples) - before == bound["count"], "samples-count", said)
            whole.update(block)
            size += len(block)
        if closed:
            need(not file.read(1) and closed["bytes"] == size, "samples-tiling", f"ranges cover {size} bytes")
            need(closed["count"] == len(samples), "samples-count", f"{len(samples)} samples")
            need(closed["sha256"] == "sha256:" + whole.hexdigest(), "samples-digest", "the whole")
        while not closed and (raw := file.readline(LINE + 1)).endswith(b"\n"):
            self._take(samples, [raw[:-1]])

    def _take(self, samples, lines):
        for raw in lines:
            need(len(raw) < LINE, "line-too-long", f"sample {len(samples)}")
            sample = load(raw, "Sample")
            said = [name for name in ("value", "ns", "ok", "failed", "count", "item") if sample[name] is not None]
            need(len(said) == 1, "field-wrong", f"sample {sample['n']} says {said}")
            need(sample["n"] == len(samples), "samples-order", f"sample {sample['n']}")
            samples.append(sample)
        self.samples += len(lines)

    def _present(self):  # 1 and 5: how far the run came, what must be there by then, and how journals end
        main = self.heads.get("main", {"n": -1, "ended": False})
        self.state = "incomplete" if NAMES[3] in self.files else "abandoned"
        self.state = "never-opened" if main["n"] < 0 else "ended" if main["ended"] else self.state
        unsigned = not self.read.get("Bundle", {}).get("signer") or NAMES[6] in self.files
        self.state = self.state if NAMES[5] not in self.files else "sealed" if unsigned else "unattested"
        code = self.state if self.state == "never-opened" else f"unsealed-{self.state}"
        self._expect("", "nothing can be decided on it", **{code: self.state == "sealed"})
        reached = max((at for at, name in enumerate(NAMES) if name in self.files), default=0)
        for name in NAMES[: max(reached, 4 * any(path.startswith("samples/") for path in self.files))]:
            self._expect(name, "later files are there", artifact_missing=name in self.files)
        early = NAMES[4] in self.files and self.state in ("abandoned", "incomplete")
        self._expect(MAIN, "a summary is there, and no end", artifact_missing=not early)
        if self.state in ("ended", "sealed", "unattested") and NAMES[1] in self.read:
            self._expect(MAIN, "no end record", journal_unended=self.end)
            for name, head in self.heads.items():
                path, told = f"journal/{name}.jsonl", {"main": None, **(self.end or {"workers": {}})["workers"]}
                self._expect(path, "after its end", journal_torn=not (head.get("torn") and head["ended"]))
                if name != "main" and self.end:
                    here = {key: head[key] for key in ("n", "digest", "ended")}
                    known = told.get(name) == here and (head["ended"] or self.end["status"] != "finished")
                    crashed = known or told.get(name) != here or name in {one["process"] for one in self._of("crash")}
                    listed, agrees = name in told, told.get(name, here) == here
                    self._expect(path, "the main end", journal_unlisted=listed, journal_head=agrees)
                    self._expect(path, "no end", crash_unrecorded=crashed)
            for name in set(self.end["workers"] if self.end else ()) - set(self.heads):
                self._expect(f"journal/{name}.jsonl", "the main end lists it", journal_missing=False)

    def _digests(self):  # 1 and 3: the folder and its manifest, the plan and its digest, attachments and their records
        sealed, known, before = self.read.get("Manifest", {}).get("files"), {}, ""
        if "Bundle" in self.read and "Plan" in self.read:
            registered = self.read["Bundle"]["plan"] == sha(self.read[NAMES[0]])
            self._expect(NAMES[0], "not the bar that was registered", plan_mismatch=registered)
        for path in set(self.files) - OUTSIDE:
            with self._opened(path) as file:
                known[path] = (self.files[path], "sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
        for one in sealed or ():
            path, said = one["path"], (one["bytes"], one["sha256"])
            self._expect(path, "in the manifest", manifest_order=path > before, file_extra=path not in OUTSIDE)
            self._expect(path, "in the manifest", file_missing=path in self.files or path in OUTSIDE)
            self._expect(path, "not what was sealed", digest_mismatch=known.get(path, said) == said)
            before = path
        for path in set(known) - {one["path"] for one in sealed} if sealed is not None else ():
            self._expect(path, "the manifest does not list it", file_extra=False)
        for body in self._of("attached"):
            found, said = known.get(body["path"]), (body["bytes"], body["sha256"])
            self._expect(body["path"], "a record names it", attachment_missing=found)
            self._expect(body["path"], "its record differs", attachment_mismatch=found in (None, said))
        if sealed is not None:
            self.steps[3] = ["held", f"{sum(size for size, _ in known.values())} bytes"]

    def _inventory(self):  # 6: every selected test has run or was kept from running, and nothing else has
        items, known = self.read.get("Inventory", {}).get("items", ()), {}
        for item in items:
            self._expect(NAMES[3], item["id"], inventory_doubled=item["id"] not in known)
            known[item["id"]] = "waiting" if item["selected"] else "deselected"
        for kind, body in self.records if "Inventory" in self.read else ():
            name = {"test": body.get("id"), "crash": body.get("test")}.get(kind)
            if kind == "test":
                self._expect(MAIN, name, inventory_uncollected=name in known)
                self._expect(MAIN, name, inventory_deselected=known.get(name) != "deselected")
            known.update({name: "done"} if known.get(name) == "waiting" else {})
        if self.end and "Inventory" in self.read:
            for name in (name for name, was in known.items() if was == "waiting" and self.end["status"] == "finished"):
                self._expect(NAMES[3], name, inventory_not_run=False)
            self.steps[6] = ["held", f"{len(self._of('test'))} test records"]

    def _verdicts(self):  # 7 to 10: verdicts from samples, decisions from verdicts, both against the summary; times
        said, start = self.read.get("Summary"), self.read.get("Bundle")
        self.decision, self.partial = (said["decision"], said["partial"]) if said else (None, False)
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "verify_verdicts.py")
        if not os.path.exists(path):
            self.steps[9][1] = "the summary's own are shown: verify_verdicts.py is not beside this program"
            return
        part = {"__name__": "verify_verdicts"}
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), part)
        if self.outcome != "untrusted" and all(not kind or kind in self.read for kind in KINDS):
            notes, wrong = part["judge"](self.read, self.records, self.measures, self.end)
            self.steps.update({step: ["held", note] for step, note in notes.items()})
            for code, path, sentence in wrong:
                self._expect(path, sentence, **{code: False})
        for sentence in part["order"](start, self.walls) if start else ():
            self._expect("", sentence, time_order=False)
        self.steps[8] = ["cannot-tell", "nothing is read here that tells of ledger, attestation and publishing"]

    def _attestation(self):  # 4: who vouches for these bytes, and for what they give
        start, manifest, said = (self.read.get(name) for name in ("Bundle", NAMES[5], "Summary"))
        self.steps[4][1] = "the bundle is not signed"
        if not (start and manifest and NAMES[6] in self.files):
            unsigned = self.trust is None or not start or not manifest or start["signer"]
            return self._expect(NAMES[6], "a trust root was given", attestation_missing=unsigned)
        with self._opened(NAMES[6]) as file:
            envelope = load(file.read(DOCUMENT + 1), "Envelope", own_form=True)
            need(len(envelope["signatures"]) == 1, "attestation-form", "not exactly one signature")
            texts, keyid = (envelope["payload"], envelope["signatures"][0]["sig"]), envelope["signatures"][0]["keyid"]
            payload, signature = map(_unspelled, texts)
            need(envelope["payloadType"] == INTOTO, "attestation-type", envelope["payloadType"])
            statement = load(payload, "Statement", own_form=True)
            claim, types = statement["predicate"], (statement["_type"], statement["predicateType"])
            need(types == (STATEMENT, DECISION), "attestation-type", types)
            subject = [{"name": NAMES[5], "digest": {"sha256": sha(manifest)[7:]}}]
            need(statement["subject"] == subject, "attestation-subject", "it is about another manifest")
            given = {"run": start["run"], "plan": start["plan"], "bundle": sha(self.read[NAMES[1]])}
            given |= {"status": self.end and self.end["status"], "target": start["target"]["name"]}
            given |= {"profile": start["profile"]["name"], "decision": said and said["decision"]}
            for name in ("gates", "stages") if said else ():
                given[name] = {one.get("id"): one.get("decision") for one in said[name]}
            given["verdicts"] = {one.get("id"): one.get("verdict") for one in said["criteria"]} if said else None
            wrong = [name for name, value in given.items() if claim[name] != value]
            need(not wrong, "attestation-statement", f"it says otherwise of {', '.join(wrong)}")
            role = "spiral-job" if claim["isolation"] == "none" else "spiral-recorder"
            if claim["isolation"] != "countersign":
                announced = start["signer"] or {"keyid": "", "role": role}
                need(announced["keyid"] == keyid, "attestation-signer", keyid)
                need(announced["role"] == role, "attestation-statement", f"isolation and role {announced['role']}")
            self.steps[4] = ["cannot-tell", f"no trust root given; {shown(keyid, 60)} says it is {role}"]
            if self.trust is not None:
                need(keyid in self.trust, "attestation-key-unknown", keyid)
                key, roles, after, before, words = self.trust[keyid]
                need(role in roles, "attestation-role", f"{role}, the trust root has {roles}")
                walls = [_digits(wall) for wall in (start["opened"], *sum(self.walls.values(), []))]
                need(after <= min(walls) and max(walls) <= before, "attestation-key-time", keyid)
                need(not words, f"attestation-key-{(words or [''])[0]}", "no ledger is read here")
                head = f"DSSEv1 {len(INTOTO)} {INTOTO} {len(payload)} ".encode()
                verify_ed25519(key, signature, head + payload)
                self.level = "E1" if "spiral-job" in roles else "E2"
                self.steps[4] = ["held", f"{keyid} as {role}; test-result.dsse.json not checked"]

    def status(self, require):  # exit status
        enough = self.decision in DECISIONS[3 if require == "go" else 2 :] and not self.partial
        return {"untrusted": 3, "unsealed": 1}.get(self.outcome, 0 if enough else 1)

    def as_json(self, require):  # as `spiral verify --json` says it
        steps = [{"step": at, "name": STEPS[at - 1], "state": one[0], "note": one[1]} for at, one in self.steps.items()]
        found = [
            dict(zip(("step", "code", "path", "sentence"), (*one, said), strict=True))
            for one, said in self.found.items()
        ]
        said = {"outcome": self.outcome, "require": require, "status": self.status(require), "decision": self.decision}
        return {**said, "partial": self.partial, "level": self.level, "report": {"steps": steps, "findings": found}}


def _unspelled(text):
    found = base64.b64decode(text.encode("ascii", "replace"), validate=True) if len(text) % 4 == 0 else b""
    need(base64.b64encode(found).decode() == text, "attestation-form", "no standard base64")
    return found


def _digits(wall):
    return datetime.fromtimestamp(wall // 10**6, UTC).strftime("%Y%m%d%H%M%S")


def main():
    """Read the command line, check, print; gives the exit status."""
    reader = argparse.ArgumentParser(description="Check a bundle of pytest-spiral.")
    reader.add_argument("bundle")
    reader.add_argument("--trust", help="the trust root: an OpenSSH allowed_signers file")
    reader.add_argument("--require", choices=("go", "conditional"), default="conditional")
    reader.add_argument("--json", action="store_true")
    options = reader.parse_args()
    try:
        os.listdir(options.bundle)
        trust = read_trust(Path(options.trust).read_text()) if options.trust else None
    except (OSError, ValueError) as problem:
        reader.error(str(problem))
    check = Check(options.bundle, trust)
    if options.json:
        print(json.dumps(check.as_json(options.require), indent=2, sort_keys=True))
        return check.status(options.require)
    for step, (state, note) in check.steps.items():
        mark = state.upper() if state == "found" else state.replace("-", " ")
        print(f" {step:>2} {STEPS[step - 1]:<16} {mark:<12}{note}".rstrip())
        for (at, code, path), said in check.found.items():
            print(*([f"      {code} {path}: {said}"] if at == step else []), sep="\n", end="\n" * (at == step))
    words = {"untrusted": "NOT TO BE TRUSTED", "unsealed": f"NOT SEALED: the run is {check.state}"}
    decision = "PARTIAL, no decision" if check.partial else check.decision
    print(f" {words.get(check.outcome, decision)} ({check.level}; required: {options.require})")
    return check.status(options.require)


if __name__ == "__main__":
    sys.exit(main())
