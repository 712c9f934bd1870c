"""The launcher's end of the channel: it notes what each process says it has written, and writes the ledger.

Whoever runs as the tests' user can connect and say anything. What was said once is never taken back, and what cannot
be true is kept as a fault: lies can only keep the run from being signed.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from pytest_spiral.errors import SpiralError
from pytest_spiral.ledger.store import Store
from pytest_spiral.model.base import Value
from pytest_spiral.model.entry import ENTRIES, Entry, LedgerHead
from pytest_spiral.model.launcher import (
    Answer,
    AskLedger,
    Hello,
    LedgerLine,
    Published,
    Question,
    Refused,
    Register,
    Registered,
    Terms,
    Told,
    Wrote,
)
from pytest_spiral.rules.canonical import convert
from pytest_spiral.rules.entries import encode_entry, parse_entry
from pytest_spiral.rules.integrity import shown
from pytest_spiral.run.channel import PACKET

SIZE: Final = 32
"""Bytes of one digest, as they are kept: a million records take 32 MB."""

_PATIENCE_S: Final = 30.0
_MOST_CONNECTIONS: Final = 1024
_MOST_FAULTS: Final = 5
_MOST_KEPT: Final = 2**29
_MOST_FILES: Final = 100
_CREDENTIALS: Final = struct.Struct("3i")
_DECODE: Final = msgspec.json.Decoder(Question).decode
_REGISTERED: Final = ("opened", "collected")

Publish = Callable[[LedgerHead], Published]
"""Gives a head to a witness, and says what came of it."""


@dataclass(slots=True)
class Heard:
    """All that was said: for each process the digests of its records in their order, raw, `SIZE` bytes each.

    `files` has digests of files by path, `opened` and `collected` are the entries that were registered, `published`
    what came of publishing, `faults` what cannot be.
    """

    records: dict[str, bytearray] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    opened: Entry | None = None
    collected: Entry | None = None
    published: Published | None = None
    faults: list[str] = field(default_factory=list)

    def fault(self, sentence: str) -> None:
        """Note something that cannot be; the first few are kept."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(sentence)


