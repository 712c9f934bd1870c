"""The store: one SQLite file with a table of items and a vector table per shard, and one audit chain.

One file, because a transaction is atomic within a file: in WAL mode SQLite does not promise that for several
attached ones. So the rows of an ingested batch, their vectors and their audit rows are all there, or none is.
An item's sequence number is its row number in its shard and in the audit chain.
"""

import itertools
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import numpy as np
import sqlite_vec

from spiral_sandbox.errors import SandboxError
from spiral_sandbox.memory.audit import BEFORE_THE_FIRST, AuditRow, audit_row, item_digest
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.embedding import DEFAULT, Embedding, Vectors, embedding_of
from spiral_sandbox.memory.errors import InvalidRequestError
from spiral_sandbox.memory.port import Hit, NewItem, StoredItem
from spiral_sandbox.memory.scale import Batch

_BUSY_MILLISECONDS = 10_000
_MAPPED_BYTES = 1 << 32
_ROWS_AT_ONCE = 10_000
_KEYS_EACH = 64
"""A vector's key is its sequence number times this, plus its shard: there are never more shards."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS layout(shards INTEGER NOT NULL, dims INTEGER NOT NULL, embedding TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS corpus(items INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS audit(
    sequence INTEGER PRIMARY KEY, item TEXT NOT NULL UNIQUE, item_digest TEXT NOT NULL,
    previous TEXT NOT NULL, digest TEXT NOT NULL);
"""
# Stores of before embeddings had names were all made by this one.
_NAME_EMBEDDING = "ALTER TABLE layout ADD COLUMN embedding TEXT NOT NULL DEFAULT 'hashing'"
_SHARD = """
CREATE TABLE items_{shard}(sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE VIRTUAL TABLE vectors_{shard} USING vec0(embedding float[{dims}] distance_metric=cosine);
"""
_NEAREST = "SELECT distance, rowid FROM vectors_{shard} WHERE embedding MATCH ? AND k = ?"
# Reads every row of the shard: only for searches whose last place is shared by several items.
_RANKED = """
SELECT vec_distance_cosine(v.embedding, ?) AS distance, v.rowid
FROM vectors_{shard} v JOIN items_{shard} i ON i.sequence = v.rowid ORDER BY distance, i.id LIMIT ?
"""
_EXPORT = "SELECT id, sequence, {shard}, text FROM items_{shard} WHERE id > ?1"

_Near = tuple[float, int, int]
"""Distance, shard, sequence number."""

_Layout = tuple[int, Embedding]
"""How many shards, and what made their vectors."""


class LaidOut(NamedTuple):
    """What a reader finds: how many shards, how long their vectors, and the name of what made them."""

    shards: int
    dims: int
    embedding: str


_Named = tuple[float, str, str, int, int]
"""Distance, id, text, shard, sequence number: sorts by distance, then by id."""


def shard_of(item: str, shards: int) -> int:
    """The shard an item belongs to: a hash of its id alone, so the order of arrival does not matter."""
    return int.from_bytes(blake2b(item.encode(), digest_size=8).digest(), "big") % shards


def newest_of(batch: Batch) -> int:
    """The highest sequence number among a batch's keys, 0 where it is empty."""
    return int(batch.keys.max(initial=0)) // _KEYS_EACH


