"""Tables as they are printed, and kept for the docs."""

import msgspec


class Row(msgspec.Struct, frozen=True):
    """`ratio`: ours to theirs. `target`: what it should be at least."""

    name: str
    rate: float
    p50: float
    p99: float
    ratio: float | None = None
    target: float | None = None


def table(title: str, rows: list[Row]) -> None:
    print(f"\n{title}")
    print(f"  {'':<16}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'ours is':>10}{'target':>8}")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f} ×"
        target = "" if row.target is None else f"{row.target:g} ×"
        verdict = "" if row.target is None or row.ratio is None else ("" if row.ratio >= row.target else "  MISSED")
        print(
            f"  {row.name:<16}{row.rate:>12,.0f}{row.p50:>10.2f}{row.p99:>10.2f}{ratio:>10}{target:>8}{verdict}",
            flush=True,
        )
