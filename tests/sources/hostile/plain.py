"""Hostile text, Markdown and JSON Lines."""

import json
import random
from collections.abc import Callable

MANY = 100_000


def _noise() -> bytes:
    return random.Random(7).randbytes(3_000_000)


def _laughing_front_matter() -> bytes:
    levels = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, 30):
        repeated = ", ".join([f"*a{level - 1}"] * 10)
        levels.append(f"a{level}: &a{level} [{repeated}]")
    return "\n".join(["---", *levels, "---", "Text."]).encode()


def _many_keys() -> bytes:
    return json.dumps({"text": "Text."} | {f"key {n}": "value" for n in range(300_000)}).encode()


FILES: dict[str, Callable[[], bytes]] = {
    # One line, one word, no word
    "one-line.txt": lambda: b"word " * 2_000_000,
    "one-word.txt": lambda: b"a" * 1_900_000,
    "only-punctuation.txt": lambda: b".?!," * 475_000,
    "only-newlines.txt": lambda: b"\n" * 10_000_000,
    "only-combining-marks.txt": lambda: b"e" + b"\xcc\x81" * 900_000,
    "only-quotes.txt": lambda: b".\"'" * 600_000,
    # What the sentence rules look for, without end
    "a-rule-that-is-none.txt": lambda: b"text\n" + b"-" * 1_900_000 + b" x\n",
    "dashes-and-gaps.txt": lambda: (b"-" * 950 + b" x\n") * 1_900,
    "pages-of-pages.txt": lambda: b"p. 1 fig. 2 " * 150_000,
    "enumerators.txt": lambda: b"1. a) (iv) " * 170_000,
    "ellipses.txt": lambda: b"a... " * 380_000,
    # Encodings
    "noise.txt": _noise,
    "nuls.txt": lambda: b"a\0b\0\0c" * MANY,
    "two-marks.txt": lambda: b"\xef\xbb\xbf\xff\xfe" + "text ".encode("utf-16-le") * MANY,
    "marks-only.txt": lambda: b"\xef\xbb\xbf" * MANY,
    "odd-utf-16.txt": lambda: b"\xff\xfe" + b"\xd8" * (2 * MANY + 1),
    "surrogates.txt": lambda: b"\xed\xa0\x80 text " * MANY,
    "overlong.txt": lambda: b"\xc0\xaf\xe0\x80\xaf " * MANY,
    # Markdown
    "one-line.md": lambda: b"word *word* " * 160_000,
    "open-brackets.md": lambda: b"[" * MANY,
    "open-links.md": lambda: b"[a](<b" * MANY,
    "open-emphasis.md": lambda: b"*a **a _b __b " * 20_000,
    "deep-quotes.md": lambda: b"> " * MANY + b"text",
    "deep-lists.md": lambda: b"".join(b" " * n + b"- a\n" for n in range(1_500)),
    "backticks.md": lambda: b"".join(b"`" * n + b" " for n in range(1, 1_500)),
    "many-headings.md": lambda: b"# a\n" * 400_000,
    "long-headings.md": lambda: (b"# " + b"heading " * 20_000 + b"\n\ntext\n\n") * 10,
    "many-references.md": lambda: b"".join(b"[r%d]: /u\n[r%d]\n\n" % (n, n) for n in range(40_000)),
    "front-matter-laughs.md": _laughing_front_matter,
    "front-matter-deep.md": lambda: b"---\na: " + b"[" * MANY + b"\n---\ntext",
    "open-html.md": lambda: b"<a b='" * MANY,
    # JSON Lines
    "deep.jsonl": lambda: b'{"text": ' + b"[" * MANY + b"]" * MANY + b"}",
    "deep-objects.jsonl": lambda: b'{"text":"a","b":' * MANY + b"1" + b"}" * MANY,
    "huge-number.jsonl": lambda: b'{"text": "a", "n": ' + b"9" * 5_000_000 + b"}",
    "many-keys.jsonl": _many_keys,
    "many-records.jsonl": lambda: b'{"text":"a"}\n' * 300_000,
    "one-line.jsonl": lambda: b'{"text": "' + b"word " * 2_000_000 + b'"}',
}
