"""Documents that people examine: looked at when a run is opened, signed by `spiral examine`."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from pytest_spiral.errors import EvidenceError, UntrustedError, UseError
from pytest_spiral.evidence.sshsig import check_document, verify_sshsig
from pytest_spiral.evidence.store import make_folder, mapped, replace
from pytest_spiral.model.examination import SIGNOFF, ExaminationStatement, Standing
from pytest_spiral.model.gate import Criterion, Plan
from pytest_spiral.model.record import DocumentSeen
from pytest_spiral.model.trust import TrustRoot
from pytest_spiral.rules.examination import (
    MOST,
    SIGNED,
    examination_faults,
    render_statement,
    statement_file,
)
from pytest_spiral.rules.gate_files import GATE_FILES
from pytest_spiral.rules.integrity import Limits
from pytest_spiral.rules.paths import clean_segment
from pytest_spiral.rules.redact import Redactor
from pytest_spiral.rules.times import told
from pytest_spiral.run import clock
from pytest_spiral.run.gates import GateFile, load_gate_files
from pytest_spiral.run.writer import Writer

_RECORD_MOST = Limits().journal_line - 1024  # what stands around a record takes a few hundred
_WITHIN_S = 300  # a person may have to type a passphrase


@dataclass(frozen=True, slots=True)
class Asked:
    """A criterion that asks for an examination: its promise, the document, and where the statement lies.

    The document lies below `root`, the statement beside the gates file.
    """

    criterion: Criterion
    promise: str
    root: Path
    document: Path
    statement: Path

    @property
    def signature(self) -> Path:
        """Where the statement's signature lies, as ssh-keygen names it."""
        return self.statement.with_name(self.statement.name + SIGNED)


def asked_for(root: Path, selector: str = "") -> tuple[Asked, ...]:
    """The examinations that gates files under `root` ask for: all, or those of a stage, gate or criterion. UseError."""
    files = load_gate_files(root, GATE_FILES)
    every = asked_in(root, files)
    stages = {gate.id: gate.stage for file in files for gate in file.gates}
    names = {one: (one.criterion.id, one.criterion.gate, stages[one.criterion.gate]) for one in every}
    found = tuple(one for one in every if not selector or selector in names[one])
    if not found:
        what = f"{selector!r} is examined by nobody" if selector else "nothing is examined by a person"
        known = ", ".join(one.criterion.id for one in every)
        hint = f"; there is {known}." if known else '. Remedy: declare a criterion with `method = "examine"`.'
        raise UseError(f"{what} under {root}{hint}")
    return found


def asked_in(root: Path, files: Sequence[GateFile]) -> tuple[Asked, ...]:
    """The examinations that these gates files ask for, in their order."""
    return tuple(_asked(root, files, [one for file in files for gate in file.gates for one in gate.criteria]))


def _asked(root: Path, files: Sequence[GateFile], criteria: Iterable[Criterion]) -> Iterator[Asked]:
    folders: Mapping[str, Path] = {card.id: file.folder for file in files for card in file.cards}
    promises = {one.id: one.promise for file in files for card in file.cards for one in card.criteria}
    for one in criteria:
        if one.method == "examine" and one.document is not None:
            where = folders[one.gate] / statement_file(one.id)
            yield Asked(one, promises[one.id], root, root / one.document, where)


class Found(NamedTuple):
    """A document as it lay there when a run was about to begin."""

    document: Path
    seen: DocumentSeen


def find_documents(root: Path, files: Sequence[GateFile], plan: Plan, redactor: Redactor) -> tuple[Found, ...]:
    """Look at each document of a plan, before anything is written or registered. Raises UseError for what cannot be kept."""
    found = tuple(
        Found(one.document, _seen(one, number)) for number, one in enumerate(_asked(root, files, plan.criteria()), 1)
    )
    for one in found:
        _check_keepable(one, redactor)
    return found


def _check_keepable(one: Found, redactor: Redactor) -> None:
    seen = one.seen
    if len(msgspec.json.encode(seen)) > _RECORD_MOST:
        said = f"what was signed of {seen.document} takes more than {_RECORD_MOST} bytes in a record"
        raise UseError(f"{said}, so it is none of ours. Remedy: write it with spiral examine.")
    try:
        with mapped(one.document) if seen.path else nullcontext(b"") as data:
            signed = f"{seen.document}\n{seen.statement}\n{seen.signature}".encode()
            secret = redactor.find(data) or redactor.find(signed)
    except OSError as problem:
        raise UseError(f"The document {one.document} cannot be read: {problem.strerror}.") from problem
    if secret:
        said = f"{seen.document}, or what was signed of it, holds a declared secret"
        raise UseError(f"{said}, so no bundle can keep it. Remedy: take the secret out of it, and change it.")


def keep_documents(writer: Writer, found: Iterable[Found]) -> None:
    """Record each document that was found, and keep it in the bundle. Raises UseError and EvidenceError."""
    for document, seen in found:
        if seen.path:
            media_type = "text/markdown" if document.suffix == ".md" else "application/octet-stream"
            try:
                writer.attach(
                    seen.path, document, name=document.name, media_type=media_type, criteria=(seen.criterion,)
                )
            except (EvidenceError, OSError) as problem:
                raise UseError(f"{seen.document} cannot be kept in the bundle: {problem}") from problem
        writer.append(seen)


