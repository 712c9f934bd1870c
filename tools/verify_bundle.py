"""Check a bundle of pytest-spiral with nothing but Python: a second opinion that shares no code with the product.

    python -I tools/verify_bundle.py BUNDLE [--trust allowed_signers] [--require go|conditional] [--json]

For Python 3.11. Reads only, needs no network. Steps 7 to 10 want `verify_verdicts.py` beside it; the rest: `not checked`.
Exit status: 0 at least what is required, 1 authentic but below it, partial or not sealed, 2 wrong use, 3 not to trust.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import stat
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

DEPTH, LINE, RANGE, DOCUMENT, FILES, FILE = 32, 2**16, 2**20, 2**26, 100_000, 2**30
TABLE = """2 strict parsing: file-too line json not-canonical format record-unknown field; 7 provenance: ; 10 controls:
1 layout: unsealed never artifact file path manifest too-many; 3 digests: digest plan-mismatch attachment; 11 ledger:
5 journals: journal crash record samples; 6 inventory: inventory; 4 attestation: attestation; 8 time: moment; 9 verdicts: summary plan"""  # steps, with what their reason codes begin with: of those that fit, the first
STEPS = {int(at): (name, tuple(words.split())) for at, name, words in re.findall(r"(\d+) ([a-z ]+):([^;\n]*)", TABLE)}
MAIN, INTOTO = "journal/main.jsonl", "application/vnd.in-toto+json"
NAMES = ("plan.json", "bundle.json", MAIN, "inventory.json", "summary.json", "manifest.json", "attestation.dsse.json")
KINDS = ("Plan", "Bundle", "", "Inventory", "Summary", "Manifest", "")
TYPE_URIS = ["https://in-toto.io/Statement/v1", "https://pytest-spiral.readthedocs.io/gate-decision/v1"]
# Types; lower-case ones are records. `?` may be left out; i integer, n number, b truth value (t: true where left out), o
# object, a anything, v scalar, [x] list, {x} map, =a,b one of these (the first where left out), x~ or null; else text.
FIELDS = """
Manifest format:=spiral-manifest/1 files:[File]; File path bytes:i sha256; Inventory format:=spiral-inventory/1 items?:[Item] errors?:[s]; Item id criteria?:[s] needs?:[s] selected?:t; Envelope payload payloadType signatures:[Signature]; Signature keyid sig; Statement _type subject:[Subject] predicateType predicate:Claim; Subject name digest:{s}; Claim run status plan bundle rules target profile decision:D~ stages:{D~} gates:{D~} verdicts:{V} ledger:LedgerPlace~ isolation:=none,launcher,countersign producer:Producer; LedgerPlace id opened:i collected:i; Producer name version; Summary format:=spiral-summary/1 run plan rules target partial:b decision:D~ permission:i criteria:[Verdict] gates:[Decided] stages:[Stage] debts:[Debt] recovered? counts:{i} tests:{i} signed?:=none,job,recorder log?:=none,local,witnessed watermark?; Verdict id gate level:=blocker,advisory verdict:V original:V reason? sentence? cause?:=,environment,hardware requirement? fidelity? qualifiers?:[s] limits?:[LimitVerdict] tests?:[s] ran?:b runs?:[s] attempts?; LimitVerdict limit statistic verdict:V reason? sentence? value?:n~ lower?:n~ upper?:n~ bound?:n~ unit? samples?:i planned?:i~ warm_up?:i failed?:i margin?:n~ confidence? note? where? qualifiers?:[s] picture?:[n] runs?:[s]; Decided id title owner stage decision:D~ capped?:[s]; Stage id decision:D~ weakest?; Debt criterion requirement cause:=environment,hardware evidence owner due since:i
Plan format:=spiral-plan/1 rules?:=spiral-rules/1 gates:[Gate]; Gate id stage criteria:[Criterion] planned?:b; Criterion id limits?:[Limit] level?:=blocker,advisory method?:=measure,examine document?:s~ signer?:s~ samples?:i~ exposure?:s~ warm_up?:i blocks?:i confidence?:s~ confidence_reason?:s~ consecutive?:i combine?:=each,pooled sequential?:s~ inputs?:[s] census?:b sampling?:=closed-loop,open-loop margin?:s~ seed?:i~ requires?:s~ fidelity?:s~ assurance?:=E1,E2,E3~ subjects?:[s] control?:Control~ tests?:[s] planned?:b; Limit text statistic:=quantile,rate,count,failures,count-rate,min,max,mean,duration,equal,equivalence,regression,all-pass measurements?:[s] quantile?:s~ comparison?:=<=,>=~ bound?:s~ unit?:s~ samples?:i~; Control of fault verdict?:=fail,invalid,inconclusive,not-run
Bundle format:=spiral-bundle/1 run nonce opened:i mode?:=draft,release plan shard? attempt?:i target:Target scope:Scope profile:Profile argv:[s] options?:o ini?:o environment?:{s} packages?:{s} git?:o plugin?:{s} gates?:[o] inputs?:{{s}} require?:=conditional,go signer?:Signer~ ledger?:LedgerHead~ confinement?:Confined~; Confined uid:i gid:i launcher:i state?:{s} escapes?:[Escape] why?; Escape aim:=key,memory,environment,descriptors,trace,signal,identity,code,ledger refused; LedgerHead id seq:i digest; Examined format:=spiral-examination/1 criterion document bytes:i sha256 signer examined rehearsal?:b note?; Signer keyid role:=spiral-job,spiral-recorder; Target name? fidelity?:L facts?:{v} faults?:[s] seed?:i; Scope stages?:[s] gates?:[s] narrowed?:[s]; Profile name facts:[Fact]; Fact name state:=present,absent,unknown kind:=hardware,environment evidence command value?:v~ unit?:s~
Line n:i prev wall:i mono:i kind body:o; start process nonce format:=spiral-journal/1; end status?:=finished,interrupted,crashed exit_status?:i workers?:{Worker}; Worker n:i digest ended:b; test id criteria?:[s] raised?:=,assertion,error,skip,xfail,limited,blocked,lost,crash,exit,timeout phase?:=,setup,call,teardown why? needs?:[s] duration_ns?:i next?; crash process test why; stopped why running?:[s]; published head:LedgerHead by:=launcher,job ok:b why?; recovered state:=incomplete,ended torn?:{i} left?:[s] left_count?:i; target-lost subject test why; document criterion document path? bytes?:i sha256? statement? signature?; attached path name media_type bytes:i sha256 test? criteria?:[s] cut?:i quarantined?:[s]; measure-opened file name unit test criteria:[s] run? control? planned?:i clock?:=none,monotonic,virtual resolution_ns?:i; range file offset:i bytes:i count:i sha256; measure-closed file bytes:i count:i sha256 raised? transports?:[s]; run-opened run test criteria:[s]; run-closed run outcome:=closed,abandoned; control-opened control of fault test; control-closed control test raised?; fact fact:Fact; subject subject when:=start,end identity version digest registered:L challenge?:Challenge~ control?; Challenge kind nonce answers:o; Sample n:i value?:n~ ns?:i~ ok?:b~ failed?:s~ count?:i~ exposure?:n~ item?:s~ seen?:a why?:s~ warm?:b block?:i~ intended?:i~ sent?:i~ done?:i~
"""
WORDS = {"V": ["pass", "inapplicable", "environment-limited", "not-run", "inconclusive", "fail", "invalid"]}
WORDS["D"] = ["NO-GO", "NOT-EVALUABLE", "CONDITIONAL GO", "GO"]
WORDS["L"] = ["undeclared", "recorded", "stub", "simulated", "sandbox", "staging", "live"]
SCALARS = {"s": (str,), "i": (int,), "n": (int, float), "b": (bool,), "t": (bool,), "v": (str, int, float, bool)}
EMPTY = {"s": "", "i": 0, "b": False, "t": True, "L": "undeclared", "[": [], "{": {}, "o": {}}
TYPES = {
    name: {field: (kind or "s", bool(mark)) for field, mark, kind in re.findall(r"(\w+)(\??)(?::(\S+))?", fields)}
    for name, _, fields in (one.strip().partition(" ") for one in re.split("[;\n]", FIELDS) if one.strip())
}


class Bad(Exception):
    """Something that does not add up: its reason code, and what it is about."""


def need(holds, code, said=""):  # raises Bad unless it holds
    if not holds:
        raise Bad(code, str(said))


def sha(data):  # the digest of bytes, as bundles write it
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _number(text):
    whole, number = re.fullmatch(r"-?\d+", text), float(text)
    need(not whole or (len(text) <= 17 and abs(int(text)) < 2**53), "json-integer", text[:40])
    sound = number - number == 0 and (number or not re.search("[1-9]", text.lower().split("e")[0]))
    need(sound, "json-number", text[:40])
    need(number or text[0] != "-", "json-negative-zero", text[:40])
    return int(text) if whole else number


READER = json.JSONDecoder(
    object_pairs_hook=lambda pairs: need(len(dict(pairs)) == len(pairs), "json-duplicate-key") or dict(pairs),
    **dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _number),
)


def conform(value, kind, where):  # holds a value against its type, and fills in what was left out
    inner, fits = kind.rstrip("~"), type(value) in SCALARS.get(kind.rstrip("~"), ())
    if (value is None and kind[-1] == "~") or inner == "a":
        return
    if inner in TYPES:
        fits = type(value) is dict and not value.keys() - TYPES[inner].keys()
        own_format = type(value) is not dict or value.get("format", "") == TYPES[inner].get("format", "=")[0][1:]
        need(own_format, "format-unknown", f"{where} is of a format that is not known here")
        need(fits, "field-wrong", f"{where} is no object of the fields that it may have")
        for field, (own, optional) in TYPES[inner].items():
            need(field in value or optional, "field-wrong", f"{where} has no {field}")
            left_out = None if own[-1] in "~a" else own[1:].split(",")[0] if own[0] == "=" else EMPTY.get(own[0])
            conform(value.setdefault(field, left_out), own, f"{where}.{field}")
    elif inner[0] in "[{o":
        fits = type(value) is (list if inner[0] == "[" else dict)
        for one in (value.values() if inner[0] == "{" else value) if fits and inner != "o" else ():
            conform(one, inner[1:-1], where)
    elif inner[0] == "=" or inner in WORDS:
        fits = type(value) is str and value in WORDS.get(inner, inner[1:].split(","))
    need(fits, "field-wrong", f"{where} does not have the type {kind[:40]}")


def load(data, kind, *, own_form=False):  # `own_form`: the bytes must be their own RFC 8785 form
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
    again = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    need("\\u" not in text or not re.search("[\ud800-\udfff]", again), "json-surrogate", "half of a surrogate pair")
    conform(value, kind, kind)
    need(not own_form or again == text, "not-canonical", "not the RFC 8785 form of what it says")
    return value


def path_faults(path):  # reason codes of what is wrong with a path
    parts, device = path.split("/"), re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
    found = {"path-length": len(path) > 240 or max(map(len, parts)) > 100, "path-depth": len(parts) > 8}
    found["path-name"] = not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", part) for part in parts)
    return [code for code, wrong in {**found, "path-device": any(map(device.fullmatch, parts))}.items() if wrong]


PRIME, GROUP = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
KEY = b"\0\0\0\x0bssh-ed25519\0\0\0 "  # what stands before the 32 bytes in OpenSSH's form
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME


def verify_ed25519(key, signature, message):  # RFC 8032, section 5.1; no key of low order; raises Bad unless it holds
    def point(data):
        y = int.from_bytes(data, "little") & (2**255 - 1)
        square = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
        x = pow(square, (PRIME + 3) // 8, PRIME)
        x = x if x * x % PRIME == square else x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
        sound = y < PRIME and x * x % PRIME == square and (x or not data[31] >> 7)
        need(sound, code, "a point is not one, or not in canonical form")
        return (x if x & 1 == data[31] >> 7 else PRIME - x), y

    def add(one, other):
        (a, b), (c, d) = one, other
        k = CURVE * a * b * c * d
        return (a * d + b * c) * pow(1 + k, -1, PRIME) % PRIME, (b * d + a * c) * pow(1 - k, -1, PRIME) % PRIME

    def times(number, one):
        odd = one if number & 1 else (0, 1)
        return add(times(number >> 1, add(one, one)), odd) if number > 1 else odd

    s, code = int.from_bytes(signature[32:], "little"), "attestation-signature"
    need(len(key) == 32 and len(signature) == 64 and s < GROUP, code, "a size, or S not below the group's order")
    public, r = point(key), point(signature[:32])
    need(times(8, public) != (0, 1), code, "a key of low order, which signs anything")
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % GROUP
    left = times(s, point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little")))
    need(left == add(r, times(hashed, public)), code, "not a signature of this key over these bytes")


def read_trust(text):  # Ed25519 keys by fingerprint: key, roles, from, until, own words; raises ValueError
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
                raise ValueError(f"{line!a} names no key with its namespaces, or names one twice")
            keys.update({name: (blob[-32:], roles, *(one[:-1].ljust(14, "0") for one in ends))} if ours else {})
    return {name: (*key, words.get(name, [])) for name, key in keys.items()}


class Check:
    """One bundle under examination: `steps` has state and note of each step; `found` step, code, path → sentence."""

    def __init__(self, root, trust=None):
        self.root, self.trust, self.found, self.files = os.path.realpath(root), trust, {}, {}
        self.steps = {step: ["not-checked", ""] for step in range(1, 12)}
        self.records, self.heads, self.measures, self.walls, self.read = {}, {}, {}, {}, {"files": self.files}
        self.level, self.state, self.decision, self.partial, self.end = "E0", "", None, False, None
        parts = (self._documents, self._journals, self._present, self._digests, self._inventory, self._verdicts)
        for step in (*parts, self._attestation) if self._layout() else ():
            step()
        for step, *_ in self.found:
            self.steps[step][0] = "found"

    @property
    def outcome(self):  # as `spiral verify` calls it
        found = any(not code.startswith("unsealed") for _, code, _ in self.found)
        return "untrusted" if found else "sound" if self.state == "sealed" else "unsealed"

    def _expect(self, path, said, **holds):  # a finding for each code, with underscores, that does not hold
        for code in (code.replace("_", "-") for code, fine in holds.items() if not fine):
            step = next(at for at, (_, words) in STEPS.items() if code.startswith(words))
            where, what = (ascii(str(text)[:400])[1:-1] for text in (path, said))  # safe to print
            self.found.setdefault((step, code, where), what)

    @contextmanager
    def _opened(self, path):  # what goes wrong in the block is a finding about the file
        try:
            with os.fdopen(os.open(f"{self.root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                yield file
        except Bad as bad:
            self._expect(path, bad.args[1], **{bad.args[0]: False})
        except (OSError, ValueError) as problem:  # the latter: base64 that is none, a time beyond the calendar
            code = "file_unreadable" if isinstance(problem, OSError) else "attestation_form"
            self._expect(path, problem, **{code: False})

    def _layout(self):  # 1: every name, no link followed; False where there are too many
        names, unread = {}, lambda problem: self._expect("", problem, file_unreadable=False)
        for at, folders, others, fd in os.fwalk(self.root, onerror=unread):
            for name in sorted([*folders, *others]):
                path, mode = os.path.relpath(f"{at}/{name}", self.root), os.stat(name, dir_fd=fd, follow_symlinks=False)
                folder, regular, size = stat.S_ISDIR(mode.st_mode), stat.S_ISREG(mode.st_mode), mode.st_size
                twin, deep = names.setdefault(path.lower(), path), folder and path.count("/") >= 7
                self._expect(path, "its name", path_twin=twin == path, **dict.fromkeys(path_faults(path), False))
                kind = {"file_irregular": folder or regular, "file_too_large": not regular or size <= FILE}
                self._expect(path, "its kind", path_depth=not deep, **kind)
                self.files.update({path: size} if regular else {})
                folders.remove(name) if deep else None
            if len(names) > FILES:
                return self._expect("", f"more than {FILES} names", too_many_files=False)
        self.steps[1] = ["held", f"{len(self.files)} files"]
        return True

    def _documents(self):  # 2: every document of ours
        self.steps[2][0] = "held"
        for path, kind in zip(NAMES, KINDS, strict=True):
            if kind and path in self.files:
                with self._opened(path) as file:
                    data = self.read[path] = file.read(DOCUMENT + 1)
                    self.read[kind] = load(data, kind, own_form=kind in ("Plan", "Manifest"))

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
            ended, path = not (head := self.heads[measure["process"]]).get("cut") and head["ended"], f"samples/{name}"
            begun = ended or measure["ranges"] or measure["closed"]
            finished = ended and self.end and self.end["status"] == "finished" and path in self.files
            closed, missing = measure["closed"] or not finished, path not in self.files and begun
            self._expect(path, "its journal", samples_unclosed=closed, samples_missing=not missing)
            if path in self.files:
                with self._opened(path) as file:
                    self._sample_file(measure, file)
        for path in (path for path in self.files if path.startswith("samples/") and self.heads):
            head = self.heads.get(path.rpartition("/")[2].rpartition("-")[0], {"ended": True})
            self._expect(path, "no record names it", samples_unlisted=path[8:] in self.measures or not head["ended"])
        note = f"{sum(map(len, self.walls.values()))} records"
        self.steps[5] = ["held", note] if NAMES[1] in self.read else self.steps[5]

    def _journal(self, path, head, file):
        process, mono, blocks, before = path[8:-6], 0, set(), None
        while (raw := file.readline(LINE + 1)).endswith(b"\n") and len(raw) <= LINE:
            said, first = f"record {head['n'] + 1}", before is None
            before, was_ended, head["n"], head["digest"] = head["digest"], head["ended"], head["n"] + 1, sha(raw)
            try:
                line = load(raw, "Line")
                kind, body, more = line["kind"], line["body"], line["kind"] == "recovered"
                need(kind.islower() and kind in TYPES, "record-unknown", kind)
                conform(body, kind, kind)
            except Bad as bad:
                self._expect(path, f"{said}: {bad.args[1]}", **{bad.args[0]: False})
                continue
            self._expect(path, said, journal_sequence=line["n"] == head["n"], journal_chain=line["prev"] == before)
            self._expect(path, said, journal_time=line["mono"] >= mono, journal_after_end=more or not was_ended)
            self._expect(path, said, journal_start=first == (kind == "start"))
            head |= {"end": body} if kind == "end" else {"cut": not was_ended} if more else {}
            head.update(n=line["n"], ended=kind == "end" or (was_ended and not more))
            mono, measure = line["mono"], self.measures.get(body.get("file"))
            self.records.setdefault(kind, []).append(body)
            self.walls.setdefault(process, []).append(line["wall"])
            own, nonce = measure and measure["process"] == process, self.read.get("Bundle", body).get("nonce")
            self._expect(path, said, record_order=kind != "published" or (process, head["n"]) == ("main", 1))
            if kind == "start":
                self._expect(path, said, journal_foreign=(body["process"], body["nonce"]) == (process, nonce))
            elif kind == "measure-opened":
                named = body["file"].rpartition("/")[2].startswith(f"{process}-")
                faults = dict.fromkeys(path_faults(f"samples/{body['file']}"), False)
                self._expect(path, said, samples_foreign=named, record_order=not measure, **faults)
                self.measures.setdefault(body["file"], dict(body, process=process, ranges=[], closed=None, samples=[]))
            elif kind in ("range", "measure-closed"):
                again = own and body in (measure["closed"], *measure["ranges"][-1:])
                self._expect(path, said, record_order=again or (own and not measure["closed"]))
                if own and not again and kind == "range" and not measure["closed"]:
                    measure["ranges"].append(body)
                elif own:
                    measure["closed"] = measure["closed"] or (body if kind != "range" else None)
            elif kind.startswith(("run-", "control-")):
                block = (body.get("run"), body.get("control"), body["test"] if "control" in body else "")
                self._expect(path, said, record_order=kind.endswith("opened") or block in blocks)
                (blocks.add if kind.endswith("opened") else blocks.discard)(block)
        head["torn"] = bool(raw)
        need(len(raw) <= LINE, "line-too-long", f"record {head['n'] + 1}")

    def _sample_file(self, measure, file):  # every byte belongs to one range, every sample to one line
        whole, size, samples, closed = hashlib.sha256(), 0, measure["samples"], measure["closed"]
        for bound in measure["ranges"]:
            block, before, said = file.read(max(0, min(bound["bytes"], RANGE))), len(samples), f"the range at {size}"
            tiles = bound["offset"] == size and 0 < bound["bytes"] == len(block)
            need(not tiles or sha(block) == bound["sha256"], "samples-digest", said)
            need(tiles and block.endswith(b"\n"), "samples-tiling", said)
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

    def _present(self):  # 1 and 5: how far the run came, what must be there by then, and how journals end
        main, path = self.heads.get("main", {"n": -1, "ended": False}), NAMES[5]
        early = "incomplete" if NAMES[3] in self.files else "abandoned"
        state = "never-opened" if main["n"] < 0 else "ended" if main["ended"] else early
        done = NAMES[6] in self.files or self.records.get("recovered") or not self.read.get("Bundle", {}).get("signer")
        self.state = state if path not in self.files else "sealed" if done else "unattested"
        code = self.state if self.state == "never-opened" else f"unsealed-{self.state}"
        self._expect("", "nothing can be decided on it", **{code: self.state == "sealed"})
        ended = NAMES[4] not in self.files or self.state not in ("abandoned", "incomplete")
        self._expect(MAIN, "a summary is there, and no end", artifact_missing=ended)
        reached = max((at for at, name in enumerate(NAMES) if name in self.files), default=0)
        for name in NAMES[: max(reached, 4 * any(path.startswith("samples/") for path in self.files))]:
            self._expect(name, "later files are there", artifact_missing=name in self.files)
        if self.state in ("ended", "sealed", "unattested") and NAMES[1] in self.read:
            workers, over = (self.end["workers"], self.end["status"] == "finished") if self.end else ({}, False)
            self._expect(MAIN, "no end record", journal_unended=self.end)
            for name, head in self.heads.items():
                path, here = f"journal/{name}.jsonl", {key: head[key] for key in ("n", "digest", "ended")}
                says = here if name == "main" or not self.end else workers.get(name)
                dead = name != "main" and over and not head["ended"] and says == here
                crashed = name in [one["process"] for one in self.records.get("crash", ())]
                self._expect(path, "its end", journal_torn=not (head.get("torn") and head["ended"]))
                self._expect(path, "the main end", journal_unlisted=says, journal_head=says in (None, here))
                self._expect(path, "no end, and no crash", crash_unrecorded=crashed or not dead)
            self._expect(MAIN, sorted(workers), journal_missing=workers.keys() <= self.heads.keys())

    def _digests(self):  # 1 and 3: the folder and its manifest, the plan and its digest, attachments and their records
        sealed, known = self.read.get("Manifest", {}).get("files"), {}
        paths = [one["path"] for one in sealed or ()]
        plan = sha(self.read[NAMES[0]]) if "Plan" in self.read else self.read.get("Bundle", {}).get("plan")
        self._expect(NAMES[0], "another bar", plan_mismatch=self.read.get("Bundle", {"plan": plan})["plan"] == plan)
        for path in {path for path, size in self.files.items() if size <= FILE} - set(NAMES[5:]):
            with self._opened(path) as file:
                known[path] = (self.files[path], "sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
        self._expect(NAMES[5], "its paths", manifest_order=paths == sorted(set(paths)))
        for path, said in ((one["path"], (one["bytes"], one["sha256"])) for one in sealed or ()):
            same, outside, here = known.get(path, said) == said, path in NAMES[5:], path in self.files
            fine = {"file_extra": not outside, "file_missing": here or outside, "digest_mismatch": same}
            self._expect(path, "in the manifest", **fine)
            self._expect(path, "its name", **dict.fromkeys(() if here else path_faults(path), False))
        for path in self.files.keys() - {*paths, *NAMES[5:]} if sealed is not None else ():
            self._expect(path, "the manifest does not list it", file_extra=False)
        for body in (one for one in self.records.get("attached", ()) if self.files.get(one["path"], 0) <= FILE):
            found, said = known.get(body["path"]), (body["bytes"], body["sha256"])
            self._expect(body["path"], "bytes", attachment_missing=found, attachment_mismatch=found in (None, said))
        if sealed is not None:
            self.steps[3] = ["held", f"{sum(size for size, _ in known.values())} bytes"]

    def _inventory(self):  # 6: every selected test has run or was kept from running, and nothing else has
        items, ran = self.read.get("Inventory", {"items": ()})["items"], self.records.get("test", ())
        known = {item["id"]: item for item in items}
        told, stood = {one["id"] for one in ran}, {item["id"] for item in items if item["selected"]}
        strange, kept = told - known.keys() if "Inventory" in self.read else (), told & known.keys() - stood
        self._expect(NAMES[3], "a test stands twice", inventory_doubled=len(known) == len(items))
        self._expect(MAIN, sorted(strange), inventory_uncollected=not strange)
        self._expect(MAIN, sorted(kept), inventory_deselected=not kept)
        if self.end and "Inventory" in self.read:
            left = stood - told - {one["test"] for one in self.records.get("crash", ())}
            self._expect(NAMES[3], sorted(left), inventory_not_run=not left or self.end["status"] != "finished")
            self.steps[6] = ["held", f"{len(ran)} test records"]

    def _verdicts(self):  # 7 to 10, where the part that does them lies beside this one
        path, part, by = Path(__file__).with_name("verify_verdicts.py"), {}, (load, verify_ed25519, KEY, Bad)
        if self.end and self.outcome != "untrusted" and all(not kind or kind in self.read for kind in KINDS):
            self.decision, self.partial = self.read["Summary"]["decision"], self.read["Summary"]["partial"]
            self.steps[9][1] = "the summary's own are shown: verify_verdicts.py is not beside this program"
            if path.exists():
                exec(compile(path.read_bytes(), str(path), "exec"), part)
                notes, wrong = part["judge"](self.read | {"by": by}, self.records, self.measures, self.end, self.walls)
                self.steps.update(notes)
                for code, name, sentence in wrong:
                    self._expect(name, sentence, **{code: False})

    def _attestation(self):  # 4: who vouches for these bytes, and for what they give
        start, manifest, said = (self.read.get(name) for name in ("Bundle", NAMES[5], "Summary"))
        self.steps[4][1] = "the bundle is not signed"
        if not (start and manifest and NAMES[6] in self.files):
            unasked = self.trust is None or not start or not manifest or self.state != "sealed"
            return self._expect(NAMES[6], "a trust root was given", attestation_missing=unasked)
        with self._opened(NAMES[6]) as file:
            envelope = load(file.read(DOCUMENT + 1), "Envelope", own_form=True)
            need(len(envelope["signatures"]) == 1, "attestation-form", "not exactly one signature")
            keyid, texts = envelope["signatures"][0]["keyid"], [envelope["payload"], envelope["signatures"][0]["sig"]]
            payload, signature = (base64.b64decode(one, validate=True) for one in texts)
            sound = [base64.b64encode(one).decode() for one in (payload, signature)] == texts and len(signature) == 64
            need(sound, "attestation-form", "no standard base64, or no 64 bytes")
            need(envelope["payloadType"] == INTOTO, "attestation-type", envelope["payloadType"])
            statement = load(payload, "Statement", own_form=True)
            need([statement["_type"], statement["predicateType"]] == TYPE_URIS, "attestation-type", "the statement")
            claim, subject = statement["predicate"], [{"name": NAMES[5], "digest": {"sha256": sha(manifest)[7:]}}]
            need(statement["subject"] == subject, "attestation-subject", "it is about another manifest")
            given = {"run": start["run"], "plan": start["plan"], "bundle": sha(self.read[NAMES[1]])}
            given |= {"profile": start["profile"]["name"], "target": start["target"]["name"]}
            given["producer"] = {"name": "pytest-spiral", "version": start["packages"].get("pytest-spiral", "")}
            if self.end and said:
                given |= {"status": self.end["status"], "decision": said["decision"], "rules": said["rules"]}
                for at, part in (("gates", said["gates"]), ("stages", said["stages"]), ("verdicts", said["criteria"])):
                    given[at] = {one.get("id"): one.get("verdict", one.get("decision")) for one in part}
            wrong = [name for name, value in given.items() if claim[name] != value]
            need(not wrong, "attestation-statement", f"it says otherwise of {', '.join(wrong)}")
            how, own, alone = claim["isolation"], start["confinement"], claim["isolation"] != "countersign"
            need(not alone or (start["signer"] or {}).get("keyid") == keyid, "attestation-signer", keyid)
            role = start["signer"]["role"] if alone else "spiral-recorder"
            kept = how != "launcher" or (role == "spiral-recorder" and own and self._confined(own))
            need(kept, "attestation-statement", f"isolation {how} of {role}")
            self.steps[4] = ["cannot-tell", f"no trust root given; {ascii(keyid)[:60]} says it is {role}"]
            if self.trust is not None:
                need(keyid in self.trust, "attestation-key-unknown", keyid)
                key, roles, after, before, words = self.trust[keyid]
                need(role in roles, "attestation-role", f"{role}, the trust root has {roles}")
                walls = [start["opened"], *chain(*self.walls.values())]
                span = [f"{datetime.fromtimestamp(at(walls) // 10**6, UTC):%Y%m%d%H%M%S}" for at in (min, max)]
                need(after <= span[0] and span[1] <= before, "attestation-key-time", keyid)
                need(not words, f"attestation-key-{(words or [''])[0]}", "no ledger is read here")
                verify_ed25519(key, signature, f"DSSEv1 {len(INTOTO)} {INTOTO} {len(payload)} ".encode() + payload)
                self.level = {"sound": "E1" if {"spiral-job", "none"} & {*roles, how} else "E2"}.get(self.outcome, "E0")
                self.steps[4] = ["held", f"{keyid} as {role}; test-result.dsse.json not checked"]

    def _confined(self, own):  # every attempt to get out was refused, and the kernel agrees
        aims, u, g = {one["aim"]: one["refused"] for one in own["escapes"]}, own["uid"], own["gid"]
        state = {f"Cap{name}": "0" * 16 for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
        state |= {"Groups": "", "NoNewPrivs": "1", "Uid": f"{u} {u} {u} {u}", "Gid": f"{g} {g} {g} {g}"}
        tried = aims.keys() >= {*TYPES["Escape"]["aim"][0][1:].split(",")[:-1]} and all(aims.values())
        return tried and u not in (0, own["launcher"]) and not own["why"] and own["state"] == state

    def status(self, require):  # exit status
        enough = self.decision in WORDS["D"][3 if require == "go" else 2 :] and not self.partial
        return {"untrusted": 3, "unsealed": 1}.get(self.outcome, 0 if enough else 1)

    def as_json(self, require):  # as `spiral verify --json` says it
        found = [{"step": a, "code": b, "path": c, "sentence": d} for (a, b, c), d in self.found.items()]
        steps = [{"step": at, "name": STEPS[at][0], "state": one[0], "note": one[1]} for at, one in self.steps.items()]
        said = {"outcome": self.outcome, "require": require, "status": self.status(require), "decision": self.decision}
        return {**said, "partial": self.partial, "level": self.level, "report": {"steps": steps, "findings": found}}

    def as_text(self, require):  # the checklist, what was found, and what it comes to
        for step, (state, note) in self.steps.items():
            state = state.replace("-", " ").replace("found", "FOUND")
            yield f" {step:>2} {STEPS[step][0]:<16} {state:<11} {note}".rstrip()
            for (at, code, path), said in self.found.items():
                yield from [f"      {code} {path}: {said}"] if at == step else []
        said = "PARTIAL: no decision" if self.partial else self.decision
        said = {"untrusted": "NOT TO BE TRUSTED", "unsealed": f"NOT SEALED ({self.state})"}.get(self.outcome, said)
        yield f" {said} ({self.level}; required: {require})"


def main():
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
    as_json = json.dumps(check.as_json(options.require), indent=2, sort_keys=True)
    print(as_json if options.json else "\n".join(check.as_text(options.require)))
    return check.status(options.require)


if __name__ == "__main__":
    raise SystemExit(main())
