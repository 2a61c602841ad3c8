"""What commands load: only what they need."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import environment

HEAVY = ("torch", "transformers", "sentence_transformers", "openvino", "faiss", "litestar", "rich")

SCRIPT = """
import sys
from rag.cli import main
try:
    main(sys.argv[2:], prog_name="rag")
finally:
    loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
    print("loaded:", *loaded, file=sys.stderr)
"""


def loaded(home: Path, *arguments: str, names: tuple[str, ...]) -> set[str]:
    """Return which of some modules a command has loaded by its end."""
    command = [sys.executable, "-c", SCRIPT, ",".join(names), *arguments]
    done = subprocess.run(
        command, env=environment(home), capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stderr.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "--help"), ("serve", "--help")])
def test_help_loads_nothing_heavy(seeded: Path, arguments: tuple[str, ...]) -> None:
    """Help answers at once."""
    assert loaded(seeded, *arguments, names=(*HEAVY, "numpy", "apsw")) == set()


def test_asking_loads_no_torch(seeded: Path) -> None:
    """The converted embedder needs neither torch nor transformers."""
    names = ("torch", "transformers", "sentence_transformers", "openvino")
    assert loaded(seeded, "ask", "What is KFOR?", names=names) == {"openvino"}
