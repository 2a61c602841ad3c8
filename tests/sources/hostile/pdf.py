"""Hostile PDFs: loops, lies and bombs."""

import zlib
from collections.abc import Callable, Mapping

MANY = 100_000
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
_DRAWING = b"BT /F1 12 Tf 72 700 Td (Some text on a page.) Tj ET\n"
_RESOURCES = b"/Resources << /Font << /F1 4 0 R >> /XObject << /X0 10 0 R >> >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def stream(data: bytes, *, entries: bytes = b"", length: bytes | None = None) -> bytes:
    """Return a stream object; `length` may lie."""
    size = b"%d" % len(data) if length is None else length
    return b"<< /Length %s %s >>\nstream\n%s\nendstream" % (size, entries, data)


def page(*, box: bytes = b"0 0 600 800", contents: bytes = b"5 0 R") -> bytes:
    """Return a page object that draws `contents`."""
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] /Contents %s %s >>" % (
        box,
        contents,
        _RESOURCES,
    )


def build(
    changed: Mapping[int, bytes] | None = None, *, trailer: bytes = b"", size: int | None = None
) -> bytes:
    """Return a PDF of one page with some objects `changed` or added."""
    objects = {1: CATALOG, 2: PAGES, 3: page(), 4: _FONT, 5: stream(_DRAWING)} | dict(changed or {})
    out = bytearray(b"%PDF-1.7\n")
    offsets = {}
    for number, content in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, offset in offsets.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, offset)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (size or max(objects) + 1, trailer)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _outline(changed: bytes) -> bytes:
    return build(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>",
            6: b"<< /First 7 0 R /Last 7 0 R >>",
            7: b"<< /Title (loop) /Parent 6 0 R /Dest [3 0 R /Fit] " + changed + b" >>",
        }
    )


def _bomb(times: int) -> bytes:
    packed = zlib.compressobj(1)
    parts = [packed.compress(_DRAWING)]
    parts += [packed.compress(b" " * 1_000_000) for _ in range(times)]
    parts.append(packed.flush())
    return build({5: stream(b"".join(parts), entries=b"/Filter /FlateDecode")})


def _twice_packed() -> bytes:
    data = zlib.compress(zlib.compress(b" " * 400_000_000, 1))
    return build({5: stream(data, entries=b"/Filter [/FlateDecode /FlateDecode]")})


def _laughing_forms() -> bytes:
    forms = {
        10 + level: stream(
            b"/X%d Do " % (level + 1) * 10,
            entries=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] "
            b"/Resources << /XObject << /X%d %d 0 R >> >>" % (level + 1, 11 + level),
        )
        for level in range(20)
    }
    forms[30] = stream(
        _DRAWING,
        entries=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] "
        b"/Resources << /Font << /F1 4 0 R >> >>",
    )
    return build({5: stream(b"/X0 Do"), **forms})


def _deep_pages() -> bytes:
    levels = 20_000
    chain = {
        100 + level: b"<< /Type /Pages /Parent %d 0 R /Kids [%d 0 R] /Count 1 >>"
        % (99 + level if level else 2, 101 + level)
        for level in range(levels)
    }
    return build(
        {
            2: b"<< /Type /Pages /Kids [100 0 R] /Count 1 >>",
            **chain,
            100 + levels: page(),
        }
    )


def _same_page(times: int) -> bytes:
    kids = b"3 0 R " * times
    return build({2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, times)})


def _looping_table() -> bytes:
    data = build()
    start = data.rindex(b"xref\n0 1")
    return data.replace(b"/Root", b"/Prev %d /Root" % start)


FILES: dict[str, Callable[[], bytes]] = {
    "page-tree-loop.pdf": lambda: build({2: b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>"}),
    "deep-page-tree.pdf": _deep_pages,
    "million-pages.pdf": lambda: _same_page(500_000),
    "lying-count.pdf": lambda: build({2: PAGES.replace(b"/Count 1", b"/Count 2000000000")}),
    "reference-loop.pdf": lambda: build({3: b"6 0 R", 6: b"7 0 R", 7: b"6 0 R"}),
    "length-loop.pdf": lambda: build({5: stream(_DRAWING, length=b"5 0 R")}),
    "contents-loop.pdf": lambda: build({3: page(contents=b"6 0 R"), 6: b"[6 0 R 5 0 R 6 0 R]"}),
    "form-loop.pdf": lambda: build(
        {
            5: stream(b"/X0 Do " + _DRAWING),
            10: stream(
                b"/X0 Do " * 10,
                entries=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] " + _RESOURCES,
            ),
        }
    ),
    "laughing-forms.pdf": _laughing_forms,
    "outline-loop.pdf": lambda: _outline(b"/Next 7 0 R"),
    "outline-of-itself.pdf": lambda: _outline(b"/First 7 0 R /Last 7 0 R"),
    "huge-page.pdf": lambda: build({3: page(box=b"-1e30 -1e30 1e30 1e30")}),
    "no-page.pdf": lambda: build({3: page(box=b"0 0 0 0")}),
    "huge-font.pdf": lambda: build({5: stream(_DRAWING.replace(b"12 Tf", b"1e37 Tf"))}),
    "broken-font.pdf": lambda: build(
        {
            4: b"<< /Type /Font /Subtype /TrueType /BaseFont /A /FontDescriptor 6 0 R >>",
            6: b"<< /Type /FontDescriptor /FontName /A /Flags 4 /FontFile2 7 0 R >>",
            7: stream(b"\0\1\0\0\xff\xff" + bytes(range(256)) * 4000),
        }
    ),
    "huge-table.pdf": lambda: build(trailer=b"", size=2_147_483_647),
    "looping-table.pdf": _looping_table,
    "truncated.pdf": lambda: build({5: stream(_DRAWING * 10_000)})[:200_000],
    "no-table.pdf": lambda: build().partition(b"xref\n0 1")[0],
    "bomb.pdf": lambda: _bomb(600),
    "twice-packed.pdf": _twice_packed,
    "deep-arrays.pdf": lambda: build({6: b"[" * MANY + b"]" * MANY}, trailer=b"/Info 6 0 R"),
    "deep-dictionaries.pdf": lambda: build({3: b"<</A" * MANY + b">>" * MANY}),
    "many-characters.pdf": lambda: build({5: stream(_DRAWING * 200_000)}),
    "one-line.pdf": lambda: build({5: stream(_DRAWING.replace(b"text", b"word " * 300_000))}),
    "many-lines-of-one-letter.pdf": lambda: build(
        {5: stream(b"BT /F1 1 Tf 0 800 Td " + b"0 -2 Td (a) Tj\n" * 60_000 + b" ET")}
    ),
}
