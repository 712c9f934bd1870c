"""The trust root: which keys may sign what, and from when to when.

The format is OpenSSH's `allowed_signers` (ssh-keygen(1)), read more strictly than OpenSSH does, so that one file
means the same to both and the same everywhere: every key names its namespaces, and those are roles; dates are in UTC;
no patterns, no certificate authorities. What OpenSSH has no word for stands in comments that are read as strictly::

    ci@example.org namespaces="spiral-job",valid-after="20260101Z" ssh-ed25519 AAAA… the gate runner
    # spiral: superseded SHA256:… at 120
    # spiral: compromised SHA256:… since 97

`at N` keeps what stands before position N of the ledger; `since N` voids all from N.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from pytest_spiral.errors import UseError
from pytest_spiral.model.attestation import BUNDLE_ROLES, ROLES
from pytest_spiral.model.base import MOST_INTEGER
from pytest_spiral.model.entry import KeyRevoked
from pytest_spiral.model.trust import ED25519, TrustedKey, TrustRoot
from pytest_spiral.rules.integrity import shown

FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]*")

_KINDS: Final = frozenset(
    {
        ED25519,
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_OPTION: Final = re.compile(r'([A-Za-z-]+)(?:="([^"\\]*)")?(?:,|$)')
_OPTIONS_FIELD: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TIME: Final = re.compile(r"[0-9]{8}(?:[0-9]{4}(?:[0-9]{2})?)?Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTE: Final = re.compile(r"#\s*spiral\b", re.IGNORECASE)
_MARK: Final = re.compile(r"# spiral: (superseded|compromised) (\S+) (at|since) (0|[1-9][0-9]{0,15})")
_WORDS: Final = {"superseded": "at", "compromised": "since"}

_PRIME: Final = 2**255 - 19
_EIGHTH: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_LOW_ORDER: Final = frozenset({0, 1, _PRIME - 1, _EIGHTH, _PRIME - _EIGHTH})
"""The y coordinates of all points of edwards25519 whose order divides 8: anybody can sign for such a key."""


def parse_trust(text: str, name: str) -> TrustRoot:
    """Read a trust root; `name` is what the file is called in messages. Raises UseError with line and remedy."""
    keys: dict[str, TrustedKey] = {}
    marks: dict[str, dict[str, int]] = {word: {} for word in _WORDS}
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{name}:{number}"
        if not line.isprintable():
            raise UseError(f"{where}: a tab, a carriage return or another character that does not print stands there.")
        if not line.strip():
            continue
        if line.startswith("#"):
            _take_note(line, marks, where)
            continue
        key = _parse_line(line, where)
        if key.keyid in keys:
            raise UseError(f"{where}: key {key.keyid} stands in two lines. Remedy: one line with all its roles.")
        keys[key.keyid] = key
    for word, marked in marks.items():
        for keyid in marked:
            if keyid not in keys:
                raise UseError(f"{name}: {keyid} is marked {word} and has no line. Remedy: keep the line of the key.")
    return TrustRoot(keys=tuple(keys.values()), **marks)


def parse_public_key(text: str, name: str) -> TrustedKey:
    """Read an OpenSSH public key (`ssh-ed25519 AAAA… comment`) into a key without principal and role.

    Raises UseError for anything else.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    words = lines[0].split(maxsplit=2) if len(lines) == 1 else []
    if len(words) < 2 or words[0] not in _KINDS:
        raise UseError(f"{name} is no OpenSSH public key. Remedy: give the file that ends in .pub.")
    return TrustedKey(
        keyid=_fingerprint(words[0], words[1], name), kind=words[0], public=words[1], principals=(), roles=()
    )


def render_line(key: TrustedKey, comment: str = "") -> str:
    """The line of a key, without its line end; what `parse_trust` reads back, and OpenSSH too."""
    options = [f'namespaces="{",".join(key.roles)}"']
    for word, moment in (("valid-after", key.valid_after), ("valid-before", key.valid_before)):
        if moment is not None:
            options.append(f'{word}="{datetime.fromtimestamp(moment // 1_000_000, UTC):%Y%m%d%H%M%SZ}"')
    return f"{','.join(key.principals)} {','.join(options)} {key.kind} {key.public} {comment}".rstrip()


