"""The memory fabric: what is stored is found, exactly, and is on the audit chain; and its faults are real."""

import asyncio
import base64
import hashlib
import itertools
import os
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import apsw
import grpc
import numpy as np
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from spiral_contract.operations import OPERATIONS
from spiral_contract.vector_pb2 import InitRequest, SearchRequest
from spiral_contract.vector_pb2_grpc import VectorServiceStub
from spiral_sandbox.errors import ComponentRefusalError
from spiral_sandbox.faults import known_faults
from spiral_sandbox.memory import disturbance, hashing
from spiral_sandbox.memory.corpus import corpus
from spiral_sandbox.memory.desk import Desk
from spiral_sandbox.memory.disturbance import Disturbance, SlowShard, disturbance_of
from spiral_sandbox.memory.errors import InvalidRequestError
from spiral_sandbox.memory.fabric import Fabric
from spiral_sandbox.memory.hashing import DIMS, embed
from spiral_sandbox.memory.port import NewItem
from spiral_sandbox.memory.requests import Search
from spiral_sandbox.memory.telemetry import Telemetry
from spiral_sandbox.target import start

SECONDS = 30
SEED = 5
INVALID = (grpc.StatusCode.INVALID_ARGUMENT, 400)
TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413)


class Client:
    """A client of the memory, on both transports, with the run's certificate."""

    def __init__(self, component):
        self.component = component
        rest, rpc = component.endpoints["rest"], component.endpoints["grpc"]
        self._base = rest["address"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify, self._session.cert = rest["ca"], (rest["cert"], rest["key"])
        ca, key, cert = (Path(rpc[part]).read_bytes() for part in ("ca", "key", "cert"))
        self._channel = grpc.secure_channel(rpc["address"], grpc.ssl_channel_credentials(ca, key, cert))
        self.rpc = VectorServiceStub(self._channel)
        self.health = health_pb2_grpc.HealthStub(self._channel)

    def close(self):
        self._session.close()
        self._channel.close()

    def call(self, method, path, **how):
        answer = self._session.request(method, self._base + path, timeout=SECONDS, **how)
        return answer.status_code, answer.json()

    def scrape(self):
        return self._session.get(self._base + "/metrics", timeout=SECONDS).text

    def get(self, path, **query):
        status, content = self.call("GET", path, params=query)
        assert status == 200, content
        return content

    def post(self, path, content):
        status, answer = self.call("POST", path, json=content)
        assert status == 200, answer
        return answer

    def search(self, text, top_n=10):
        results = self.rpc.Search(SearchRequest(text=text, top_n=top_n), timeout=SECONDS).results
        return [(result.text, result.score) for result in results]

    def add(self, *items):
        return self.post("/vector/items", {"items": list(items)})

    def pages(self, path, key, **query):
        rows = []
        while page := self.get(path, limit=900, **query, **({"after": rows[-1][key]} if rows else {}))["rows"]:
            rows += page
        return rows

    def audit(self):
        return self.pages("/vector/audit", "sequence")

    def items(self, **query):
        return self.pages("/vector/items", "id", **query)


class Rig:
    """Starts memories, each with a client, and ends them all."""

    def __init__(self, folder):
        self._folder = folder
        self._ends = []

    def memory(self, *faults, items=200, name=None):
        folder = self._folder / (name or str(len(self._ends)))
        sandbox = start(faults, SEED, folder)
        self._ends.append(sandbox.stop)
        component = sandbox.component("memory")
        component.ask("configure", items=items)
        client = Client(component)
        self._ends.append(client.close)
        return client

    def end(self):
        while self._ends:
            self._ends.pop()()


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.end()


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("memories"))
    yield rig
    rig.end()


@pytest.fixture(scope="module")
def client(shared_rig):
    """A memory with 200 items; tests that use it add nothing."""
    client = shared_rig.memory()
    client.rpc.Init(InitRequest())
    return client


def fabric(folder, shards=4, items=200, seed=SEED, bent=None):
    folder.mkdir(exist_ok=True)
    made = Fabric(folder, seed, bent or Disturbance())
    made.configure(items, shards)
    made.initialise()
    return made


