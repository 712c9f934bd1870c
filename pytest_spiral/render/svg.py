"""A limit as a picture: its samples or its figure, the bound that decides, and the limit they are held against.

Standalone SVG 1.1, 640 by 240, without scripts and without references to anything outside. It brings its own panel,
so it reads on light and on dark pages; viewers that prefer dark get a dark panel.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_spiral.model.judgement import LimitVerdict
from pytest_spiral.model.verdict import Verdict
from pytest_spiral.render.escape import xml
from pytest_spiral.render.figures import (
    comparison_of,
    confidence_text,
    counted,
    counts_of,
    deciding_side,
    figures_of,
    grouped,
    rounded,
    scaled,
)

WIDTH: Final = 640
HEIGHT: Final = 240
_SIZE: Final = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
_FONTS: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 616.0, 66.0, 170.0
_LOG_FROM: Final = 12.0  # ratio of the widest to the narrowest figure from which powers of ten read better
_TITLE_LETTERS: Final = 58
_COUNTED: Final = {"failures": "failed samples of", "count": "count of", "equal": "differences between"}
_LEAST_COUNT: Final = 4.0  # a scale of counts reaches at least this far, so that its ticks are whole numbers
_LEAST_SAMPLES: Final = 5  # fewer make no distribution
_CLOSE_POWERS: Final = 4  # powers of ten between which 2 and 5 are marked too
_MOST_POWERS: Final = 8
_POINTS: Final = 400
_TONES: Final = {Verdict.PASS: "good", Verdict.FAIL: "bad", Verdict.INVALID: "bad"}

# Each class: what it colours, its light tone, its dark tone. Hues differ in lightness too (colour-blind readers).
_PALETTE: Final = (
    ("panel", "fill:#ffffff;stroke:#d5dae1", "fill:#1c2129;stroke:#3a424e"),
    ("ink", "fill:#1d2733", "fill:#e8ecf1"),
    ("soft", "fill:#5b6776", "fill:#a3adba"),
    ("good", "fill:#17724a", "fill:#5fd39b"),
    ("bad", "fill:#b3261e", "fill:#ff8a80"),
    ("open", "fill:#8a5a00", "fill:#f0c060"),
    ("grid", "stroke:#e4e8ed", "stroke:#333b47"),
    ("axis", "stroke:#8793a1", "stroke:#7c8796"),
    ("over", "fill:#b3261e;fill-opacity:.08", "fill:#ff8a80;fill-opacity:.12"),
    ("curve", "fill:none;stroke:#1f5fa8;stroke-width:2", "fill:none;stroke:#6cb2ff;stroke-width:2"),
    ("under", "fill:#1f5fa8;fill-opacity:.10", "fill:#6cb2ff;fill-opacity:.14"),
    ("point", "fill:#1f5fa8;stroke:#ffffff;stroke-width:1.5", "fill:#6cb2ff;stroke:#1c2129;stroke-width:1.5"),
    ("bound", "stroke:#6b3fa0;stroke-width:2", "stroke:#c9a4ff;stroke-width:2"),
    ("limit", "stroke:#b3261e;stroke-width:2.5", "stroke:#ff8a80;stroke-width:2.5"),
    ("guide", "stroke:#8793a1;stroke-dasharray:3 3", "stroke:#7c8796;stroke-dasharray:3 3"),
)


def can_be_drawn(limit: LimitVerdict) -> bool:
    """Say whether a limit has the numbers that a picture needs: a limit, and a value or a bound or samples."""
    figures = (limit.value, limit.lower, limit.upper)
    return limit.bound is not None and (bool(limit.picture) or any(figure is not None for figure in figures))


def render_picture(limit: LimitVerdict, title: str = "") -> bytes:
    """Draw a limit: the distribution of its samples where there are any, else its figure on a scale.

    `title` stands above (default: the limit's text). Equal limits give equal bytes. ValueError where there is
    nothing to draw.
    """
    if not can_be_drawn(limit):
        raise ValueError(f"{limit.limit} has no figures to draw")
    drawn = _drawn(limit)
    body = _distribution(drawn) if len(limit.picture) >= _LEAST_SAMPLES else _interval(drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {_SIZE} role="img" font-family="{_FONTS}">',
        f"<title>{xml(title or limit.limit)}</title>",
        f"<desc>{xml(_description(limit))}</desc>",
        _style(),
        f'<rect class="panel" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        *_heading(limit, title or limit.limit),
        *body,
        *_legend(limit),
        "</svg>",
    ]
    return ("\n".join(parts) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A limit's numbers as they are drawn, in the unit that people read."""

    limit: LimitVerdict
    unit: str
    bar: float
    value: float | None
    lower: float | None
    upper: float | None
    picture: tuple[float, ...]

    @property
    def bound(self) -> float | None:
        """The confidence bound that decides."""
        return self.lower if deciding_side(self.limit) == "lower" else self.upper

    @property
    def marks(self) -> list[float]:
        """Every figure that must have its place on the scale."""
        return [one for one in (self.bar, self.value, self.lower, self.upper) if one is not None]


def _drawn(limit: LimitVerdict) -> _Drawn:
    seen = scaled(limit)
    value, lower, upper = (None if one is None else float(one) for one in (seen.value, seen.lower, seen.upper))
    picture = tuple(map(float, seen.picture))
    return _Drawn(limit, seen.unit, float(seen.bound or 0), value, lower, upper, picture)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A horizontal scale from figures to cells of the picture."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, figure: float) -> float:
        """Where a figure stands, kept inside the plot."""
        low, high, here = (self._size(each) for each in (self.low, self.high, figure))
        share = min(max((here - low) / (high - low), 0.0), 1.0)
        return _LEFT + share * (_RIGHT - _LEFT)

    def ticks(self) -> list[float]:
        """Round figures inside the scale."""
        return _log_ticks(self.low, self.high) if self.logarithmic else _linear_ticks(self.low, self.high)

    def _size(self, figure: float) -> float:
        return math.log10(max(figure, self.low)) if self.logarithmic else figure


def _distribution(drawn: _Drawn) -> list[str]:
    """The empirical distribution function: for each figure, the share of samples at or below it."""
    limit, scale, samples = drawn.limit, _sample_scale(drawn), _thinned(drawn.picture)
    answered = max(limit.samples - limit.failed, 0) / limit.samples if limit.samples else 1.0
    steps = [f"M{_LEFT:.1f} {_BOTTOM:.1f}"]
    for at, sample in enumerate(samples, start=1):
        steps.append(f"H{scale.at(sample):.1f}V{_height(answered * at / len(samples)):.1f}")
    line = "".join([*steps, f"H{_RIGHT:.1f}"])
    return [
        *_grid(drawn, scale),
        *_share_axis(),
        f'<path class="under" d="{line}V{_BOTTOM:.1f}Z"/>',
        f'<path class="curve" d="{line}"/>',
        *_quantile_guide(limit),
        *_marks(drawn, scale, _value_height(drawn, samples, answered)),
    ]


def _interval(drawn: _Drawn) -> list[str]:
    """The figure on a scale, with the range in which the truth may lie at the confidence asked for."""
    scale, middle = _figure_scale(drawn), (_TOP + _BOTTOM) / 2
    bar: list[str] = []
    if drawn.lower is not None or drawn.upper is not None:
        left = _LEFT if drawn.lower is None else scale.at(drawn.lower)
        right = _RIGHT if drawn.upper is None else scale.at(drawn.upper)
        shape = f'x="{left:.1f}" y="{middle - 11:.1f}" width="{max(right - left, 1):.1f}" height="22" rx="3"'
        bar = [f'<rect class="under" {shape}/>']
    return [*_grid(drawn, scale), *bar, *_marks(drawn, scale, middle)]


def _grid(drawn: _Drawn, scale: _Scale) -> list[str]:
    """The tinted side of the limit, the axis with its ticks, and what it shows."""
    parts = [_tinted(drawn, scale)]
    for tick in scale.ticks():
        x = scale.at(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP:.1f}" x2="{x:.1f}" y2="{_BOTTOM:.1f}"/>')
        parts.append(_text(x, _BOTTOM + 15, rounded(tick), "soft", anchor="middle", size=11))
    parts.append(f'<line class="axis" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_BOTTOM}"/>')
    label = _axis_label(drawn) + (" (logarithmic)" if scale.logarithmic else "")
    return [*parts, _text((_LEFT + _RIGHT) / 2, _BOTTOM + 32, label, "soft", anchor="middle", size=11)]


def _axis_label(drawn: _Drawn) -> str:
    limit = drawn.limit
    name = limit.limit.partition("(")[2].partition(")")[0] or limit.statistic
    if limit.statistic in _COUNTED:
        return f"{_COUNTED[limit.statistic]} {name}"
    return name if drawn.unit in {"", "1", name} else f"{name}, {drawn.unit}"


def _tinted(drawn: _Drawn, scale: _Scale) -> str:
    edge = scale.at(drawn.bar)
    left, right = (_LEFT, edge) if comparison_of(drawn.limit) == ">=" else (edge, _RIGHT)
    shape = f'x="{left:.1f}" y="{_TOP:.1f}" width="{right - left:.1f}" height="{_BOTTOM - _TOP:.1f}"'
    return f'<rect class="over" {shape}/>'


def _share_axis() -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _height(share)
        if share:
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 7, y + 4, f"{share:.0%}".replace("%", " %"), "soft", anchor="end", size=11))
    middle = (_TOP + _BOTTOM) / 2
    turn = f' transform="rotate(-90 16 {middle:.1f})"'
    return [*parts, _text(16, middle + 4, "share of samples", "soft", anchor="middle", size=11, extra=turn)]