def render_mark(word: str, keyid: str, position: int) -> str:
    """The comment that supersedes a key (`superseded`) or voids it (`compromised`) at a position of the ledger."""
    return f"# spiral: {word} {keyid} {_WORDS[word]} {position}"


def parse_moment(text: str, where: str, *, last: bool = False) -> int:
    """A date or time of the trust root (`20260101Z`, `202601011200Z`, `20260101120000Z`) in microseconds.

    A date alone is its first second, as in OpenSSH; with `last` the whole of the second stated is included. Raises
    UseError.
    """
    moment = _instant(text.removesuffix("Z")) if _TIME.fullmatch(text) else None
    if moment is None or moment <= _EPOCH:  # OpenSSH knows no earlier one
        raise UseError(f"{where}: {shown(text, 40)!r} is no time. Remedy: write it in UTC, such as 20260101Z.")
    return int(moment.timestamp()) * 1_000_000 + (999_999 if last else 0)


def key_faults(
    root: TrustRoot, key: TrustedKey, role: str, times: tuple[int, int] | None, position: int | None
) -> Iterator[tuple[str, str]]:
    """What keeps a key of the trust root from vouching in a role: reason code and sentence, nothing for a good one.

    `times` are the first and last moment of what it signed, in microseconds, where known. `position` is where a
    verified ledger shows it, None where none does: a superseded or compromised key then vouches for nothing, since
    whoever holds it can state any date.
    """
    if role not in key.roles:
        held = ", ".join(key.roles) or "none"
        yield "attestation-role", f"the trust root gives key {key.keyid} the roles {held}, not {role}."
    if times is not None and key.valid_after is not None and times[0] < key.valid_after:
        yield "attestation-key-time", f"key {key.keyid} was not valid yet when what it signs began."
    if times is not None and key.valid_before is not None and times[1] > key.valid_before:
        yield "attestation-key-time", f"key {key.keyid} was not valid any more when what it signs ended."
    for word, marks in (("superseded", root.superseded), ("compromised", root.compromised)):
        mark = marks.get(key.keyid)
        if mark is not None and (position is None or position >= mark):
            place = "no ledger shows this bundle before" if position is None else f"this bundle stands at {position} of"
            yield f"attestation-key-{word}", f"key {key.keyid} is {word} from ledger position {mark}; {place} it."


def with_revoked(root: TrustRoot, revoked: Iterable[KeyRevoked]) -> TrustRoot:
    """The trust root with what a ledger says of its keys besides; of two positions the earlier one counts.

    Such an entry need not be signed to be taken: it can only take trust away.
    """
    marks = {"superseded": dict(root.superseded), "compromised": dict(root.compromised)}
    for one in revoked:
        if root.key(one.keyid) is not None:
            known = marks[one.status]
            known[one.keyid] = min(one.since, known.get(one.keyid, one.since))
    return TrustRoot(keys=root.keys, **marks)