def look_at(asked: Asked, trust: TrustRoot | None = None) -> Standing:
    """How an examination stands now, by a trust root where there is one. Raises UseError."""
    one = check_document(_seen(asked))
    return Standing(
        criterion=asked.criterion.id,
        promise=asked.promise,
        signer=asked.criterion.signer or "",
        examination=one,
        faults=tuple(examination_faults(asked.criterion, one, clock.wall_us(), trust)),
    )


def _seen(asked: Asked, number: int = 1) -> DocumentSeen:
    """The document and what lies beside the gates file, as they are now; `number` tells it from others of a run."""
    criterion, document = asked.criterion, asked.document
    name = criterion.document or ""
    statement, signature = _text(asked.statement), _text(asked.signature)
    if not _is_there(document):
        return DocumentSeen(criterion=criterion.id, document=name, statement=statement, signature=signature)
    if not document.resolve().is_relative_to(asked.root.resolve()):
        raise UseError(f"{document} leads out of {asked.root}. Remedy: keep the document itself there, and no link.")
    try:
        with document.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as problem:
        raise UseError(f"The document {document} cannot be read: {problem.strerror}.") from problem
    return DocumentSeen(
        criterion=criterion.id,
        document=name,
        path=f"attachments/{clean_segment(f'examined-{number}-{criterion.id}-{document.name}')}",
        bytes=size,
        sha256=f"sha256:{digest}",
        statement=statement,
        signature=signature,
    )


def _is_there(path: Path) -> bool:
    """Whether a file lies there: a folder, a pipe or a device is none. Raises UseError where nobody can tell."""
    try:
        return path.is_file()
    except OSError as problem:
        raise UseError(f"{path} cannot be looked at: {problem.strerror}.") from problem


def _text(path: Path) -> str:
    """A small text file; empty where there is none."""
    if not _is_there(path):
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise UseError(f"{path} has more than {MOST} bytes. Remedy: write it with spiral examine.")
        return data.decode()
    except OSError as problem:
        raise UseError(f"{path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise UseError(f"{path} is not UTF-8. Remedy: write it with spiral examine.") from problem


def sign_examination(asked: Asked, key: Path, note: str = "") -> Standing:
    """Sign, with an SSH key, that the document was examined as it lies there now; gives how it stands then.

    `key` is a private key, or the public one of a key that an agent holds. What was signed before is replaced. Raises
    UseError, and then nothing is changed.
    """
    return _sign(asked, key, note, rehearsal=False)


def rehearse_examination(asked: Asked, note: str = "") -> Standing:
    """Sign in rehearsal, by a key that nobody keeps: it shows that the machinery works, not that anybody examined it."""
    from pytest_spiral.evidence.keys import make_key, write_key

    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        write_key(key, make_key())
        return _sign(asked, key, note, rehearsal=True)


def _sign(asked: Asked, key: Path, note: str, *, rehearsal: bool) -> Standing:
    seen, criterion = _seen(asked), asked.criterion
    if not seen.path:
        raise UseError(f"{criterion.document} is not there, so nobody can examine it.")
    statement = ExaminationStatement(
        criterion=criterion.id,
        document=seen.document,
        bytes=seen.bytes,
        sha256=seen.sha256,
        signer=criterion.signer or "",
        examined=told(clock.wall_us()),
        rehearsal=rehearsal,
        note=note,
    )
    data = render_statement(statement)
    if len(data) > MOST:
        raise UseError(f"the statement would have more than {MOST} bytes. Remedy: a shorter --note.")
    signature = _ssh_sign(data, key)
    try:
        make_folder(asked.statement.parent)
        replace(asked.statement, data)
        replace(asked.signature, signature.encode())
    except EvidenceError as problem:
        raise UseError(str(problem)) from problem
    return look_at(asked)


def _ssh_sign(data: bytes, key: Path) -> str:
    """The armoured signature over these bytes; raises UseError."""
    with tempfile.TemporaryDirectory() as folder:
        message = Path(folder, "statement")
        message.write_bytes(data)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", SIGNOFF, "-f", str(key), str(message)]
        try:
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=_WITHIN_S, check=False)
        except OSError as problem:
            said = f"ssh-keygen, which signs, cannot be started ({problem.strerror}). Remedy: install OpenSSH's client."
            raise UseError(said) from problem
        except subprocess.TimeoutExpired as problem:
            raise UseError(f"ssh-keygen did not sign within {_WITHIN_S} s.") from problem
        signature = message.with_name(message.name + SIGNED)
        if done.returncode or not signature.is_file():
            raise UseError(f"{key} does not sign: {' '.join(done.stderr.split()) or 'ssh-keygen says nothing'}.")
        text = signature.read_text()
    try:
        verify_sshsig(data, text, SIGNOFF)
    except UntrustedError as problem:
        raise UseError(f"{key} has signed, and that does not hold: {problem}") from problem
    return text
