"""A comparison of two exchanges: what may differ by declaration, what did differ, and what was normalised away."""

from typing import Any, Literal

from pytest_spiral.model.base import Value
from pytest_spiral.model.exchange import Exchange

SideName = Literal["rest", "grpc"]
Outcome = Literal["equal", "different", "invalid"]
FieldKind = Literal[
    "text",
    "flag",
    "integer",
    "long",
    "float",
    "double",
    "bytes",
    "enum",
    "message",
    "timestamp",
    "duration",
    "struct",
    "any",
]


class Field(Value, frozen=True, kw_only=True, omit_defaults=True):
    """How one field of a reply's message travels.

    `integer` has at most 32 bits, `long` 64 (JSON then writes it as a text), `struct` is any JSON, whose numbers protobuf
    keeps as doubles. `fields` are those of a `message`,
    `names` the numbers of an `enum` as texts. `present` says that absent and default are told apart. A `map` has
    values of this kind under any key.
    """

    kind: FieldKind
    repeated: bool = False
    map: bool = False
    present: bool = False
    fields: dict[str, "Field"] = {}
    names: dict[str, str] = {}


class Terms(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What is declared of an operation before it is compared; pointers are RFC 6901, into the side's view.

    `shape` is the reply's message (empty: not typed). `ids` and `instants` differ by design from call to call: ids
    must be there and must differ, instants must be there. `orders` names lists without an order and the key they are
    sorted by. `only` are fields that one side alone has, `failed_only` the same of an error. `words` are values that
    the sides name differently: REST's word to gRPC's.
    """

    shape: dict[str, Field] = {}
    ids: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    orders: dict[str, str] = {}
    only: dict[SideName, tuple[str, ...]] = {}
    failed_only: dict[SideName, tuple[str, ...]] = {}
    words: dict[str, dict[str, str]] = {}


class Normalised(Value, frozen=True, kw_only=True):
    """Something that was normalised away: the rule, where (`*` for places in a list), how often on each side.

    `rest` and `grpc` are what stood there first, as JSON text and cut; empty where nothing was changed on that side.
    """

    rule: str
    pointer: str
    rest_count: int = 0
    grpc_count: int = 0
    rest: str = ""
    grpc: str = ""


class Difference(Value, frozen=True, kw_only=True):
    """A place where the sides disagree: what each has there as JSON text (ASCII, cut), None where it has nothing."""

    pointer: str
    rest: str | None
    grpc: str | None


class Refusal(Value, frozen=True, kw_only=True):
    """Why two records are no comparison at all: a stable code and a sentence."""

    code: str
    sentence: str


class ParitySide(Value, frozen=True, kw_only=True):
    """One side as it was compared: whose exchange, when (monotonic ns), its own status, the checksum of its own view.

    `effects` are counts of what the call changed, as the suite saw them.
    """

    exchange: str
    address: str
    sent_ns: int
    done_ns: int
    status: str
    checksum: str
    effects: dict[str, int] = {}


class Comparison(Value, frozen=True, kw_only=True):
    """What comparing two exchanges came to; `more` is how many differences are not listed."""

    item: str
    operation: str
    outcome: Outcome
    rest: ParitySide
    grpc: ParitySide
    refusals: tuple[Refusal, ...] = ()
    differences: tuple[Difference, ...] = ()
    more: int = 0
    normalised: tuple[Normalised, ...] = ()


class Pair(Value, frozen=True, kw_only=True, array_like=True):
    """Two calls that belong together, in monotonic nanoseconds; `rest` and `grpc` are their exchanges' ids."""

    rest_sent: int
    rest_done: int
    grpc_sent: int
    grpc_done: int
    rest: str = ""
    grpc: str = ""


class LatencyParity(Value, frozen=True, kw_only=True):
    """Two one-sided tests on interleaved pairs: gRPC less REST must lie within ± the margin.

    Figures are nanoseconds; `margin_ns` and `confidence` are exact decimals as text. `lost` pairs had a failed call.
    """

    item: str
    margin_ns: str
    confidence: str
    planned: int
    lost: int
    pairs: tuple[Pair, ...]
    verdict: str
    reason: str = ""
    sentence: str = ""
    value: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def reach_ms(self) -> float | None:
        """How far from equal the interval reaches, either way: the least margin that it would pass, in milliseconds.

        None where there is no interval. So a limit `max(reach) <= 2 ms` in a gates file is the two one-sided tests.
        """
        if self.lower is None or self.upper is None or self.reason == "not-interleaved":
            return None
        return max(abs(self.lower), abs(self.upper)) / 1e6


class Arm(Value, frozen=True, kw_only=True):
    """One arm of a load: response times in nanoseconds in the order of the schedule, None for a call that failed.

    `ways` counts calls by the way that they were made: `rest`, `grpc`, `fallback`.
    """

    times: tuple[int | None, ...]
    ways: dict[str, int]


class LoadParity(Value, frozen=True, kw_only=True):
    """A mixed load against REST alone: whether a quantile of its response times has not grown by more than the margin.

    Figures are nanoseconds; `margin_ns`, `quantile` and `confidence` are exact decimals as text. `same` and `shifted`
    are controls made of the baseline: one half of it against the other must pass, and with twice the margin on top
    must not. Where a control does not come out so, the verdict is `inconclusive` (`control`).
    """

    item: str
    margin_ns: str
    quantile: str
    confidence: str
    every_ns: int
    baseline: Arm
    candidate: Arm
    verdict: str
    same: str
    shifted: str
    reason: str = ""
    value: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def growth_ms(self) -> float | None:
        """By how much the quantile may have grown, at the confidence, in milliseconds.

        None where there is no bound, or a control did not come out as it must.
        """
        return None if self.upper is None or self.reason == "control" else self.upper / 1e6


class ParityDocument(Value, frozen=True, kw_only=True):
    """`rest_grpc_diff.json`: comparisons of one service, the terms of each operation, what was left out."""

    service: str
    terms: dict[str, Terms]
    comparisons: tuple[Comparison, ...]
    latency: tuple[LatencyParity, ...] = ()
    load: tuple[LoadParity, ...] = ()
    left_out: int = 0
    format: Literal["spiral-parity/1"] = "spiral-parity/1"


class HandshakeDocument(Value, frozen=True, kw_only=True):
    """One side's handshake: its whole exchange, the contract's normal form of its reply, and that form's checksum."""

    service: str
    exchange: Exchange
    normalised: dict[str, Any]
    checksum: str
    format: Literal["spiral-handshake/1"] = "spiral-handshake/1"


class TraceDocument(Value, frozen=True, kw_only=True):
    """`<transport>_trace.json`: exchanges of one service over one transport, and how many more there were."""

    service: str
    transport: str
    exchanges: tuple[Exchange, ...]
    left_out: int = 0
    format: Literal["spiral-trace/1"] = "spiral-trace/1"