def _instant(digits: str) -> datetime | None:
    try:
        return datetime.strptime(f"{digits.ljust(14, '0')}Z", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None


def _take_note(line: str, marks: dict[str, dict[str, int]], where: str) -> None:
    """Take a comment that is meant for this program; others are nobody's business."""
    if not _NOTE.match(line):
        return
    match = _MARK.fullmatch(line)
    if match is None or _WORDS[match[1]] != match[3] or not FINGERPRINT.fullmatch(match[2]):
        raise UseError(
            f"{where}: {shown(line, 120)!r} is not understood. "
            "Remedy: write `# spiral: superseded SHA256:… at N` or `# spiral: compromised SHA256:… since N`."
        )
    word, keyid, position = match[1], match[2], int(match[4])
    if position > MOST_INTEGER:
        raise UseError(f"{where}: ledger position {position} is beyond 2^53 - 1.")
    marks[word][keyid] = min(position, marks[word].get(keyid, position))


def _parse_line(line: str, where: str) -> TrustedKey:
    principals, _, rest = line.partition(" ")
    names = tuple(principals.split(","))
    for one in names:
        if not PRINCIPAL.fullmatch(one):
            raise UseError(
                f"{where}: principal {shown(one, 40)!r} is no plain name. Remedy: write it without patterns."
            )
    options = _OPTIONS_FIELD.match(rest)
    if options is None or options[0] in _KINDS:
        raise UseError(f'{where}: the key names no role. Remedy: namespaces="spiral-job" before the key.')
    found = _parse_options(options[0], where)
    words = rest[options.end() :].removeprefix(" ").split(" ", 2)
    if len(words) < 2 or words[0] not in _KINDS:
        raise UseError(f"{where}: after the options stands no key type that is known here.")
    kind, public = words[0], words[1]
    keyid = _fingerprint(kind, public, where)
    roles = _roles(found, where)
    if kind != ED25519 and set(roles) & set(BUNDLE_ROLES):
        raise UseError(f"{where}: a {kind} key cannot sign bundles. Remedy: an Ed25519 key, as `spiral key new` makes.")
    after, before = (found.get(name) for name in ("valid-after", "valid-before"))
    key = TrustedKey(
        keyid=keyid,
        kind=kind,
        public=public,
        principals=names,
        roles=roles,
        valid_after=None if after is None else parse_moment(after, where),
        valid_before=None if before is None else parse_moment(before, where, last=True),
    )
    if key.valid_after is not None and key.valid_before is not None and key.valid_after > key.valid_before:
        raise UseError(f"{where}: valid-after is later than valid-before, so the key is never valid.")
    return key


def _parse_options(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        name = match[1].lower() if match else ""
        if match is None or match[2] is None or name not in ("namespaces", "valid-after", "valid-before"):
            raise UseError(
                f"{where}: {shown(text[at:], 60)!r} is no option that is known here. "
                'Remedy: namespaces="…", valid-after="…", valid-before="…", joined by commas, values in quotes.'
            )
        if name in found:
            raise UseError(f"{where}: {name} stands twice.")
        found[name] = match[2]
        at = match.end()
    if "namespaces" not in found:
        raise UseError(f'{where}: the key names no role. Remedy: namespaces="spiral-job" before the key.')
    return found


def _roles(options: dict[str, str], where: str) -> tuple[str, ...]:
    """The roles among the namespaces; those of other programs are left to them."""
    names = options["namespaces"].split(",")
    for name in names:
        known = name in ROLES or (PRINCIPAL.fullmatch(name) and not name.lower().startswith("spiral"))
        if not known:
            raise UseError(f"{where}: namespace {shown(name, 40)!r} is no role. Known roles: {', '.join(ROLES)}.")
    return tuple(dict.fromkeys(name for name in names if name in ROLES))


def _fingerprint(kind: str, public: str, where: str) -> str:
    """The key's fingerprint; UseError where the base64 does not hold one key of that kind."""
    try:
        blob = base64.b64decode(public, validate=True)
    except ValueError:  # binascii's own is one; a character beyond ASCII raises a plain one
        blob = b""
    named = len(kind).to_bytes(4, "big") + kind.encode()
    if base64.b64encode(blob).decode() != public or not blob.startswith(named) or len(blob) == len(named):
        raise UseError(f"{where}: the key is not the base64 of a {kind} key. Remedy: copy it from the .pub file.")
    if kind == ED25519:
        _check_point(blob.removeprefix(named), where)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _check_point(field: bytes, where: str) -> None:
    """Refuse what is no 32 bytes, a second spelling of a point, and keys for which anybody can sign (RFC 8032, 5.1.7)."""
    length, raw = field[:4], field[4:]
    if length != (32).to_bytes(4, "big") or len(raw) != 32:
        raise UseError(f"{where}: an Ed25519 key has 32 bytes, not {len(raw)}.")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _PRIME or y in _LOW_ORDER:
        raise UseError(f"{where}: this Ed25519 key is weak: anybody can sign for it. Remedy: make another one.")