def _quantile_guide(limit: LimitVerdict) -> list[str]:
    share = _quantile(limit)
    if share is None:
        return []
    y = _height(share)
    return [f'<line class="guide" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>']


def _marks(drawn: _Drawn, scale: _Scale, height: float) -> list[str]:
    """The limit, the bound that decides, and the value on top."""
    parts = [_upright("limit", scale.at(drawn.bar))]
    if drawn.bound is not None:
        parts.append(_upright("bound", scale.at(drawn.bound), ' stroke-dasharray="6 3"'))
    if drawn.value is not None:
        parts.append(f'<circle class="point" cx="{scale.at(drawn.value):.1f}" cy="{height:.1f}" r="5.5"/>')
    return parts


def _upright(kind: str, x: float, extra: str = "") -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{_TOP - 4:.1f}" x2="{x:.1f}" y2="{_BOTTOM:.1f}"{extra}/>'


def _heading(limit: LimitVerdict, title: str) -> list[str]:
    cut = title if len(title) <= _TITLE_LETTERS else f"{title[: _TITLE_LETTERS - 1]}…"
    tone = _TONES.get(limit.verdict, "open")
    return [
        _text(20, 29, cut, "ink", size=15, extra=' font-weight="600"'),
        _text(_RIGHT + 4, 29, limit.verdict.value, tone, anchor="end", size=15, extra=' font-weight="600"'),
        _text(20, 48, _description(limit), "soft", size=12),
    ]


