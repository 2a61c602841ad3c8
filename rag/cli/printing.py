"""What people read: wrapped and emphasised on a terminal, plain whole lines in a pipe."""

import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_INDENT: Final = 3
# A document's control characters must not steer the terminal it is shown on.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return text with control characters, but line ends and tabs, as the replacement character."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text as one line: every run of white space is a space, no control characters."""
    return plain(" ".join(text.split()))


def emphasised(before: str, quote: str, after: str) -> "Text":
    """Return a quote in its sentence, on one line: bold, and between ** for who sees no bold."""
    from rich.text import Text

    left = " " if before[-1:].isspace() else ""
    right = " " if after[:1].isspace() else ""
    marked = (f"**{one_line(quote)}**", "bold")
    return Text.assemble(one_line(before) + left, marked, right + one_line(after))


def console() -> "Console":
    """Return a console for standard output, which is what it is at this moment."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def print_line(console: "Console", text: "Text | str", *, style: str = "") -> None:
    """Print text at the margin, wrapped on a terminal only."""
    console.print(text, style=style, soft_wrap=not console.is_terminal)


def print_indented(console: "Console", text: "Text | str", *, style: str = "") -> None:
    """Print text indented, wrapped inside its indentation on a terminal only."""
    from rich.padding import Padding
    from rich.text import Text

    shown = Text(text, style=style) if isinstance(text, str) else text
    if console.is_terminal:
        console.print(Padding(shown, (0, 0, 0, _INDENT), expand=False))
        return
    for line in shown.split():
        console.print(Text(" " * _INDENT) + line, soft_wrap=True)
