"""The page's files as they are shipped."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "rag" / "page"
FILES = sorted(PAGE.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def test_all_parts_together_weigh_less_than_96_kb() -> None:
    """Also those that are loaded only when they are used, uncompressed."""
    assert 0 < sum(path.stat().st_size for path in FILES) < 96_000


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_never_makes_markup_or_code_from_text(path: Path) -> None:
    """No interface that parses a string as HTML or as a script."""
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function"
        r"|createContextualFragment|setHTML",
        path.read_text("utf-8"),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_small_and_names_nothing_outside(path: Path) -> None:
    """Under 200 lines, and no address but the SVG namespace."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 200
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []


def test_the_document_holds_no_script_or_style_of_its_own() -> None:
    """What runs or styles is a file; there are no files but those it or a script names."""
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    named = set(re.findall(r'(?:href|src)="/page/([^"]+)"', html))
    for path in SCRIPTS:
        text = path.read_text("utf-8")
        named |= set(re.findall(r'(?:from|import\() ?"\./([^"]+)"', text))
        for names in re.findall(r"(?<!function )styles\(([^)]+)\)", text):
            named |= {f"{name}.css" for name in re.findall(r'"(\w+)"', names)}
    assert named == {path.name for path in FILES} - {"index.html"}