# Oracles, written apart from what they check


def slow_embedding(text):
    """Feature hashing by the book, one feature at a time."""
    words = re.findall(r"\w+|[^\w\s]+", text.casefold())
    features = list(words)
    features += [f"{first} {second}" for first, second in itertools.pairwise(words)]
    for word in words:
        framed = "<" + word + ">"
        features += [framed[at : at + 3] for at in range(len(framed) - 2)]
    vector = np.zeros(DIMS)
    for feature in features:
        number = crc32(feature.encode())
        vector[number % DIMS] += -1 if number >= 2**31 else 1
    return vector / np.linalg.norm(vector)


def exported_vectors(rows):
    return np.stack([np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in rows])


def recall(client, queries, top_n=10):
    """Mean share of the true nearest that a search finds; what ties with the last place counts as true."""
    rows = client.items(embeddings=1)
    vectors = exported_vectors(rows).astype(float)
    shares = []
    for query in queries:
        cosines = vectors @ slow_embedding(query)
        bar = np.sort(cosines)[-top_n] - 1e-6
        true = {row["text"] for row, cosine in zip(rows, cosines, strict=True) if cosine >= bar}
        found = {text for text, _ in client.search(query, top_n)}
        shares.append(len(found & true) / top_n)
    return float(np.mean(shares))


def audit_faults(audit, items):
    """What is wrong with an audit chain, and with what it says about the store; nothing for a sound one."""
    faults, previous = [], "0" * 64
    for sequence, row in enumerate(audit, start=1):
        if row["sequence"] != sequence:
            faults.append(f"sequence {row['sequence']} stands at place {sequence}")
        if row["previous"] != previous:
            faults.append(f"{row['item']} does not follow the row before it")
        said = f"{row['sequence']}\0{row['item']}\0{row['item_digest']}\0{row['previous']}"
        if row["digest"] != hashlib.sha256(said.encode()).hexdigest():
            faults.append(f"the row of {row['item']} is not what was digested")
        previous = row["digest"]
    stored = {row["id"]: (row["sequence"], row["digest"]) for row in items}
    audited = {row["item"]: (row["sequence"], row["item_digest"]) for row in audit}
    if stored != audited or len(audited) != len(audit):
        faults.append("the audit chain and the store disagree")
    return faults


def item_digest(row):
    content = f"{row['id']}\0{row['text']}\0".encode() + base64.b64decode(row["embedding"])
    return hashlib.sha256(content).hexdigest()


QUERIES = corpus(99, 20)


# Both transports


def test_init_loads_the_corpus_once(client):
    assert client.rpc.Init(InitRequest()).message == "200 items in 4 shards"
    assert client.post("/vector/init", {}) == {"message": "200 items in 4 shards"}
    assert client.get("/vector/status")["items"] == 200


def test_init_loads_the_corpus_beside_what_others_added(rig, client):
    memory = rig.memory()
    memory.add({"text": "a nonce 4710", "id": "nonce"})
    assert memory.rpc.Init(InitRequest()).message == "201 items in 4 shards"
    assert memory.rpc.Init(InitRequest()).message == "201 items in 4 shards"
    added = {(row["id"], row["text"]) for row in memory.items()} - {(row["id"], row["text"]) for row in client.items()}
    assert added == {("nonce", "a nonce 4710")}
    assert audit_faults(memory.audit(), memory.items()) == []


def test_both_transports_answer_alike(client):
    for query in QUERIES:
        over_rest = client.post("/vector/search", {"text": query, "top_n": 7})["results"]
        over_grpc = client.rpc.Search(SearchRequest(text=query, top_n=7)).results
        assert len(over_rest) == 7
        assert over_rest == [
            {"text": result.text, "score": result.score, "embedding": list(result.embedding)} for result in over_grpc
        ]


def test_a_stored_text_finds_itself_with_its_own_embedding(client):
    text = corpus(SEED, 200)[42]
    best = client.rpc.Search(SearchRequest(text=text, top_n=1)).results[0]
    assert best.text == text
    assert best.score == pytest.approx(1.0, abs=1e-6)
    assert list(best.embedding) == embed([text])[0].tolist()


