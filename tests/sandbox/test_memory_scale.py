"""The approximate index of the memory: what it finds, what it may leave out, and that it follows what is added."""

import sys

import numpy as np
import pytest

from pytest_spiral.profiles.probe import probe
from spiral_sandbox.memory import embedding, fabric, scale
from spiral_sandbox.memory.corpus import corpus
from spiral_sandbox.memory.disturbance import Disturbance, ExactScan, disturbance_of
from spiral_sandbox.memory.embedding import Embedding
from spiral_sandbox.memory.errors import InvalidRequestError
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.hashing import DIMS, HASHING
from spiral_sandbox.memory.port import NewItem
from spiral_sandbox.memory.scale import Batch, lists_for, sample_of

ITEMS = 6000
SEED = 5

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def faiss():
    """A machine with faiss; else the test says what the probe said."""
    fact = probe("module.faiss")
    if fact.state != "present":
        pytest.skip(f"environment-limited: {fact.evidence}")


def filled(folder, bent=None, items=ITEMS, **chosen):
    folder.mkdir()
    made = Fabric(folder, SEED, bent or Disturbance())
    made.configure(items, 4, **chosen)
    made.initialise()
    return made


@pytest.fixture(scope="module")
def indexed(faiss, tmp_path_factory):
    made = filled(tmp_path_factory.mktemp("scale") / "store")
    made.configure(None, None, "ivf-sq8")
    made.initialise()
    yield made
    made.close()


def told(hits):
    return [(hit.text, hit.score) for hit in hits]


def test_most_of_what_an_exact_search_finds_is_found_and_with_the_same_scores(indexed):
    queries = corpus(SEED, 60)
    approximate = [told(indexed.search(query, 10)) for query in queries]
    indexed.configure(None, None, "exact")
    exact = [told(indexed.search(query, 10)) for query in queries]
    indexed.configure(None, None, "ivf-sq8")
    indexed.initialise()
    shared = [len(set(found) & set(due)) / 10 for found, due in zip(approximate, exact, strict=True)]
    assert np.mean(shared) >= 0.9
    for found, due in zip(approximate, exact, strict=True):
        assert found[0] == due[0]  # each query is a stored text
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_an_item_that_is_added_is_found_at_once_and_once(indexed):
    text = "an unforeseeable sentence about quinces and barometers"
    indexed.add([NewItem(text)])
    indexed.add([NewItem("something else entirely")])
    found = [hit.text for hit in indexed.search(text, 10)]
    assert found[0] == text
    assert found.count(text) == 1


def test_an_index_is_built_again_over_all_that_is_stored(indexed):
    text = "another unforeseeable sentence about pewter and herons"
    indexed.configure(None, None, "exact")
    indexed.add([NewItem(text)])
    indexed.configure(None, None, "ivf-sq8")
    indexed.initialise()
    assert indexed.search(text, 1)[0].text == text


def test_an_index_takes_vectors_of_any_length(faiss, tmp_path, monkeypatch):
    def beginnings(texts):
        vectors = HASHING.embed(texts)[:, :40]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    short = Embedding("short", 40, beginnings)
    monkeypatch.setattr(embedding, "EMBEDDINGS", {**embedding.EMBEDDINGS, "short": lambda: short})
    made = filled(tmp_path / "short", embedding="short", index="ivf-sq8")
    made.add([NewItem("an item that came after the index was built")])
    assert made.status().dims == 40
    for text in (*corpus(SEED, 5), "an item that came after the index was built"):
        best = made.search(text, 3)[0]
        assert (best.text, best.score) == (text, pytest.approx(1.0, abs=1e-6))
    made.close()


def test_with_the_fault_no_search_asks_the_index(faiss, tmp_path, monkeypatch):
    asked = []
    real = scale.ScaleIndex.candidates
    monkeypatch.setattr(scale.ScaleIndex, "candidates", lambda *given: asked.append(1) or real(*given))
    for name, bent, times in (("honest", Disturbance(), 1), ("bent", disturbance_of({"memory.exact-scan"}), 0)):
        made = filled(tmp_path / name, bent)
        made.configure(None, None, "ivf-sq8")
        made.initialise()
        asked.clear()
        text = corpus(SEED, 1)[0]
        assert made.search(text, 3)[0].text == text
        assert len(asked) == times
        made.close()
    assert ExactScan().uses_index() is False


def test_an_index_that_was_given_up_while_it_was_built_is_asked_nothing(tmp_path, monkeypatch):
    class Misleading:
        def candidates(self, vector, count):
            raise AssertionError(f"the index is asked for {count} of {vector}, although exact search was chosen")

    made, text = filled(tmp_path / "store", items=200), corpus(SEED, 1)[0]

    def build(sample, batches, count):
        made.configure(None, None, "exact")
        return Misleading()

    monkeypatch.setattr(fabric, "build_index", build)
    made.configure(None, None, "ivf-sq8")
    made.initialise()
    assert made.search(text, 1)[0].text == text
    made.close()


def test_too_few_items_are_refused(tmp_path):
    made = filled(tmp_path / "few", items=200)
    made.configure(None, None, "ivf-sq8")
    with pytest.raises(InvalidRequestError, match="at least 5000 items, and 200 are stored"):
        made.initialise()
    made.close()


def test_without_faiss_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InvalidRequestError, match=r"pip install 'pytest-spiral\[scale\]'"):
        scale.build_index([], [], ITEMS)


@pytest.mark.parametrize("count", [5000, 100_000, 1_000_000])
def test_a_sample_has_enough_for_each_list_and_spans_everything(count):
    keys = np.arange(count, dtype=np.int64)
    batches = [
        Batch(keys[at : at + 10_000], np.zeros((len(keys[at : at + 10_000]), DIMS), "<f4"))
        for at in range(0, count, 10_000)
    ]
    taken = np.concatenate([batch.keys for batch in sample_of(batches, count)])
    assert len(taken) >= min(count, 39 * lists_for(count))  # what faiss asks for at the least
    assert taken[-1] >= count - count // 10
