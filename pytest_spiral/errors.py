"""Every error that pytest-spiral raises on purpose.

::

    SpiralError                 base: one clear sentence for the person at the terminal
    ├── UseError                wrong use: option, file, folder; exit status 4 in pytest, 2 in `spiral`
    │   ├── GatesFileError      a gates file that cannot be taken as it stands: file, line, remedy
    │   └── TargetError         an unknown target, or one that does not start
    │       └── NotOfferedError what a test asks of the target is nothing that such a target has
    ├── MeasurementError        a measurement that is wrong in itself: NaN, wrong unit, doubled name
    ├── EvidenceError           the evidence on disk cannot be written or read
    │   ├── DiskError           the operating system refused a write or a read: what was to be kept is lost
    │   └── UntrustedError      it can be read, and must not be trusted; carries a reason code
    ├── SessionError            an MCP gateway gives no session, or the one there was is over
    ├── TargetLostError         the system under test died in mid-run
    └── ExchangeError           a call over a transport did not give a good reply; carries a code
"""


class SpiralError(Exception):
    """Base of all: its text is one sentence that names the remedy where there is one."""


class UseError(SpiralError):
    """The tool was used wrongly; nothing was judged."""


class GatesFileError(UseError):
    """A gates file cannot be taken as it stands.

    `path` and `line` (1-based, None where unknown) say where; `remedy` says what to write instead.
    """

    def __init__(self, problem: str, *, path: str, line: int | None = None, remedy: str = "") -> None:
        self.problem = problem
        self.path = path
        self.line = line
        self.remedy = remedy
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {problem}" + (f" Remedy: {remedy}" if remedy else ""))


class TargetError(UseError):
    """The target is unknown or does not start."""


class NotOfferedError(TargetError):
    """The target has no such thing, as a live one has no rig: the test is blocked, not failed."""


class MeasurementError(SpiralError):
    """A measurement is wrong in itself: not a number, another unit, the same name twice."""


class EvidenceError(SpiralError):
    """Evidence cannot be written to or read from disk."""


class DiskError(EvidenceError):
    """The operating system refused to write or read evidence: a run that met this is not sealed."""


class UntrustedError(EvidenceError):
    """Evidence can be read and must not be trusted. `code` is a stable reason code."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class SessionError(SpiralError):
    """What an MCP gateway said is no session, or the session there was is over."""


class TargetLostError(SpiralError):
    """The system under test died in mid-run."""


class ExchangeError(SpiralError):
    """A call did not give a good reply.

    `code` is one of `pytest_spiral.model.exchange.Code`; `exchange` is the exchange as far as it got, or None.
    """

    def __init__(self, code: str, sentence: str, exchange: object = None) -> None:
        self.code = code
        self.exchange = exchange
        super().__init__(sentence)