def test_scores_fall_and_are_cosines(client):
    rows = client.items(embeddings=1)
    cosines = dict(zip((row["text"] for row in rows), exported_vectors(rows) @ slow_embedding(QUERIES[0]), strict=True))
    found = client.search(QUERIES[0], 200)
    assert len(found) == 200
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert [score for _, score in found] == pytest.approx([cosines[text] for text, _ in found], abs=1e-6)


def test_a_search_before_init_finds_nothing(rig):
    memory = rig.memory()
    assert memory.search("anything") == []
    status = {"items": 0, "shards": [0, 0, 0, 0], "embedding": "hashing", "dims": DIMS, "seed": SEED}
    assert memory.get("/vector/status") == status


@pytest.mark.parametrize(
    ("text", "top_n", "said", "code"),
    [
        ("", 10, "The text is empty", INVALID),
        (" \n", 10, "The text is empty", INVALID),
        ("a\0b", 10, "zero character", INVALID),
        ("x", 0, "top_n must be between 1 and 1000, not 0", INVALID),
        ("x", 1001, "top_n must be between 1 and 1000, not 1001", INVALID),
        ("x" * 10_001, 1, "at most 10000 characters", TOO_LARGE),
    ],
)
def test_a_search_that_cannot_be_done_is_refused_alike(client, text, top_n, said, code):
    with pytest.raises(grpc.RpcError) as refused:
        client.search(text, top_n)
    status, content = client.call("POST", "/vector/search", json={"text": text, "top_n": top_n})
    assert (refused.value.code(), status) == code
    assert said in content["detail"]
    assert refused.value.details() == content["detail"]


@pytest.mark.parametrize(
    ("method", "path", "how"),
    [
        ("POST", "/vector/search", {"data": b"{"}),
        ("POST", "/vector/search", {"json": {"text": "x"}}),
        ("POST", "/vector/search", {"json": {"text": "x", "top_n": "10"}}),
        ("POST", "/vector/search", {"json": {"text": "x", "top_n": 10, "filter": 1}}),
        ("POST", "/vector/search", {"json": [1]}),
        ("POST", "/vector/search", {"data": b'{"text": "x", "text": "x", "top_n": 10}'}),
        ("POST", "/vector/search", {"data": b'{"text": "\\ud800", "top_n": 10}'}),
        ("POST", "/vector/items", {"data": b'{"items": [{"text": "x", "text": "y"}]}'}),
        ("POST", "/vector/init", {"json": {"items": 3}}),
        ("POST", "/vector/items", {"json": {"items": []}}),
        ("POST", "/vector/items", {"json": {"items": [{"text": ""}]}}),
        ("POST", "/vector/items", {"json": {"items": [{"text": "x", "id": "a b"}]}}),
        ("POST", "/vector/items", {"json": {"items": [{"text": "x", "id": ""}]}}),
        ("POST", "/vector/items", {"json": {"items": [{"text": "x", "id": "one"}, {"text": "y", "id": "one"}]}}),
        ("POST", "/vector/items", {"json": {"items": [{"text": "x"}, {"text": "y", "id": "corpus-00000001"}]}}),
        ("GET", "/vector/audit", {"params": {"after": "-1"}}),
        ("GET", "/vector/audit", {"params": {"limit": "0"}}),
        ("GET", "/vector/audit", {"params": {"form": "1"}}),
        ("GET", "/vector/items", {"params": {"limit": "10001"}}),
        ("GET", "/vector/items", {"params": {"embeddings": "yes"}}),
    ],
)
def test_a_request_that_is_not_understood_is_refused_and_stores_nothing(client, method, path, how):
    status, content = client.call(method, path, **how)
    assert status == 400
    assert content["detail"]
    assert client.get("/vector/status")["items"] == 200
    assert len(client.audit()) == 200


