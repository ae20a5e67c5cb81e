"""The plot of `docs/reference/performance.md`: calls per second by number of callers, on a logarithmic scale, as an SVG written by hand."""

import math
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent.parent / "docs" / "reference" / "performance.svg"
COLOURS = {"ours": "#0b6e4f", "driver": "#c06014", "orm": "#7a5195", "stapel debit": "#58606b"}
NAMES = {
    "ours": "Paywright",
    "driver": "bare driver, a call a transaction",
    "orm": "ORM, SELECT … FOR UPDATE",
    "stapel debit": "stapel-billing debit",
}
WIDTH, HEIGHT, LEFT, TOP = 420, 260, 62, 34
CALLERS = (1, 8, 64, 256)
LOWEST, HIGHEST = 10, 100_000


def draw(results: dict[str, Any]) -> None:
    found = results.get("ledger", [])
    if not found:
        return
    panels = [("postgresql", True), ("postgresql", False), ("sqlite", True), ("sqlite", False)]
    drawn = [_panel(found, database, is_hot, place) for place, (database, is_hot) in enumerate(panels)]
    legend = "".join(
        f'<rect x="{LEFT + 230 * place}" y="8" width="12" height="12" fill="{COLOURS[name]}"/>'
        f'<text x="{LEFT + 18 + 230 * place}" y="18">{NAMES[name]}</text>'
        for place, name in enumerate(COLOURS)
    )
    size = f'width="{2 * (WIDTH + LEFT) + 20}" height="{2 * (HEIGHT + TOP + 40) + 30}"'
    style = '<style>text{font:12px system-ui,sans-serif;fill:#222}.axis{stroke:#ccc}</style><rect width="100%" height="100%" fill="#fff"/>'
    PATH.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{legend}{"".join(drawn)}</svg>\n')


def _panel(found: list[dict[str, Any]], database: str, is_hot: bool, place: int) -> str:
    x, y = LEFT + (place % 2) * (WIDTH + LEFT), TOP + 30 + (place // 2) * (HEIGHT + TOP + 40)
    where = "one hot customer" if is_hot else "10,000 customers"
    parts = [f'<text x="{x}" y="{y - 10}" font-weight="bold">{database}, {where}: decreases per second</text>']
    for rate in (10, 100, 1_000, 10_000, 100_000):
        height = y + _height(rate)
        parts.append(f'<line class="axis" x1="{x}" x2="{x + WIDTH - 40}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{x - 6}" y="{height + 4}" text-anchor="end">{rate:,}</text>')
    for number, callers in enumerate(CALLERS):
        parts.append(
            f'<text x="{x + _across(number)}" y="{y + HEIGHT + 18}" text-anchor="middle">{callers} callers</text>'
        )
    for name, colour in COLOURS.items():
        points = []
        for number, callers in enumerate(CALLERS):
            rate = _rate(found, database, is_hot, callers, name)
            if rate:
                points.append((x + _across(number), y + _height(rate)))
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>'
        )
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in points]
    return "".join(parts)


def _rate(found: list[dict[str, Any]], database: str, is_hot: bool, callers: int, name: str) -> float | None:
    for result in found:
        if (result["database"], result["is_hot"], result["callers"]) == (database, is_hot, callers):
            sample = result["samples"].get(name)
            return None if sample is None else float(sample["rate"])
    return None


def _across(number: int) -> float:
    return 40 + number * (WIDTH - 120) / (len(CALLERS) - 1)


def _height(rate: float) -> float:
    share = math.log(max(rate, LOWEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return HEIGHT * (1 - share)