def _description(limit: LimitVerdict) -> str:
    figures, confidence = figures_of(limit), confidence_text(limit)
    parts = [
        counted(limit.samples, "sample") if limit.samples else "",
        f"{grouped(limit.failed)} failed" if limit.failed and not counts_of(limit) else "",
        f"{grouped(limit.warm_up)} warm-up left out" if limit.warm_up else "",
        f"at {confidence} confidence" if confidence else "",
        f"margin {figures.margin}" if figures.margin else "",
    ]
    return ", ".join(part for part in parts if part)


def _legend(limit: LimitVerdict) -> list[str]:
    """What each mark is, in words and figures, in one line below."""
    figures = figures_of(limit)
    head = limit.limit.partition("(")[0] or "value"
    y = HEIGHT - 17.0
    entries = [
        (
            f'<circle class="point" cx="{{x}}" cy="{y}" r="5.5"/>',
            counts_of(limit) or (f"{head} {figures.value}" if figures.value else ""),
        ),
        (_swatch("bound", y, ' stroke-dasharray="6 3"'), f"bound {figures.bound}" if figures.bound else ""),
        (_swatch("limit", y), " ".join(("limit", comparison_of(limit), figures.limit)).replace("  ", " ")),
    ]
    parts, x = [], 28.0
    for mark, told in entries:
        if told:
            parts += [mark.replace("{x}", f"{x:.1f}"), _text(x + 14, y + 4, told, "ink", size=12)]
            x += 14 + 7.2 * len(told) + 22
    return parts