@pytest.mark.parametrize(
    ("method", "wire"),
    [("Search", b"\xff"), ("Search", SearchRequest(text="x", top_n=1).SerializeToString()[:-1]),
     ("Search", SearchRequest(text="x", top_n=1).SerializeToString() + b"\x48\x01"), ("Search", b"\x0a\x01\xff\x10\x01"),
     ("Search", b"\x08\x05\x10\x01"), ("Init", b"\x08\x01"), ("Init", b"\xff")],
    ids=["no message", "cut short", "unknown field", "no UTF-8", "wrong type", "unknown field of none", "no init"],
)  # fmt: skip
def test_bytes_that_are_no_request_are_refused_over_grpc(client, method, wire):
    with pytest.raises(grpc.RpcError) as refused:
        client._channel.unary_unary(f"/neoabzu.vector.VectorService/{method}")(wire, timeout=10)
    assert refused.value.code() is INVALID[0]
    assert ("spiral-reason", "invalid-request") in refused.value.trailing_metadata()


@pytest.mark.parametrize(
    "how",
    [{"data": b" " * (33 << 20)}, {"json": {"items": [{"text": "x"}] * 10_001}}],
    ids=["bytes", "items"],
)
def test_too_much_at_once_is_refused(client, how):
    assert client.call("POST", "/vector/items", **how)[0] == 413
    assert client.get("/vector/status")["items"] == 200


@pytest.mark.parametrize("name", ["", "neoabzu.vector.VectorService"])
def test_the_health_service_says_serving(client, name):
    answer = client.health.Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_health_service_knows_no_other_service(client):
    with pytest.raises(grpc.RpcError) as refused:
        client.health.Check(health_pb2.HealthCheckRequest(service="neoabzu.vector.Nothing"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_table_of_operations_names_what_is_served(client):
    for name in ("vector_init", "vector_search"):
        operation = OPERATIONS[name]
        stub_method = getattr(client.rpc, operation.grpc_method)
        assert stub_method._method.decode() == f"/{operation.grpc_service}/{operation.grpc_method}"
    for operation in (OPERATIONS[name] for name in OPERATIONS if name.startswith("vector_")):
        status, _ = client.call(operation.rest_method, operation.rest_path)
        assert status in {200, 400}


# Exact, for every number of shards


def test_every_true_neighbour_is_found(client):
    assert recall(client, QUERIES) == 1.0


def test_ten_thousand_items_are_stored_audited_and_found(rig):
    memory = rig.memory(items=10_000)
    assert memory.rpc.Init(InitRequest()).message == "10000 items in 4 shards"
    status = memory.get("/vector/status")
    assert status["items"] == sum(status["shards"]) == 10_000
    assert max(status["shards"]) <= 2 * 10_000 / 4
    assert audit_faults(memory.audit(), memory.items()) == []
    assert recall(memory, QUERIES) == 1.0


def test_answers_do_not_depend_on_the_number_of_shards(tmp_path):
    answers = []
    for shards in (1, 2, 3, 7):
        made = fabric(tmp_path / str(shards), shards)
        assert len(made.status().shards) == shards
        answers.append([made.search(query, 10) for query in QUERIES])
        made.close()
    assert all(answer == answers[0] for answer in answers)
    assert len({hit.text for hits in answers[0] for hit in hits}) > 10


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("top_n", [1, 10, 29, 40])
def test_texts_at_the_same_distance_come_in_the_order_of_their_ids(tmp_path, shards, top_n):
    # Blanks are no features, so these thirty texts differ and share one embedding.
    twins = [
        NewItem("one and" + " " * blanks + "the same", id=f"twin-{blanks * 7 % 30:02d}") for blanks in range(1, 31)
    ]
    made = fabric(tmp_path / "twins", shards)
    made.add(twins)
    found = [hit.text for hit in made.search("one and the same", top_n)]
    made.close()
    in_order = [twin.text for twin in sorted(twins, key=lambda twin: twin.id)]
    assert found[:30] == in_order[:top_n]
    assert len(found) == top_n


def test_a_search_that_matches_nothing_is_ordered_all_the_same(tmp_path):
    answers = []
    for shards in (1, 4):
        made = fabric(tmp_path / str(shards), shards)
        answers.append([hit.text for hit in made.search("§", 25)])
        made.close()
    assert answers[0] == answers[1]


def test_the_number_of_shards_is_the_operators_until_something_is_stored(rig):
    memory = rig.memory()
    assert memory.component.ask("configure", shards=2, items=50)["shards"] == [0, 0]
    assert memory.rpc.Init(InitRequest()).message == "50 items in 2 shards"
    with pytest.raises(ComponentRefusalError, match="only be changed while nothing is stored"):
        memory.component.ask("configure", shards=3)
    assert memory.get("/vector/status")["items"] == 50


@pytest.mark.parametrize("arguments", [{"shards": 0}, {"shards": 65}, {"items": 0}, {"items": 1.5}, {"seed": 1}])
def test_a_choice_that_makes_no_sense_is_refused(client, arguments):
    with pytest.raises(ComponentRefusalError, match="InvalidRequestError"):
        client.component.ask("configure", **arguments)


# The same seed, the same bytes


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=6))
def test_embeddings_are_feature_hashing_alone_or_together(texts):
    try:
        together = embed(texts)
    except InvalidRequestError:
        return
    for text, vector in zip(texts, together, strict=True):
        assert vector == pytest.approx(slow_embedding(text), abs=1e-7)
        assert vector.tobytes() == embed([text])[0].tobytes()


