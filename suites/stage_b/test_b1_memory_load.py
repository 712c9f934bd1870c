"""B1: the memory fabric answers fast, right and without loss under load."""

import base64
import hashlib
import importlib
import importlib.machinery

import pytest

from pytest_spiral.errors import ExchangeError

BLOCKS = 50
EVERY_MS = 6
FEW_ITEMS = 10_000
TOO_MANY_TO_SCAN = 1_000_000
SCALE_EVERY_MS = 40


@pytest.mark.criterion("B1.retrieval-latency", "B1.query-failures")
def test_retrieval_is_fast_and_never_fails(spiral, grpc_transport, corpus, contract):
    """P95 of 1,000 retrievals on an open-loop schedule, in 50 blocks of fresh connections, and none of them fails."""
    with spiral.measure("items", unit="items") as held:
        held.value(corpus.said)
    with spiral.measure("retrieval", unit="ms") as m:
        with m.warm_up():
            memory = grpc_transport("memory")
            for number in range(50):
                with m.timed():
                    contract.ask(memory, "vector_search", text=corpus.query(-number - 1), top_n=10)
        calls = m.planned // BLOCKS
        for block in range(BLOCKS):
            with grpc_transport("memory", fresh=True) as memory:
                contract.ask(memory, "vector_init")  # opens the connection, and changes nothing
                with m.block():
                    m.open_loop(
                        lambda i, memory=memory, first=block * calls: contract.ask(
                            memory, "vector_search", text=corpus.query(first + i), top_n=10
                        ),
                        calls,
                        every_ms=EVERY_MS,
                    )


@pytest.mark.criterion("B1.recall")
def test_the_nearest_items_are_found(spiral, rest_transport, corpus, contract):
    """Recall@10 of each query, against an exact search of our own over the exported embeddings."""
    import numpy as np

    vectors = np.stack([np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in corpus.rows])
    texts = [row["text"] for row in corpus.rows]
    place = {text: at for at, text in enumerate(texts)}
    memory = rest_transport("memory")
    with spiral.measure("recall", unit="1") as m:
        queries = [corpus.query(number) for number in range(m.planned)]
        every_score = vectors[[place[query] for query in queries]] @ vectors.T
        for query, scores in zip(queries, every_score, strict=True):
            tenth = np.partition(scores, -10)[-10]
            try:
                found = contract.ask(memory, "vector_search", text=query, top_n=10)["results"]
            except ExchangeError:
                m.value(0)  # a failed query found nothing
                continue
            near = {hit["text"] for hit in found if hit["text"] in place and scores[place[hit["text"]]] >= tenth - 1e-5}
            m.value(min(len(near), 10) / 10)


@pytest.mark.criterion("B1.ingestion-audit")
def test_the_audit_has_every_item_once_in_order(spiral, rest_transport, corpus, contract):
    """The audit says of every item what the store holds, in one unbroken chain."""
    rows = contract.pages(rest_transport("memory"), "vector_audit", 0, "sequence")
    with spiral.measure("audited") as audited, spiral.measure("stored") as stored:
        for row in {row["item"]: row for row in rows}.values():
            audited.item(row["item"], row["item_digest"])
        for row in corpus.rows:
            stored.item(row["id"], corpus.digest(row))
    with spiral.measure("audit-chain") as m:
        previous = "0" * 64
        for sequence, row in enumerate(rows, start=1):
            said = f"{sequence}\0{row['item']}\0{row['item_digest']}\0{previous}"
            whole = row["sequence"] == sequence and row["digest"] == hashlib.sha256(said.encode()).hexdigest()
            m.check(whole, f"row {sequence} ({row['item']}) does not follow the one before it")
            previous = row["digest"]


@pytest.mark.criterion("B1.sharding")
def test_answers_do_not_depend_on_the_shards(spiral, rest_transport, corpus, contract):
    """Two hundred queries get the same answers from four shards and from one; the four are filled evenly."""
    sizes = contract.ask(rest_transport("memory"), "vector_status")["shards"]
    with spiral.measure("shard-share", unit="%") as share:
        for size in sizes:
            share.value(100 * size * len(sizes) / sum(sizes))
    with spiral.second_target() as second:
        contract.load(second.memory, spiral.items, 1)
        other = second.memory.transport("rest")
        with spiral.measure("answers") as answers, spiral.measure("answers-of-one-shard") as alone:
            for number in range(answers.planned):
                query = corpus.query(number)
                answers.item(f"query-{number}", _texts(contract, rest_transport("memory"), query, "four shards"))
                alone.item(f"query-{number}", _texts(contract, other, query, "one shard"))


