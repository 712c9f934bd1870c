"""Parity: two transports give the same normalised answer, each from its own real exchange."""

from pytest_spiral.rules.parity.compare import SEEN, compare_exchanges
from pytest_spiral.rules.parity.handshake import handshake_checksum, normalised_handshake
from pytest_spiral.rules.parity.latency import judge_again, judge_latency
from pytest_spiral.rules.parity.load import judge_load, judge_load_again
from pytest_spiral.rules.parity.terms import terms_of

__all__ = [
    "SEEN",
    "compare_exchanges",
    "handshake_checksum",
    "judge_again",
    "judge_latency",
    "judge_load",
    "judge_load_again",
    "normalised_handshake",
    "terms_of",
]