def test_a_text_without_features_is_refused():
    with pytest.raises(InvalidRequestError, match="no features"):
        embed(["something", "  "])


def test_no_text_is_no_vector():
    assert embed([]).shape == (0, DIMS)


def test_words_of_any_length_are_embedded_and_long_ones_leave_nothing_behind():
    """What is remembered of a word is as long as the word, and callers choose the words."""
    embed(["a word that is short"])
    before = hashing._remembered_places.cache_info().currsize
    words = [f"{number}{'ab' * 2000}" for number in range(50)]
    for word, vector in zip(words, embed(words), strict=True):
        assert vector == pytest.approx(slow_embedding(word), abs=1e-7)
    assert hashing._remembered_places.cache_info().currsize == before
    assert before > 0


def test_the_corpus_is_the_seeds_own_and_distinct():
    assert corpus(SEED, 300) == corpus(SEED, 300)
    assert corpus(SEED, 300)[:100] == corpus(SEED, 100)
    assert corpus(SEED, 300) != corpus(SEED + 1, 300)
    assert len(set(corpus(SEED, 3000))) == 3000


def test_the_same_seed_stores_the_same_bytes(tmp_path):
    one, two, other = (fabric(tmp_path / name, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6)))
    assert one.items("", 1000) == two.items("", 1000)
    assert one.audit(0, 1000) == two.audit(0, 1000)
    assert one.audit(0, 1000) != other.audit(0, 1000)
    for made in (one, two, other):
        made.close()


def test_the_first_bytes_of_the_corpus_stay_what_they_are():
    """A change here changes every recorded answer: it needs a new version of the component."""
    texts = corpus(SEED, 1000)
    content = hashlib.sha256("\n".join(texts).encode() + embed(texts).tobytes()).hexdigest()
    assert content == "e45af986989e60f1cf8f30a16b0ca8456bc5f3e30fcda4a4f5739c13d15692b9"


# The audit chain


def test_the_audit_chain_has_every_item_once_and_agrees_with_the_store(client):
    audit, items = client.audit(), client.items(embeddings=1)
    assert len(audit) == len(items) == 200
    assert audit_faults(audit, items) == []
    assert [row["digest"] for row in items] == [item_digest(row) for row in items]


def swapped(rows):
    return [rows[1], rows[0], *rows[2:]]


