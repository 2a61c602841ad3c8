"""Hostile Word documents: bombs, loops, entities and missing parts."""

import struct
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO

MANY = 100_000
MAIN = "word/document.xml"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/>'
    '<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.styles+xml"/></Types>'
)


def _relations(*targets: tuple[str, str]) -> str:
    entries = "".join(
        f'<Relationship Id="r{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets)
    )
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f"{entries}</Relationships>"
    )


_PARTS = {
    "[Content_Types].xml": _TYPES,
    "_rels/.rels": _relations(("officeDocument", MAIN)),
}


def body(inner: str, *, declared: str = "") -> str:
    """Return a main part with `inner` in its body, after the declarations `declared`."""
    return f"<?xml version='1.0'?>{declared}<w:document {_W}><w:body>{inner}</w:body></w:document>"


def paragraph(text: str, *, properties: str = "") -> str:
    """Return a paragraph of one run."""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def package(
    main: str | Iterable[bytes], *, parts: dict[str, str] | None = None, without: str = ""
) -> bytes:
    """Return a document with the main part `main` and other `parts`, but for the one `without`."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in (_PARTS | (parts or {})).items():
            if name != without:
                archive.writestr(name, part)
        if without != MAIN:
            with archive.open(MAIN, "w", force_zip64=True) as stream:
                for piece in [main.encode()] if isinstance(main, str) else main:
                    stream.write(piece)
    return buffer.getvalue()


def _padded(megabytes: int) -> Iterable[bytes]:
    start, end = body(paragraph("text") + "\0").encode().split(b"\0")
    yield start
    for _ in range(megabytes):
        yield b" " * 1_000_000
    yield end


def _filled(megabytes: int) -> Iterable[bytes]:
    start, end = body("\0").encode().split(b"\0")
    yield start
    some = b"<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 30_000
    for _ in range(megabytes):
        yield some
    yield end


def _lying_sizes() -> bytes:
    """Declare in every header that the main part has ten bytes."""
    data = bytearray(package(_padded(100)))
    with zipfile.ZipFile(BytesIO(data)) as archive:
        info = archive.getinfo(MAIN)
    size = struct.pack("<I", info.file_size)
    at = data.rindex(size)
    data[at : at + 4] = struct.pack("<I", 10)
    return bytes(data)


def _overlapping() -> bytes:
    """Point all of the directory's entries at one local file."""
    data = bytearray(package(body(paragraph("text")), parts={f"p{n}": "x" for n in range(500)}))
    at = data.index(b"PK\x01\x02")
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 42 : at + 46] = struct.pack("<I", 0)
        at += 46
    return bytes(data)


def _wrong_checksum() -> bytes:
    data = bytearray(package(body(paragraph("text"))))
    at = data.rindex(b"PK\x01\x02")
    data[at + 16] ^= 0xFF
    return bytes(data)


def _nested_archives() -> bytes:
    inner = b"0" * 10_000_000
    for _ in range(20):
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", inner)
        inner = buffer.getvalue()
    return package(body(paragraph("text")), parts={"word/media/a.zip": inner.decode("latin-1")})


def _laughs(levels: int) -> str:
    entities = ["<!ENTITY l0 'lol'>"]
    for level in range(1, levels):
        repeated = f"&l{level - 1};" * 10
        entities.append(f"<!ENTITY l{level} '{repeated}'>")
    return f"<!DOCTYPE d [{''.join(entities)}]>"


def _looping_styles() -> dict[str, str]:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="s{n}"><w:name w:val="s{n}"/>'
        f'<w:basedOn w:val="s{(n + 1) % 500}"/></w:style>'
        for n in range(500)
    )
    return {
        "word/styles.xml": f"<w:styles {_W}>{styles}</w:styles>",
        "word/_rels/document.xml.rels": _relations(("styles", "styles.xml")),
    }


_HEADING = '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'
_STYLED = '<w:pPr><w:pStyle w:val="s0"/></w:pPr>'
_EXTERNAL = "<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
_REMOTE = "<!DOCTYPE d [<!ENTITY % e SYSTEM 'http://127.0.0.1:9/e.dtd'> %e;]>"
_QUADRATIC = f"<!DOCTYPE d [<!ENTITY e '{'x' * 100_000}'>]>"

FILES: dict[str, Callable[[], bytes]] = {
    "bomb.docx": lambda: package(_padded(600)),
    "bomb-inside-limits.docx": lambda: package(_padded(450)),
    "bomb-of-paragraphs.docx": lambda: package(_filled(100)),
    "lying-sizes.docx": _lying_sizes,
    "overlapping.docx": _overlapping,
    "nested-archives.docx": _nested_archives,
    "wrong-checksum.docx": _wrong_checksum,
    "many-parts.docx": lambda: package(
        body(paragraph("text")), parts={f"word/p{n}.xml": "" for n in range(60_000)}
    ),
    "truncated.docx": lambda: package(body(paragraph("text") * 1000))[:-300],
    "no-main-part.docx": lambda: package("", without=MAIN),
    "no-content-types.docx": lambda: package(body(""), without="[Content_Types].xml"),
    "no-relations.docx": lambda: package(body(paragraph("text")), without="_rels/.rels"),
    "external-entity.docx": lambda: package(body(paragraph("text &e;"), declared=_EXTERNAL)),
    "remote-entity.docx": lambda: package(body(paragraph("text"), declared=_REMOTE)),
    "laughs.docx": lambda: package(body(paragraph("text &l29;"), declared=_laughs(30))),
    "laughs-in-attribute.docx": lambda: package(
        body("<w:p w:a='&l9;'/>" + paragraph("text"), declared=_laughs(10))
    ),
    "quadratic.docx": lambda: package(body(paragraph("&e;" * 20_000), declared=_QUADRATIC)),
    "looping-styles.docx": lambda: package(
        body(paragraph("text", properties=_STYLED) * 1000), parts=_looping_styles()
    ),
    "looping-relations.docx": lambda: package(
        body(paragraph("text")),
        parts={"word/_rels/document.xml.rels": _relations(("footnotes", "document.xml"))},
    ),
    "deep.docx": lambda: package(body("<w:sdt>" * MANY + "</w:sdt>" * MANY)),
    "deep-inside-limits.docx": lambda: package(
        body("<w:sdt>" * 240 + paragraph("text") + "</w:sdt>" * 240)
    ),
    "deep-tables.docx": lambda: package(
        body("<w:tbl><w:tr><w:tc>" * 80 + paragraph("text") + "</w:tc></w:tr></w:tbl>" * 80)
    ),
    "many-paragraphs.docx": lambda: package(body(paragraph("text") * MANY)),
    "many-headings.docx": lambda: package(body(paragraph("a", properties=_HEADING) * 60_000)),
    "many-cells.docx": lambda: package(
        body("<w:tbl>" + f"<w:tr><w:tc>{paragraph('a')}</w:tc></w:tr>" * MANY + "</w:tbl>")
    ),
    "one-line.docx": lambda: package(body(paragraph("word " * 1_900_000))),
    "many-attributes.docx": lambda: package(
        body("<w:p " + " ".join(f"a{n}='b'" for n in range(MANY)) + "/>" + paragraph("text"))
    ),
}