class Store:
    """Items, vectors and audit chain in one file; durable, exact, safe for many threads.

    `shards` and the default embedding hold for a new file; a file that is already there keeps its own. Raises
    SandboxError for a file whose embedding cannot be had here.
    """

    def __init__(self, path: Path, shards: int, disturbance: Disturbance) -> None:
        self._path = path
        self._disturbance = disturbance
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._writer = self._connect()
        with self._lock, self._writer:
            self._writer.execute(_SCHEMA)
            self._layout = self._adopted() or self._created(shards, embedding_of(DEFAULT))

    @property
    def embedding(self) -> Embedding:
        """What makes the vectors; it may be another one at once, so whoever hands in a vector says what made it."""
        return self._layout[1]

    def lay_out(self, shards: int | None, embedding: str | None) -> None:
        """Start over with this number of shards and this embedding; with None, that part stays as it is.

        Raises InvalidRequestError, and changes nothing, if anything is stored or the embedding cannot be had.
        """
        with self._lock:
            now = (self._layout[0], self._layout[1].name)
            wanted = (shards or now[0], embedding or now[1])
            if wanted != now:
                with self._writer:
                    layout = self._laid_out_anew(*wanted)
                # Not before the transaction's end, and nothing can be stored before this is said.
                self._layout = layout

    def ingest(
        self, items: Sequence[NewItem], vectors: Vectors, made_by: Embedding, *, of_corpus: bool = False
    ) -> None:
        """Store the items with their vectors and audit rows in one transaction.

        With `of_corpus` they count as loaded from the corpus, in the same transaction too. Raises InvalidRequestError,
        and stores nothing, if an id is there already or twice in the batch, or if the store has another embedding by now.
        """
        with self._lock:
            if made_by.name != self.embedding.name:
                text = f"The embedding is {self.embedding.name} by now. Remedy: add the items again."
                raise InvalidRequestError(text)
            try:
                with self._writer:
                    self._insert(items, vectors)
                    if of_corpus:
                        self._writer.execute("INSERT INTO corpus VALUES (?)", (len(items),))
            except apsw.ConstraintError as error:
                raise InvalidRequestError("An item with one of these ids is stored already.") from error

    def nearest(self, vector: bytes, made_by: Embedding, count: int) -> list[Hit]:
        """The nearest items of all shards, best first, ties in the order of their ids.

        All shards are read in one transaction, so a batch is seen whole or not at all. Where the embedding has changed
        since the vector was made nothing is found: nothing was stored at the moment of the change.
        """
        with self._reading() as connection:
            laid_out = _laid_out(connection)
            if laid_out.embedding != made_by.name:
                return []
            near: list[_Near] = []
            for shard in self._disturbance.searched(range(laid_out.shards)):
                self._disturbance.before_shard(shard)
                near += _nearest_in_shard(connection, shard, vector, count)
            return _hits(connection, sorted(near), count)

    def vectors(self) -> Iterator[Batch]:
        """Every stored vector, in batches, under the key that `ranked` knows."""
        with self._reading() as connection:
            laid_out = _laid_out(connection)
            for shard in range(laid_out.shards):
                rows = connection.execute(f"SELECT rowid, embedding FROM vectors_{shard}")  # noqa: S608
                while block := list(itertools.islice(rows, _ROWS_AT_ONCE)):
                    yield _batch(shard, block, laid_out.dims)

    def vectors_after(self, sequence: int) -> Batch:
        """The vectors that were stored after a sequence number."""
        chosen = "SELECT rowid, embedding FROM vectors_{shard} WHERE rowid > ?"
        with self._reading() as connection:
            laid_out = _laid_out(connection)
            found = [
                _batch(shard, _rows(connection, chosen.format(shard=shard), (sequence,)), laid_out.dims)
                for shard in range(laid_out.shards)
            ]
        return Batch(np.concatenate([one.keys for one in found]), np.concatenate([one.vectors for one in found]))

    def ranked(self, keys: Sequence[int], vector: bytes, count: int) -> list[Hit]:
        """The nearest of these items, best first, ties in the order of their ids; distances are of what is stored."""
        measured = "SELECT vec_distance_cosine(embedding, ?) FROM vectors_{shard} WHERE rowid = ?"
        with self._reading() as connection:
            near: list[_Near] = []
            for key in keys:
                sequence, shard = divmod(key, _KEYS_EACH)
                rows = _rows(connection, measured.format(shard=shard), (vector, sequence))
                near += [(row[0], shard, sequence) for row in rows]
            return _hits(connection, sorted(near), count)

    def sizes(self) -> tuple[int, ...]:
        """How many items each shard holds."""
        return self.counted()[1]

    def counted(self) -> tuple[LaidOut, tuple[int, ...]]:
        """How the store is laid out, and how many items each shard holds, both of one moment."""
        with self._reading() as connection:
            laid_out = _laid_out(connection)
            counts = (f"SELECT count(*) FROM items_{shard}" for shard in range(laid_out.shards))  # noqa: S608
            return laid_out, tuple(_number(connection, count) for count in counts)

    def loaded(self) -> int:
        """How many items were loaded from the corpus, ever."""
        with self._reading() as connection:
            return _number(connection, "SELECT coalesce(sum(items), 0) FROM corpus")

    def audit(self, after: int, limit: int) -> list[AuditRow]:
        """Rows of the audit chain that follow a sequence number, as they are stored."""
        chosen = "SELECT sequence, item, item_digest, previous, digest FROM audit WHERE sequence > ?"
        with self._reading() as connection:
            rows = _rows(connection, f"{chosen} ORDER BY sequence LIMIT ?", (after, limit))
            return [AuditRow(*row) for row in rows]

    def items(self, after: str, limit: int) -> list[StoredItem]:
        """Items that follow an id, in the order of their ids, each digest computed from what is stored."""
        with self._reading() as connection:
            shards = range(_laid_out(connection).shards)
            arms = " UNION ALL ".join(_EXPORT.format(shard=shard) for shard in shards)
            rows = _rows(connection, f"{arms} ORDER BY 1 LIMIT ?2", (after, limit))
            return [_stored_item(connection, *row) for row in rows]

    def settle(self) -> None:
        """Move what was written from the log into the file: reading it from there is faster."""
        with self._lock:
            _rows(self._writer, "PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection; nobody may be searching any more."""
        for connection in self._opened:
            connection.close()

    def _adopted(self) -> _Layout | None:
        if "embedding" not in {column[1] for column in _rows(self._writer, "PRAGMA table_info(layout)")}:
            self._writer.execute(_NAME_EMBEDDING)
        if not _number(self._writer, "SELECT count(*) FROM layout"):
            return None
        shards, dims, name = _laid_out(self._writer)
        try:
            embedding = embedding_of(name)
        except InvalidRequestError as error:
            raise SandboxError(f"The store {self._path} cannot be used. {error}") from error
        if dims != embedding.dims:
            text = (
                f"The store {self._path} holds embeddings of length {dims}, and those of {name} have {embedding.dims}."
            )
            raise SandboxError(text)
        return shards, embedding

    def _laid_out_anew(self, shards: int, embedding: str) -> _Layout:
        if self._last_sequence():
            raise InvalidRequestError("Shards and embedding can only be changed while nothing is stored.")
        made_by = embedding_of(embedding)
        for shard in range(self._layout[0]):
            self._writer.execute(f"DROP TABLE items_{shard}; DROP TABLE vectors_{shard}")
        self._writer.execute("DELETE FROM layout")
        return self._created(shards, made_by)

    def _created(self, shards: int, embedding: Embedding) -> _Layout:
        for shard in range(shards):
            self._writer.execute(_SHARD.format(shard=shard, dims=embedding.dims))
        self._writer.execute("INSERT INTO layout VALUES (?, ?, ?)", (shards, embedding.dims, embedding.name))
        return shards, embedding

    def _insert(self, items: Sequence[NewItem], vectors: Vectors) -> None:
        shards = self._layout[0]
        by_shard: dict[int, list[tuple[int, str, str, bytes]]] = {shard: [] for shard in range(shards)}
        chain: list[AuditRow] = []
        previous = self._last_digest()
        first, chosen = self._last_sequence() + 1, {item.id for item in items}
        for sequence, (item, vector) in enumerate(zip(items, vectors, strict=True), start=first):
            name, embedding = item.id or self._own_id(sequence, chosen), vector.tobytes()
            by_shard[shard_of(name, shards)].append((sequence, name, item.text, embedding))
            chain.append(audit_row(sequence, name, item_digest(name, item.text, embedding), previous))
            previous = chain[-1].digest
        for shard, rows in by_shard.items():
            self._insert_rows(shard, rows)
        kept = (row for row in chain if self._disturbance.audited(row.sequence))
        fields = ((row.sequence, row.item, row.item_digest, row.previous, row.digest) for row in kept)
        self._writer.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", fields)

    def _own_id(self, sequence: int, chosen: Container[str | None]) -> str:
        """An id for an item that came without one: its sequence number, and one more where a caller has taken that."""
        plain = f"item-{sequence:08d}"
        names = itertools.chain((plain,), (f"{plain}-{number}" for number in itertools.count(2)))
        return next(name for name in names if name not in chosen and not self._has(name))

    def _has(self, name: str) -> bool:
        shard = shard_of(name, self._layout[0])
        return bool(_rows(self._writer, f"SELECT 1 FROM items_{shard} WHERE id = ?", (name,)))  # noqa: S608

    def _insert_rows(self, shard: int, rows: Sequence[tuple[int, str, str, bytes]]) -> None:
        into_items = f"INSERT INTO items_{shard} VALUES (?, ?, ?)"  # noqa: S608  a number of our own
        into_vectors = f"INSERT INTO vectors_{shard}(rowid, embedding) VALUES (?, ?)"  # noqa: S608
        self._writer.executemany(into_items, (row[:3] for row in rows))
        self._writer.executemany(into_vectors, ((row[0], row[3]) for row in rows))

    def _last_sequence(self) -> int:
        shards = range(self._layout[0])
        tops = (f"SELECT coalesce(max(sequence), 0) FROM items_{shard}" for shard in shards)  # noqa: S608
        return max(_number(self._writer, top) for top in tops)

    def _last_digest(self) -> str:
        row = self._writer.execute("SELECT digest FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
        return BEFORE_THE_FIRST if row is None else str(row[0])

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        with connection:
            yield connection

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        self._opened.append(connection)
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"mmap_size={_MAPPED_BYTES}"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection


def _laid_out(connection: apsw.Connection) -> LaidOut:
    """The layout as a transaction sees it: tables and their number are of the same moment."""
    return LaidOut(*_rows(connection, "SELECT shards, dims, embedding FROM layout")[0])


def _nearest_in_shard(connection: apsw.Connection, shard: int, vector: bytes, count: int) -> list[_Near]:
    rows = _rows(connection, _NEAREST.format(shard=shard), (vector, count + 1))
    distances = sorted(distance for distance, _ in rows)
    # Which of several equally distant items the index leaves out is its own affair; ours is the lowest id.
    if len(rows) > count and distances[count - 1] == distances[count]:
        rows = _rows(connection, _RANKED.format(shard=shard), (vector, count))
    return [(distance, shard, sequence) for distance, sequence in rows]


def _batch(shard: int, rows: Sequence[tuple[int, bytes]], dims: int) -> Batch:
    keys = np.array([sequence * _KEYS_EACH + shard for sequence, _ in rows], dtype=np.int64)
    return Batch(keys, np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(len(rows), dims))


def _hits(connection: apsw.Connection, near: Sequence[_Near], count: int) -> list[Hit]:
    """The first `count` of candidates that are sorted by distance, those at one distance by their ids."""
    furthest = near[min(count, len(near)) - 1][0] if near else 0.0
    named: list[_Named] = []
    for distance, shard, sequence in near:
        if distance > furthest:
            break
        wanted = f"SELECT id, text FROM items_{shard} WHERE sequence = ?"  # noqa: S608  a number of our own
        named.append((distance, *_rows(connection, wanted, (sequence,))[0], shard, sequence))
    return [_hit(connection, one) for one in sorted(named)[:count]]


def _hit(connection: apsw.Connection, named: _Named) -> Hit:
    distance, _, text, shard, sequence = named
    embedding = np.frombuffer(_embedding(connection, shard, sequence), dtype="<f4")
    return Hit(text, float(np.float32(1.0 - distance)), tuple(embedding.tolist()))


def _stored_item(connection: apsw.Connection, item: str, sequence: int, shard: int, text: str) -> StoredItem:
    embedding = _embedding(connection, shard, sequence)
    return StoredItem(item, sequence, shard, text, item_digest(item, text, embedding), embedding)


def _embedding(connection: apsw.Connection, shard: int, sequence: int) -> bytes:
    wanted = f"SELECT embedding FROM vectors_{shard} WHERE rowid = ?"  # noqa: S608  a number of our own
    embedding: bytes = _rows(connection, wanted, (sequence,))[0][0]
    return embedding


def _rows(connection: apsw.Connection, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    return connection.execute(query, values).fetchall()


def _number(connection: apsw.Connection, query: str) -> int:
    return int(_rows(connection, query)[0][0])