def forged(rows):
    return [{**rows[0], "item_digest": "0" * 64}, *rows[1:]]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda rows: rows[1:],
        lambda rows: rows[:-1],
        lambda rows: rows[:50] + rows[51:],
        lambda rows: [*rows, rows[-1]],
        swapped,
        forged,
        lambda rows: rows[:0],
    ],
    ids=["first lost", "last lost", "one lost", "one twice", "swapped", "forged", "empty"],
)
def test_a_broken_chain_is_found(client, tamper):
    assert audit_faults(tamper(client.audit()), client.items()) != []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE items_0 SET text = text || '!' WHERE sequence = (SELECT min(sequence) FROM items_0)",
        "UPDATE items_0 SET id = 'someone-else' WHERE sequence = (SELECT min(sequence) FROM items_0)",
        "DELETE FROM items_0 WHERE sequence = (SELECT min(sequence) FROM items_0)",
        "UPDATE audit SET item_digest = digest WHERE sequence = 7",
        "DELETE FROM audit WHERE sequence = 7",
    ],
)
def test_a_store_that_was_changed_behind_the_services_back_disagrees_with_its_audit(rig, tmp_path, statement):
    memory = rig.memory(name="changed")
    memory.rpc.Init(InitRequest())
    assert audit_faults(memory.audit(), memory.items()) == []
    connection = apsw.Connection(str(tmp_path / "changed" / "memory" / "memory.sqlite"))
    connection.execute(statement)
    connection.close()
    assert audit_faults(memory.audit(), memory.items()) != []


def test_added_items_are_found_and_audited_in_the_order_they_came(rig):
    memory = rig.memory(items=20)
    memory.rpc.Init(InitRequest())
    assert memory.add({"text": "a nonce 4711"}, {"text": "a nonce 4712", "id": "mine"}) == {"added": 2, "count": 22}
    assert memory.search("a nonce 4712", 1)[0][0] == "a nonce 4712"
    assert [row["item"] for row in memory.get("/vector/audit", after=20)["rows"]] == ["item-00000021", "mine"]
    assert audit_faults(memory.audit(), memory.items()) == []


def test_a_batch_is_stored_whole_or_not_at_all(rig):
    memory = rig.memory(items=20)
    memory.rpc.Init(InitRequest())
    batch = [{"text": f"text {number}"} for number in range(50)] + [{"text": "again", "id": "corpus-00000003"}]
    status, content = memory.call("POST", "/vector/items", json={"items": batch})
    assert (status, content["detail"]) == (400, "An item with one of these ids is stored already.")
    assert len(memory.items()) == len(memory.audit()) == 20
    memory.add({"text": "next"})
    assert memory.audit()[-1]["sequence"] == 21


def test_readers_see_whole_batches_while_others_write(tmp_path):
    made = fabric(tmp_path / "busy", items=50)
    numbers = range(20)
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(made.add, [NewItem(f"batch {number} text {at}") for at in range(50)]) for number in numbers]
        seen = [made.status().items for _ in iter(lambda: all(future.done() for future in done), True)]
    assert made.status().items == 50 + 50 * len(numbers)
    assert {count % 50 for count in seen} <= {0}
    assert [row.sequence for row in made.audit(0, 10_000)] == list(range(1, 51 + 50 * len(numbers)))
    made.close()


def test_what_was_added_survives_a_kill(rig):
    memory = rig.memory(items=20, name="killed")
    memory.rpc.Init(InitRequest())
    memory.add({"text": "written before the end", "id": "last"})
    os.kill(memory.component.pid, signal.SIGKILL)
    rig.end()
    again = rig.memory(items=20, name="killed")
    assert again.rpc.Init(InitRequest()).message == "21 items in 4 shards"
    assert again.search("written before the end", 1)[0][0] == "written before the end"
    assert audit_faults(again.audit(), again.items()) == []


def test_a_load_that_was_cut_short_is_taken_up_again_where_it_ended(tmp_path):
    class CutShort(Disturbance):
        def audited(self, sequence):
            if sequence > 1500:
                raise InterruptedError
            return True

    with pytest.raises(InterruptedError):
        fabric(tmp_path / "cut", items=2500, bent=CutShort())
    again = fabric(tmp_path / "cut", items=2500)
    assert {item.text for item in again.items("", 10_000)} == set(corpus(SEED, 2500))
    assert again.status().items == len(again.audit(0, 10_000)) == 2500
    again.close()