class Listener:
    """Listens at `path` for processes of the user `uid`, in a thread of its own, from `start` to `finish`.

    `ledger` is written for them: one `opened` entry, which `publish` follows where it is given, and one `collected`.
    """

    def __init__(self, path: Path, uid: int, ledger: Store | None, publish: Publish | None) -> None:
        self.heard = Heard()
        self._uid = uid
        self._ledger = ledger
        self._publish = publish
        self._terms: Terms | None = None
        self._names: dict[socket.socket, str] = {}
        self._asking = threading.Lock()
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ring = socket.socketpair()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.bind(str(path))
        path.chmod(0o666)  # who connects is known by the kernel, not by who may open the file
        self._door.listen(64)
        self._door.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="spiral-launcher", daemon=True)

    def start(self, terms: Terms) -> None:
        """Begin to answer; what has connected before is heard too."""
        self._terms = terms
        self._selector.register(self._door, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread.start()

    def close(self) -> None:
        """Write the ledger no more; returns when nothing of that is going on."""
        with self._asking:
            self._closed = True

    def finish(self) -> Heard:
        """Hear what is still on its way; every process must be dead. Gives all that was said."""
        self._ring.close()
        self._thread.join()
        return self.heard

    def _run(self) -> None:
        ending = False
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(0 if ending else None)]
            if not ready:
                break
            for one in ready:
                if one is self._bell:
                    self._selector.unregister(self._bell)
                    ending = True
                elif one is self._door:
                    self._let_in()
                elif isinstance(one, socket.socket):
                    self._hear(one)
        for one in (*self._names, self._door, self._bell):
            one.close()

    def _let_in(self) -> None:
        try:
            guest, _ = self._door.accept()
        except OSError:
            return  # it went away again
        raw = guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(raw)
        if uid != self._uid or len(self._names) >= _MOST_CONNECTIONS:
            guest.close()
            return
        guest.settimeout(_PATIENCE_S)
        self._names[guest] = ""
        self._selector.register(guest, selectors.EVENT_READ)

    def _hear(self, guest: socket.socket) -> None:
        try:
            data = guest.recv(PACKET)
        except ConnectionResetError:
            return  # it left without its answer; told once, and what it had sent before can still be read
        except OSError:
            data = b""
        if not data:
            self._part(guest)
            return
        try:
            message = _DECODE(data)
        except msgspec.MsgspecError:
            self.heard.fault(f"{self._called(guest)} sent what is no message")
            self._part(guest)
            return
        try:
            self._take(guest, message)
        except BrokenPipeError:
            return  # as above
        except OSError:
            self._part(guest)  # it does not listen to its answer

    def _part(self, guest: socket.socket) -> None:
        self._selector.unregister(guest)
        self._names.pop(guest, None)
        guest.close()

    def _called(self, guest: socket.socket) -> str:
        return shown(self._names.get(guest) or "a process without a name", 60)

    def _take(self, guest: socket.socket, message: Question) -> None:
        match message:
            case Hello():
                self._welcome(guest, message.process)
            case Told():
                self._note(guest, message)
            case Wrote():
                known = self.heard.files.setdefault(message.path, message.digest)
                if known != message.digest or len(self.heard.files) > _MOST_FILES:
                    self.heard.files.pop(message.path)
                    self.heard.fault(f"two digests were sent of {shown(message.path, 60)}")
            case Register():
                _say(guest, self._registered(message))
            case AskLedger():
                self._read_out(guest)

    def _welcome(self, guest: socket.socket, name: str) -> None:
        if name in self.heard.records or self._names[guest] or self._terms is None:
            self.heard.fault(f"two processes called themselves {shown(name, 60)}")
            _say(guest, Refused(why=f"spiral record knows a process {name} already: one session has one bundle."))
            return
        self._names[guest] = name
        self.heard.records[name] = bytearray()
        _say(guest, self._terms)

    def _note(self, guest: socket.socket, told: Told) -> None:
        """Keep a record's digest; the last one may come twice, where its sender was interrupted."""
        name, raw = self._names[guest], bytes.fromhex(told.digest.removeprefix("sha256:"))
        kept = self.heard.records.get(name)
        if kept is None:
            self.heard.fault("a process that gave no name told of a record")
        elif told.n == len(kept) // SIZE and len(kept) < _MOST_KEPT:
            kept += raw
        elif told.n != len(kept) // SIZE - 1 or kept[-SIZE:] != raw:
            self.heard.fault(f"{shown(name, 60)} told of record {told.n} where {len(kept) // SIZE} was to come")

    def _registered(self, message: Register) -> Answer:
        with self._asking:
            if self._ledger is None or self._closed:
                return Refused(why="spiral record was given no ledger. Remedy: spiral record --ledger WHERE.")
            try:
                return self._append(self._ledger, message)
            except (SpiralError, OSError) as problem:
                return Refused(why=str(problem))

    def _append(self, ledger: Store, message: Register) -> Answer:
        if not message.entry:
            ledger.append()
            return Registered()
        if message.entry not in _REGISTERED:
            return Refused(why=f"an entry {shown(message.entry, 40)} is not for tests to make.")
        record: Value = convert(msgspec.json.decode(message.body), ENTRIES[message.entry])
        known = self.heard.opened if message.entry == "opened" else self.heard.collected
        if known is not None and known.record != record:
            return Refused(why="one run is registered under the launcher, and there is one already.")
        entry = ledger.append(record)[0]
        line = encode_entry(entry.seq, entry.prev, entry.wall, entry.record).decode()
        if message.entry == "collected":
            self.heard.collected = entry
            return Registered(line=line)
        self.heard.opened = entry
        if self._publish is not None and self.heard.published is None:
            first = parse_entry(next(iter(ledger.lines())))
            self.heard.published = self._publish(LedgerHead(id=first.digest, seq=entry.seq, digest=entry.digest))
        return Registered(line=line, published=self.heard.published)

    def _read_out(self, guest: socket.socket) -> None:
        try:
            for raw in self._ledger.lines() if self._ledger is not None else ():
                _say(guest, LedgerLine(line=raw.decode()))
        except (SpiralError, UnicodeDecodeError) as problem:
            _say(guest, Refused(why=str(problem)))
            return
        _say(guest, LedgerLine(line=""))


def _say(guest: socket.socket, answer: Answer) -> None:
    guest.send(msgspec.json.encode(answer))