def _texts(contract, memory, query, side):
    """The texts found, in order, without the items with which the run challenges each store.

    A search that fails names its side, so that two failures never count as the same answer.
    """
    try:
        found = contract.ask(memory, "vector_search", text=query, top_n=15)["results"]
    except ExchangeError as error:
        return [f"no answer from {side}: {error}"]
    return [hit["text"] for hit in found if not hit["text"].startswith("challenge item ")][:10]


def needs_many(spiral, least=FEW_ITEMS + 1):
    """Skip where the run was not asked for so many items."""
    if spiral.items < least:
        pytest.skip(f"runs only with --spiral-items={max(least, 10 * FEW_ITEMS)} or more")


def retrieve_at_scale(spiral, contract, subject, texts):
    """Searches on an open-loop schedule, in blocks of fresh connections: what is too slow for it falls behind."""
    with spiral.measure("retrieval-at-scale", unit="ms") as m:
        calls = m.planned // BLOCKS
        for block in range(BLOCKS):
            chosen = texts[block * (calls + 1) :]
            with subject.transport("grpc", fresh=True) as memory:
                with m.warm_up(), m.timed():  # opens the connection
                    contract.ask(memory, "vector_search", 60.0, text=chosen[0], top_n=10)
                with m.block():
                    m.open_loop(
                        lambda i, memory=memory, chosen=chosen: contract.ask(
                            memory, "vector_search", 60.0, text=chosen[i + 1], top_n=10
                        ),
                        calls,
                        every_ms=SCALE_EVERY_MS,
                    )


@pytest.mark.criterion("B1.scale")
def test_the_same_holds_for_many_items(spiral, contract):
    """Latency, recall and memory of the approximate index; recall against an exact search of our own."""
    import numpy as np

    needs_many(spiral)
    memory = spiral.target.memory
    before = contract.held_bytes(memory)
    held, texts = contract.load_indexed(memory, spiral.items)
    try:
        with spiral.measure("items-at-scale", unit="items") as m:
            m.value(held)
        retrieve_at_scale(spiral, contract, memory, texts)
        with spiral.measure("memory-held", unit="MB") as m:
            m.value(contract.held_bytes(memory) / 1e6)
        spiral.attach(
            f"{held} items: {before} bytes held before, {contract.held_bytes(memory)} after", name="scale.txt"
        )
        kept, vectors = [], []
        for page in contract.each_page(memory.transport("rest"), "vector_items", "", "id", embeddings=1):
            kept += [row["text"] for row in page]
            vectors.append(np.stack([np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in page]))
        every, place = np.concatenate(vectors), {text: at for at, text in enumerate(kept)}
        with spiral.measure("recall-at-scale", unit="1") as m:
            for number in range(m.planned):
                query = kept[(number * 7919) % len(kept)]
                scores = every @ every[place[query]]
                tenth = np.partition(scores, -10)[-10]
                found = contract.ask(memory.transport("rest"), "vector_search", 60.0, text=query, top_n=10)["results"]
                near = {hit["text"] for hit in found if scores[place[hit["text"]]] >= tenth - 1e-5}
                m.value(min(len(near), 10) / 10)
    finally:
        memory.ask("configure", index="exact")


@pytest.mark.criterion("B1.scale-control")
def test_an_exact_scan_is_too_slow_for_many_items(spiral, contract):
    """A fabric that looks at every item each time is not called one that scales: a million are too many for that."""
    needs_many(spiral, TOO_MANY_TO_SCAN)
    with spiral.control() as scanning:
        _, texts = contract.load_indexed(scanning.memory, spiral.items)
        retrieve_at_scale(spiral, contract, scanning.memory, texts)


@pytest.mark.criterion("B1.native-bundle")
def test_the_native_bundle_is_loaded(spiral):
    """The memory bundle is compiled code, loaded from its own file, and initialises all of its layers."""
    bundle = importlib.import_module("neoabzu_memory")
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    with spiral.measure("native") as m:
        m.check(str(bundle.__file__).endswith(suffixes), f"{bundle.__file__} is no compiled module")
        m.check(hasattr(bundle, "MemoryBundle"), "there is no MemoryBundle in it")
        layers = bundle.MemoryBundle().initialize()
        m.check(layers and all(state == "ready" for state in layers.values()), f"not all layers are ready: {layers}")


@pytest.mark.criterion("B1.control")
def test_failing_queries_are_found_out(spiral, contract):
    """A fabric that fails one query in a hundred is not called one that never fails."""
    with spiral.control() as faulty:
        corpus = contract.load(faulty.memory, 500, 4)
        memory = faulty.memory.transport("grpc")
        with spiral.measure("retrieval", unit="ms") as m:
            with m.warm_up():
                for number in range(50):
                    with m.timed():
                        contract.ask(memory, "vector_search", text=corpus.query(number), top_n=10)
            for number in range(m.planned):
                with m.timed():
                    contract.ask(memory, "vector_search", text=corpus.query(number), top_n=10)