# Faults, each beside the honest memory


def outcomes(client, count):
    """Which of so many searches fail, alternating between the transports, counted from 1."""
    failed = []
    for number in range(1, count + 1):
        if number % 3 == 0:
            status, _ = client.call("POST", "/vector/search", json={"text": "x", "top_n": 1})
            code = {200: None, 500: grpc.StatusCode.INTERNAL}[status]
        else:
            code = code_of(client)
        if code is not None:
            assert code is grpc.StatusCode.INTERNAL
            failed.append(number)
    return failed


def code_of(client):
    try:
        client.search("x", 1)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_one_search_in_a_hundred_fails_by_plan(rig):
    memory = rig.memory("memory.fail-1-in-100", items=20)
    memory.rpc.Init(InitRequest())
    assert outcomes(memory, 250) == [100, 200]


def told(text):
    """Sample name → value, buckets left out."""
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return {sample.name: sample.value for sample in samples if not sample.labels}


def test_calls_are_counted_and_only_those_that_succeed_are_timed(rig):
    memory = rig.memory("memory.fail-1-in-100", items=20)
    folder = memory.component.log.with_name("memory")
    assert told(memory.scrape())["neoabzu_vector_store_size"] == 0
    memory.rpc.Init(InitRequest())
    memory.add({"text": "one more"})
    assert outcomes(memory, 150) == [100]
    assert memory.call("POST", "/vector/search", json={"text": "", "top_n": 1})[0] == 400
    scraped = told(memory.scrape())
    rig.end()
    left = told((folder / "memory.prom").read_text())
    for found in (scraped, left):
        assert {name: value for name, value in found.items() if not name.endswith("_sum")} == {
            "neoabzu_vector_init_total": 1,
            "neoabzu_vector_init_latency_seconds_count": 1,
            "neoabzu_vector_search_total": 151,
            "neoabzu_vector_search_latency_seconds_count": 149,
            "neoabzu_vector_store_size": 21,
        }
        assert 0 < found["neoabzu_vector_search_latency_seconds_sum"] < 150 * SECONDS


def test_no_search_fails_without_the_plan(client):
    assert outcomes(client, 110) == []


def test_any_thousand_searches_by_plan_have_ten_failures():
    part = disturbance.FailingSearches()
    failed = []
    for number in range(2500):
        try:
            part.before_search()
        except disturbance.InjectedFailureError:
            failed.append(number)
    for first in (0, 1, 99, 100, 777, 1500):
        assert sum(first <= number < first + 1000 for number in failed) == 10


def test_the_slow_shard_holds_one_search_in_ten_back(rig):
    memory = rig.memory("memory.slow-shard", items=20)
    memory.rpc.Init(InitRequest())

    def seconds():
        before = time.perf_counter()
        assert len(memory.search("x")) == 10
        return time.perf_counter() - before

    assert max(seconds() for _ in range(10)) >= disturbance.SLOW_SHARD_SECONDS


def test_only_the_slow_shard_is_slow_and_only_each_tenth_time(monkeypatch):
    slept = []
    monkeypatch.setattr(disturbance.time, "sleep", slept.append)
    slow = SlowShard()
    for visit in range(1, 31):
        for shard in range(4):
            slow.before_shard(shard)
            Disturbance().before_shard(shard)
        assert len(slept) == visit // 10
    assert set(slept) == {0.2}


def test_each_search_passes_every_shard_once(tmp_path):
    passed = []

    class Watch(Disturbance):
        def before_shard(self, shard):
            passed.append(shard)

    made = fabric(tmp_path / "watched", shards=3, items=30, bent=Watch())
    made.search("x", 5)
    made.close()
    assert passed == [0, 1, 2]


def test_searches_that_are_held_back_do_not_wait_for_each_other(tmp_path):
    together = threading.Barrier(25)

    class HoldBack(Disturbance):
        def before_shard(self, shard):
            assert shard == 0
            together.wait(SECONDS)

    async def search_at_once():
        desk = Desk(fabric(tmp_path / "held", shards=1, items=20, bent=HoldBack()), Telemetry(tmp_path))
        found = await asyncio.gather(*(desk.search(Search("x", 1)) for _ in range(together.parties)))
        await desk.close()
        return found

    assert [len(hits) for hits in asyncio.run(search_at_once())] == [1] * 25


