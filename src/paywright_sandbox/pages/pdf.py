"""A one-page PDF, set in Helvetica: enough for a link to a document to lead to a document."""

from collections.abc import Iterator

WIDTH, HEIGHT, MARGIN = 595, 842, 56
ROWS_MAX = 32
BANNER = "SANDBOX – no real money"


def document(title: str, head: list[str], rows: list[tuple[str, str]], sums: list[tuple[str, str]]) -> bytes:
    shown = rows if len(rows) <= ROWS_MAX else [*rows[: ROWS_MAX - 1], (f"… and {len(rows) - ROWS_MAX + 1} more", "")]
    text = "\n".join(content(title, head, shown, sums)).encode("cp1252", "replace")
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents 4 0 R "
                "/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>"
            ).encode(),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        ]
    )


def content(title: str, head: list[str], rows: list[tuple[str, str]], sums: list[tuple[str, str]]) -> Iterator[str]:
    """Drawing operators from top to bottom."""
    yield f"1 0.77 0.19 rg 0 {HEIGHT - 30} {WIDTH} 30 re f 0 g"
    yield line(BANNER, 11, HEIGHT - 20, bold=True)
    at = HEIGHT - 90
    yield line(title, 20, at, bold=True)
    for text in head:
        at -= 18
        yield line(text, 11, at)
    at -= 24
    for left, right in [*rows, ("", ""), *sums]:
        at -= 17
        yield line(left[:80], 11, at)
        yield line(right, 11, at, x=WIDTH - MARGIN - 90)


def line(text: str, size: int, y: int, *, x: int = MARGIN, bold: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").replace("−", "-").replace("\n", " ")
    return f"BT /{'F2' if bold else 'F1'} {size} Tf {x} {y} Td ({escaped}) Tj ET"


def assembled(parts: list[bytes]) -> bytes:
    """The numbered objects with their table of offsets."""
    found, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(found))
        found += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(parts) + 1
    return (
        found
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            len(found),
        )
    )
