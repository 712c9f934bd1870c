"""REST beside gRPC on the sandbox's operator surface: two one-sided tests, a mixed load, and comparing as such.

`python benchmarks/parity.py [--pairs 400] [--calls 400] [--compared 10000]` prints figures. Nothing is asserted.
"""

import argparse
import random
import tempfile
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_spiral.model.exchange import Code, Exchange, Reply, Request
from pytest_spiral.model.parity import Pair
from pytest_spiral.rules.parity import compare_exchanges, judge_latency, terms_of
from pytest_spiral.run import clock
from pytest_spiral.run.load import compare_load
from pytest_spiral.transports import open_transport
from pytest_spiral.transports.fallback import Fallback
from pytest_spiral.transports.shapes import shape_of
from pytest_spiral.transports.wrap import Recording
from spiral_sandbox.target import start

MARGIN_MS = 5


def asked(token: str, number: int) -> Request:
    """A query like no other."""
    return Request(
        operation="memory_query",
        payload={"query": f"light {number}"},
        metadata={"authorization": f"Bearer {token}"},
        deadline_s=20.0,
    )


def latency(ways: dict[str, Recording], token: str, count: int) -> str:
    """Interleaved pairs, either side first in turn."""
    pairs = []
    for number in range(count):
        order = ("rest", "grpc") if number % 2 else ("grpc", "rest")
        taken = {kind: ways[kind].traced(asked(token, number)) for kind in order}
        rest, grpc = taken["rest"], taken["grpc"]
        pairs.append(
            Pair(rest_sent=rest.sent_ns, rest_done=rest.done_ns, grpc_sent=grpc.sent_ns, grpc_done=grpc.done_ns)
        )
    judged = judge_latency(
        pairs,
        item="memory_query",
        margin_ns=Fraction(MARGIN_MS * 10**6),
        confidence=Fraction(95, 100),
        planned=count,
    )
    low, high = ((one or 0) / 1e6 for one in (judged.lower, judged.upper))
    return f"{judged.verdict}: gRPC less REST, median {low:.3f} to {high:.3f} ms, margin {MARGIN_MS} ms, {count} pairs"


def load(ways: dict[str, Any], token: str, count: int) -> str:
    """REST, gRPC and fallbacks against REST alone."""
    made = compare_load(
        ways, lambda number: asked(token, number), item="mixed", calls=count, every_ms=8, margin=f"{MARGIN_MS} ms"
    )
    grown = "no bound" if made.growth_ms is None else f"P95 grown by at most {made.growth_ms:.3f} ms"
    return f"{made.verdict} {made.reason}: {grown}; controls: A/A {made.same}, A/A + 2 margins {made.shifted}"


def side(transport: str, number: int, payload: dict[str, Any]) -> Exchange:
    """One side's exchange, made up."""
    own = f"{transport}-{number}"
    return Exchange(
        id=own,
        transport=transport,
        address="here",
        request=Request(operation="vector_search", payload={"n": number}, metadata={"x-request-id": own}),
        reply=Reply(code=Code.OK, payload=payload, wire_status="200" if transport == "rest" else "OK"),
        sent_ns=2 * number + (transport == "grpc"),
        done_ns=2 * number + 9,
    )


def compared(count: int) -> str:
    """Equal services, generated replies: false alarms, and microseconds a comparison."""
    chance, terms = random.Random(1), terms_of("vector_search", shape_of("vector_search"))  # noqa: S311 - made-up data
    alarms, began = 0, perf_counter()
    for number in range(count):
        hits = [
            {
                "text": chr(chance.randrange(0x20, 0xD7FF)) * 3,
                "score": chance.uniform(-1, 1),
                "embedding": [chance.random()],
            }
            for _ in range(chance.randrange(1, 5))
        ]
        rest, grpc = side("rest", number, {"results": hits}), side("grpc", number, {"results": hits})
        alarms += compare_exchanges(rest, grpc, terms).outcome != "equal"
    return f"{alarms} false alarms in {count:,}; {(perf_counter() - began) / count * 1e6:.0f} µs a comparison"


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--compared", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        running = start((), 1, Path(folder) / "run")
        try:
            operator = running.component("operator")
            token = operator.ask("credential", operator="overseer")["token"]

            def opened(kind: Any) -> Recording:
                return Recording(open_transport(kind, operator.endpoints[kind]), [].append, clock.mono_ns, str)

            ways = {kind: opened(kind) for kind in ("rest", "grpc")}
            fallback = Fallback(opened("grpc"), opened("rest"), clock.mono_ns, [].append)
            print(f"latency     {latency(ways, token, given.pairs)}")
            print(f"mixed load  {load({**ways, 'fallback': fallback}, token, given.calls)}")
            for transport in (*ways.values(), fallback):
                transport.close()
        finally:
            running.stop()
    print(f"comparing   {compared(given.compared)}")


if __name__ == "__main__":
    main()
