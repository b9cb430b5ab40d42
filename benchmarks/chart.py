"""Three rows of bars as one SVG, readable on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from benchmarks.clients import CLIENTS, OURS
from benchmarks.experiments import Samples
from benchmarks.summary import Measure, field, median, per_second, us_a_message

__all__ = ["svg"]

_WIDTH = 760
_LEFT = 300
_BAR = 22
_STYLE = """
  .ground { fill: #fbfbfc } text { fill: #24292f; font: 13px system-ui, sans-serif }
  .title { font-weight: 600 } .bar { fill: #a9b4c2 } .ours { fill: #2f6fdb }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #17191d } text { fill: #d8dde3 } .bar { fill: #56606d } .ours { fill: #6ea2ff }
  }
"""

_PANELS: tuple[tuple[str, str, Measure, str], ...] = (
    ("Messages a second (more is better)", "throughput", per_second, "{:,.0f}"),
    ("CPU a message, µs (less is better)", "throughput", us_a_message, "{:.1f}"),
    ("99 of 100 messages reach the loop within, ms (less is better)", "latency",
     field("p99_ms"), "{:.2f}"),
)  # fmt: skip


def svg(sections: Mapping[str, Samples]) -> str:
    """Return the picture of what the sections have of throughput, CPU and latency."""
    parts: list[str] = []
    y = 30
    for title, section, measure, shape in _PANELS:
        values = {
            name: value
            for name in CLIENTS
            if (value := median(sections.get(section, {}), name, measure)) is not None
        }
        if values:
            parts += _panel(title, values, shape, y)
            y += 16 + _BAR * len(values) + 40
    height = y - 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">\n'
        f"<title>Throughput, CPU and latency of clients side by side</title>\n"
        f"<style>{_STYLE}</style>\n"
        f'<rect class="ground" width="{_WIDTH}" height="{height}" rx="8"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _panel(title: str, values: Mapping[str, float], shape: str, y: int) -> Iterator[str]:
    yield f'<text class="title" x="20" y="{y}">{escape(title)}</text>'
    longest = max(values.values())
    for row, (name, value) in enumerate(values.items()):
        top = y + 16 + _BAR * row
        width = max(1.0, value / longest * (_WIDTH - _LEFT - 90))
        kind = "bar ours" if name == OURS else "bar"
        label = escape(CLIENTS[name].label)
        yield f'<text x="{_LEFT - 10}" y="{top + 12}" text-anchor="end">{label}</text>'
        yield f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="15" rx="2"/>'
        yield f'<text x="{_LEFT + width + 8:.1f}" y="{top + 12}">{shape.format(value)}</text>'
