"""What a file's bytes say it is, whatever its name says."""

import codecs
import zipfile
from io import BytesIO

ENCRYPTED_OFFICE = "encrypted Office document"
DAMAGED_ZIP = "damaged zip archive"

_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")

# Name and first bytes of kinds that people give by mistake.
_SIGNATURES = (
    ("PDF file", b"%PDF-"),
    ("RTF file", b"{\\rtf"),
    ("PNG picture", b"\x89PNG\r\n\x1a\n"),
    ("JPEG picture", b"\xff\xd8\xff"),
    ("GIF picture", b"GIF8"),
    ("TIFF picture", b"II*\0"),
    ("TIFF picture", b"MM\0*"),
    ("gzip archive", b"\x1f\x8b"),
    ("7z archive", b"7z\xbc\xaf\x27\x1c"),
    ("RAR archive", b"Rar!\x1a\x07"),
    ("SQLite database", b"SQLite format 3\0"),
    ("program", b"\x7fELF"),
)

# A name inside a zip archive and the kind of file that has it.
_ZIP_MEMBERS = (
    ("word/document.xml", "Word document (.docx)"),
    ("xl/workbook.xml", "Excel workbook (.xlsx)"),
    ("ppt/presentation.xml", "PowerPoint presentation (.pptx)"),
    ("META-INF/container.xml", "EPUB book"),
    ("content.xml", "OpenDocument file"),
)


def looks_like(data: bytes) -> str | None:
    """Return the kind of file `data` is, in words for a message; None for text and the unknown."""
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if _ENCRYPTED_PACKAGE in data:
            return ENCRYPTED_OFFICE
        return "Office document of the old kind (.doc, .xls, .ppt)"
    for kind, signature in _SIGNATURES:
        if data.startswith(signature):
            return kind
    head = data[:1024].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    return "HTML page" if head.startswith((b"<!doctype html", b"<html")) else None


def _kind_of_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return DAMAGED_ZIP
    return next((kind for member, kind in _ZIP_MEMBERS if member in names), "zip archive")