def test_an_id_of_the_stores_own_goes_on_where_callers_have_taken_it(tmp_path):
    """Before or in the same batch: it stays the caller's, and keeps nobody else from storing."""
    made = fabric(tmp_path / "taken", items=3)
    made.add([NewItem("by a caller", "item-00000005"), NewItem("own")])
    made.add([NewItem("by a caller", "item-00000007"), NewItem("by another", "item-00000008")])
    made.add([NewItem("its own"), NewItem("by a third", "item-00000008-2")])
    assert {item.text: item.id for item in made.items("", 100) if "own" in item.text} == {
        "own": "item-00000005-2",
        "its own": "item-00000008-3",
    }
    made.close()


def test_a_lossy_audit_misses_one_row_in_five_thousand(tmp_path):
    bent = fabric(tmp_path / "lossy", items=5001, bent=disturbance_of({"memory.lossy-audit"}))
    honest = fabric(tmp_path / "honest", items=5001)
    rows = {name: [row.sequence for row in made.audit(0, 10_000)] for name, made in (("b", bent), ("h", honest))}
    assert bent.status() == honest.status()
    assert rows["h"] == list(range(1, 5002))
    assert set(rows["h"]) - set(rows["b"]) == {5000}
    bent.close()
    honest.close()


def test_a_forgotten_shard_costs_recall(rig, client):
    memory = rig.memory("memory.wrong-neighbours")
    assert memory.rpc.Init(InitRequest()).message == "200 items in 4 shards"
    assert recall(memory, QUERIES) < 0.95
    assert audit_faults(memory.audit(), memory.items()) == []
    assert recall(client, QUERIES) == 1.0


def test_what_was_just_added_is_found_in_a_forgotten_shard_too(rig):
    memory = rig.memory("memory.wrong-neighbours")
    memory.rpc.Init(InitRequest())
    for number in range(12):  # one in four of them falls into shard 0
        memory.add({"text": f"quite another thing {number}", "id": f"late-{number}"})
        assert memory.search(f"quite another thing {number}", 1)[0][0] == f"quite another thing {number}"


def answers_a_challenge(client):
    """Whether an item made up for this is found by a search and on the audit chain."""
    client.add({"text": "nonce b1946ac92492d2347c6235b4d2611184", "id": "nonce"})
    found = client.search("nonce b1946ac92492d2347c6235b4d2611184", 1)[0][0].startswith("nonce")
    return found, "nonce" in {row["item"] for row in client.audit()}, "nonce" in {row["id"] for row in client.items()}


def test_a_stub_is_found_out_by_a_challenge(rig):
    honest, stub = rig.memory(), rig.memory("memory.stub")
    for memory in (honest, stub):
        assert memory.rpc.Init(InitRequest()).message == "200 items in 4 shards"
        assert memory.get("/vector/status")["items"] == 200
        assert len(memory.search("anything")) == 10
    assert answers_a_challenge(honest) == (True, True, True)
    assert answers_a_challenge(stub) == (False, False, False)
    assert stub.get("/vector/status")["items"] == honest.get("/vector/status")["items"] == 201


def test_every_plan_of_this_component_is_built():
    names = {name for name, plan in known_faults().items() if plan.component == "memory"}
    assert names - {disturbance.STUB} == set(disturbance._PARTS)


def test_a_plan_that_is_not_built_is_an_error():
    with pytest.raises(KeyError):
        disturbance_of({"memory.no-such-plan"})


def test_several_faults_act_together():
    bent = disturbance_of(set(disturbance._PARTS))
    assert list(bent.searched(range(4))) == [1, 2, 3]
    assert [bent.audited(sequence) for sequence in (4999, 5000, 5001)] == [True, False, True]
    for _ in range(99):
        bent.before_search()
    with pytest.raises(disturbance.InjectedFailureError):
        bent.before_search()
