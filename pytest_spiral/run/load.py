"""A bounded load that mixes REST, gRPC and fallbacks, taken in turns with the same load over REST alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from fractions import Fraction
from itertools import pairwise

from pytest_spiral.errors import ExchangeError, MeasurementError
from pytest_spiral.model.exchange import Request
from pytest_spiral.model.parity import Arm, LoadParity
from pytest_spiral.rules.parity import judge_load
from pytest_spiral.rules.parity.load import LoadTerms
from pytest_spiral.rules.units import UnitError, convert, parse_quantity
from pytest_spiral.run import clock
from pytest_spiral.run.measure import wait_until
from pytest_spiral.transports.base import Transport

MOST_CALLS = 20_000
"""Calls of both arms together that a load may have: it is for loopback and a staging, not for breaking things."""

MOST_WORKERS = 64
_FEWEST_BLOCKS = 4
_AHEAD_NS = 5_000_000


def compare_load(  # noqa: PLR0913 - a plan, part by part
    ways: Mapping[str, Transport],
    request: Callable[[int], Request],
    *,
    item: str,
    calls: int,
    every_ms: float,
    margin: str,
    quantile: str = "0.95",
    confidence: str = "0.95",
    blocks: int = 20,
    workers: int = 16,
) -> LoadParity:
    """Send `calls` calls over the `ways` in turn, and as many over `ways["rest"]` alone; judge that it is no slower.

    `request(i)` gives call i, the same one in both arms. The load is open: call i is sent every `every_ms` after the one
    before, whether or not that has come back, and its time is counted from when it was to be sent; at most `workers`
    are under way. The arms take turns in `blocks` blocks each, so that whatever the machine does meets both. A
    call that fails is infinitely slow.

    MeasurementError for a plan that cannot be: no `rest`, fewer than 4 blocks, more than 20,000 calls in all, terms that
    are none.
    """
    terms = _terms(item, margin, quantile, confidence)
    if "rest" not in ways:
        raise MeasurementError(f"{item}: a mixed load is compared with REST alone, and no way is called 'rest'.")
    if not _FEWEST_BLOCKS <= blocks <= calls or not 0 < 2 * calls <= MOST_CALLS or not 0 < workers <= MOST_WORKERS:
        raise MeasurementError(
            f"{item}: {calls} calls in {blocks} blocks with {workers} workers is no load that is run here; use up to "
            f"{MOST_CALLS // 2} calls, {_FEWEST_BLOCKS} blocks or more, up to {MOST_WORKERS} workers."
        )
    if every_ms <= 0:
        raise MeasurementError(f"{item}: calls every {every_ms} ms are no schedule.")
    every_ns = round(every_ms * 1e6)
    candidate, baseline = _Arm(list(ways)), _Arm(["rest"])
    with ThreadPoolExecutor(workers) as pool:
        for number, block in enumerate(_blocks(calls, blocks)):
            # Who goes first changes from block to block.
            for arm in (candidate, baseline) if number % 2 else (baseline, candidate):
                arm.run(pool, ways, request, block, every_ns)
    return judge_load(item, terms, every_ns=every_ns, baseline=baseline.taken(), candidate=candidate.taken())


class _Arm:
    """One arm's calls so far."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._times: list[int | None] = []
        self._ways: Counter[str] = Counter()

    def run(
        self,
        pool: ThreadPoolExecutor,
        ways: Mapping[str, Transport],
        request: Callable[[int], Request],
        block: range,
        every_ns: int,
    ) -> None:
        """Send one block on its schedule and wait for all of it."""
        start = clock.mono_ns() + _AHEAD_NS
        pending = []
        for at, number in enumerate(block):
            name = self._names[number % len(self._names)]
            self._ways[name] += 1
            intended = start + at * every_ns
            wait_until(intended, clock.mono_ns)
            pending.append(pool.submit(_timed, ways[name], request(number), intended))
        wait(pending)
        self._times += [one.result() for one in pending]

    def taken(self) -> Arm:
        """All of it."""
        return Arm(times=tuple(self._times), ways=dict(sorted(self._ways.items())))


def _timed(transport: Transport, request: Request, intended: int) -> int | None:
    try:
        transport.exchange(request)
    except ExchangeError:
        return None
    return clock.mono_ns() - intended


def _blocks(calls: int, blocks: int) -> list[range]:
    edges = [calls * number // blocks for number in range(blocks + 1)]
    return [range(first, last) for first, last in pairwise(edges)]


def _terms(item: str, margin: str, quantile: str, confidence: str) -> LoadTerms:
    try:
        wanted = parse_quantity(margin)
        terms = LoadTerms(convert(wanted.number, wanted.unit, "ns"), Fraction(quantile), Fraction(confidence))
    except (UnitError, ValueError, ZeroDivisionError) as error:
        raise MeasurementError(f"{item}: {error}; give a margin such as '5 ms', and shares such as '0.95'.") from error
    if not 0 < terms.quantile < 1 or not 0 < terms.confidence < 1 or terms.margin_ns <= 0:
        raise MeasurementError(f"{item}: margin, quantile or confidence cannot be; use such as '5 ms', '0.95', '0.95'.")
    return terms