def _swatch(kind: str, y: float, extra: str = "") -> str:
    return f'<line class="{kind}" x1="{{x}}" y1="{y - 8}" x2="{{x}}" y2="{y + 8}"{extra}/>'


def _text(  # noqa: PLR0913 - one attribute each
    x: float, y: float, text: str, tone: str, *, anchor: str = "start", size: int = 12, extra: str = ""
) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text class="{tone}" {where}{extra}>{xml(text)}</text>'


def _style() -> str:
    light = "".join(f".{name}{{{tone}}}" for name, tone, _ in _PALETTE)
    dark = "".join(f".{name}{{{tone}}}" for name, _, tone in _PALETTE)
    return f"<style>{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"


def _sample_scale(drawn: _Drawn) -> _Scale:
    low, high = min(*drawn.marks, drawn.picture[0]), max(*drawn.marks, drawn.picture[-1])
    if low > 0 and high / low >= _LOG_FROM:
        return _Scale(low / 1.15, high * 1.3, logarithmic=True)
    if 0 <= low < high / 2:
        return _Scale(0.0, high * 1.08)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return _Scale(low - room, high + room)


def _figure_scale(drawn: _Drawn) -> _Scale:
    low, high = min(drawn.marks), max(drawn.marks)
    whole = {"%": 100.0, "1": 1.0}.get(drawn.unit)
    if whole is not None and low >= 0 and high <= whole and drawn.limit.statistic in {"rate", "mean"}:
        return _Scale(max(low - max((whole - low) * 0.15, whole * 0.01), 0.0), whole)
    if drawn.limit.statistic in _COUNTED:
        return _Scale(0.0, max(high * 1.25, _LEAST_COUNT))
    if low >= 0:
        return _Scale(0.0, high * 1.25 or 1.0)
    room = (high - low) * 0.12 or 1.0
    return _Scale(low - room, high + room)


def _linear_ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 6
    if rough < sys.float_info.min:  # so close together that no round figure stands between them
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [_tidy(step * at) for at in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= _CLOSE_POWERS else (1,)
    powers = range(first, last + 1, max((last - first) // _MOST_POWERS, 1))
    return [tick for power in powers for factor in factors if low <= (tick := _tidy(factor * 10.0**power)) <= high]


def _tidy(tick: float) -> float:
    return float(f"{tick:.10g}")


def _thinned(samples: Sequence[float]) -> Sequence[float]:
    """At most `_POINTS` samples at even ranks, the first and the last among them."""
    last = len(samples) - 1
    if last < _POINTS:
        return samples
    return [samples[at * last // (_POINTS - 1)] for at in range(_POINTS)]


def _height(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _quantile(limit: LimitVerdict) -> float | None:
    head = limit.limit.partition("(")[0]
    number = head.removeprefix("p")
    return float(number) / 100 if head.startswith("p") and number.replace(".", "", 1).isdigit() else None


def _value_height(drawn: _Drawn, samples: Sequence[float], answered: float) -> float:
    """How high the value stands on the curve: at its own quantile, else at the share of samples up to it."""
    share = _quantile(drawn.limit)
    if share is None:
        up_to = sum(sample <= (drawn.value or 0) for sample in samples)
        share = answered * up_to / len(samples)
    return _height(share)
