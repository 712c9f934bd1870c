"""B1: the memory fabric answers fast, right and without loss under load."""

import base64
import hashlib
import importlib
import importlib.machinery

import pytest

from pytest_spiral.errors import ExchangeError

BLOCKS = 50
EVERY_MS = 6


@pytest.mark.criterion("B1.retrieval-latency", "B1.query-failures")
def test_retrieval_is_fast_and_never_fails(spiral, grpc_transport, corpus, contract):
    """P95 of 1,000 retrievals on an open-loop schedule, in 50 blocks of fresh connections, and none of them fails."""
    with spiral.measure("items", unit="items") as held:
        held.value(corpus.said)
    with spiral.measure("retrieval", unit="ms") as m:
        calls = m.planned // BLOCKS
        for block in range(BLOCKS):
            with grpc_transport("memory", fresh=True) as memory:
                with m.warm_up(), m.timed():  # opens the connection
                    contract.ask(memory, "vector_search", text=corpus.query(-block - 1), top_n=10)
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
