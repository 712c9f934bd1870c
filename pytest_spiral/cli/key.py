"""`spiral key`: keys that sign bundles, and the trust root that says which of them count."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_spiral.cli.command import Answer, Command, plain
from pytest_spiral.cli.ledgers import add_ledger, ledger_of
from pytest_spiral.errors import UseError
from pytest_spiral.model.attestation import ROLES

if TYPE_CHECKING:
    from pytest_spiral.ledger.store import Store


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    new = actions.add_parser("new", help="make an Ed25519 key: FILE for the signer only, FILE.pub for everybody")
    new.add_argument("file", type=Path, metavar="FILE", help="where to write it; outside the project and its bundles")
    new.add_argument("--comment", default="", help="words at the end of the public line")
    listed = actions.add_parser("list", help="say which keys a trust root holds")
    _add_root(listed)
    trust = actions.add_parser("trust", help="add a public key to a trust root")
    _add_root(trust)
    trust.add_argument("public", type=Path, metavar="FILE.pub", help="the public key")
    trust.add_argument("--principal", required=True, metavar="NAME", help="whose it is, such as ci@example.org")
    trust.add_argument(
        "--role", required=True, action="append", choices=ROLES, help="what it may sign; may be repeated"
    )
    trust.add_argument("--valid-after", metavar="TIME", help="not valid before, in UTC, such as 20260101Z")
    trust.add_argument("--valid-before", metavar="TIME", help="not valid after, in UTC")
    trust.add_argument("--comment", default="", help="words at the end of the line")
    revoke = actions.add_parser("revoke", help="say in a trust root that a key counts no more")
    _add_root(revoke)
    revoke.add_argument("keyid", metavar="SHA256:…", help="the key's fingerprint")
    where = revoke.add_mutually_exclusive_group(required=True)
    where.add_argument("--superseded-at", type=int, metavar="N", help="keep what stands before ledger position N")
    where.add_argument("--compromised-since", type=int, metavar="N", help="void everything from ledger position N")
    revoke.add_argument("--reason", default="", help="why, for the ledger")
    add_ledger(revoke, default="reports/ledger.jsonl where it is there, else none is told")
    revoke.add_argument("--force", action="store_true", help="write to the ledger even where locks are not proven")


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trust", type=Path, required=True, metavar="FILE", help="the trust root (allowed_signers)")


def _run(options: argparse.Namespace) -> Answer:
    return {"new": _new, "list": _list, "trust": _trust, "revoke": _revoke}[options.action](options)


def _new(options: argparse.Namespace) -> Answer:
    from pytest_spiral.evidence.keys import make_key, write_key

    comment = _comment(options.comment)
    key = make_key()
    public = write_key(options.file, key, comment)
    return plain(
        f"wrote {options.file} (keep it secret) and {public}",
        f"fingerprint {key.keyid}",
        f"next: spiral key trust --trust allowed_signers {public} --principal NAME --role spiral-job",
    )


def _list(options: argparse.Namespace) -> Answer:
    from pytest_spiral.rules.times import told
    from pytest_spiral.run.grounds import load_trust

    root = load_trust(options.trust)
    lines = []
    for key in root.keys:
        ends = [f"from {told(key.valid_after)}"] if key.valid_after is not None else []
        ends += [f"until {told(key.valid_before)}"] if key.valid_before is not None else []
        ends += [f"superseded at {root.superseded[key.keyid]}"] if key.keyid in root.superseded else []
        ends += [f"compromised since {root.compromised[key.keyid]}"] if key.keyid in root.compromised else []
        lines.append(f"{key.keyid}  {', '.join(key.roles) or 'no role'}  {', '.join([*key.principals, *ends])}")
    return plain(*lines or ["no keys: nothing verifies against this trust root"])


def _trust(options: argparse.Namespace) -> Answer:
    import msgspec

    from pytest_spiral.rules.trust import PRINCIPAL, parse_moment, parse_public_key, render_line
    from pytest_spiral.run.grounds import extend_trust, read_text

    if not PRINCIPAL.fullmatch(options.principal):
        raise UseError(f"--principal {options.principal!r} is no plain name; write it like ci@example.org.")
    key = parse_public_key(read_text(options.public, "public key"), str(options.public))
    after, before = options.valid_after, options.valid_before
    key = msgspec.structs.replace(
        key,
        principals=(options.principal,),
        roles=tuple(dict.fromkeys(options.role)),
        valid_after=None if after is None else parse_moment(after, "--valid-after"),
        valid_before=None if before is None else parse_moment(before, "--valid-before"),
    )
    extend_trust(options.trust, render_line(key, _comment(options.comment)))
    return plain(f"{options.trust} trusts {key.keyid} as {', '.join(key.roles)}")


def _revoke(options: argparse.Namespace) -> Answer:
    from pytest_spiral.rules.trust import render_mark
    from pytest_spiral.run.grounds import extend_trust

    word: Literal["superseded", "compromised"] = "superseded" if options.superseded_at is not None else "compromised"
    position = options.superseded_at if options.superseded_at is not None else options.compromised_since
    if position < 0:
        raise UseError(f"{position} is no position of a ledger; positions count from 0.")
    reason = _comment(options.reason)
    ledger = _ledger(options)
    extend_trust(options.trust, render_mark(word, options.keyid, position), new=False)
    told = [f"{options.trust}: {options.keyid} is {word} from ledger position {position}"]
    if ledger is not None:
        from pytest_spiral.model.entry import KeyRevoked

        (entry,) = ledger.append(KeyRevoked(keyid=options.keyid, status=word, since=position, reason=reason))
        told.append(f"{ledger.name}: entry {entry.seq} says the same")
    return plain(*told)


def _ledger(options: argparse.Namespace) -> "Store | None":
    """The ledger to tell: the one named, which must be there, or the default one if it is."""
    ledger = ledger_of(options.ledger, forced=options.force)
    if next(iter(ledger.lines()), b""):
        return ledger
    if options.ledger:
        raise UseError(f"there is no ledger at {ledger.name}, so nothing was revoked.")
    return None


def _comment(text: str) -> str:
    if not text.isprintable():
        raise UseError("--comment holds something that is no printable character.")
    return text


COMMAND = Command(
    "key",
    "make, list, trust and revoke the keys that sign bundles",
    "A trust root is one OpenSSH allowed_signers file; the namespaces of a key are its roles. Keep it, like an\n"
    "expectation, where the change under test cannot reach.",
    _add_arguments,
    _run,
)
