"""What looks like a secret that nobody declared: found by its form, and kept out of a bundle.

A form is a guess, so nothing here is fatal. Declared secrets are another matter: `rules.redact`. Only what stands there
as it is, is found: not what was compressed, encrypted or encoded again.
"""

import re
from mmap import mmap
from typing import Final, NamedTuple


class _Form(NamedTuple):
    """One kind of secret: literal bytes of which one stands in every such text, and its whole form."""

    kind: str
    marks: tuple[bytes, ...]
    pattern: re.Pattern[bytes]


# A key's body may be written with line ends, or as JSON writes them, and its end may have been cut off.
_KEY_BODY: Final = rb"(?:[A-Za-z0-9+/=\s:,.]|-(?!-)|\\+[nr])*+(?:-----END [A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----)?"

FORMS: Final = (
    # RFC 7468 (PEM), OpenSSH's PROTOCOL.key, RFC 9580 (OpenPGP)
    _Form(
        "private key",
        (b"PRIVATE KEY",),
        re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----" + _KEY_BODY),
    ),
    # docs.aws.amazon.com/IAM: unique identifiers
    _Form("AWS access key", (b"AKIA", b"ASIA"), re.compile(rb"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])")),
    # docs.github.com: about authentication to GitHub, token formats
    _Form(
        "GitHub token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    ),
    # api.slack.com: token types
    _Form(
        "Slack token",
        (b"xoxa-", b"xoxb-", b"xoxe-", b"xoxe.", b"xoxo-", b"xoxp-", b"xoxr-", b"xoxs-", b"xapp-"),
        re.compile(rb"(?<![A-Za-z0-9])(?:xox[abeoprs][-.]|xapp-)[A-Za-z0-9.-]{10,255}"),
    ),
    # RFC 6750, section 2.1; a header, or a JSON object's key for one
    _Form(
        "bearer header",
        (b"earer ", b"EARER "),
        re.compile(
            rb"(?i)authorization\\{0,8}[\"']?\s{0,4}[:=]\s{0,4}\\{0,8}[\"']?bearer\s{1,4}[A-Za-z0-9._~+/-]{16,4096}=*"
        ),
    ),
)


def find_suspects(data: bytes | mmap) -> tuple[str, ...]:
    """The kinds of secret that something in the data looks like, each once."""
    return tuple(
        form.kind for form in FORMS if any(data.find(mark) >= 0 for mark in form.marks) and form.pattern.search(data)
    )


def strike_suspects(data: bytes) -> bytes:
    """The data with everything that looks like a secret replaced by its kind; `find_suspects` finds nothing in it."""
    for form in FORMS:
        if any(mark in data for mark in form.marks):
            data = form.pattern.sub(f"[quarantined: {form.kind}]".encode(), data)
    return data


def stub_of(name: str, size: int, kinds: tuple[str, ...]) -> str:
    """What stands in the bundle in place of a file that was quarantined."""
    return (
        f"QUARANTINED by pytest-spiral: {name!a}, {size:,} bytes, looked as if it held a secret ({', '.join(kinds)}).\n"
        "It was not kept, and nothing of it is in this bundle. If it is a secret, revoke it: whoever ran this has seen\n"
        "it. If it is none, write it so that it does not look like one.\n"
    )
